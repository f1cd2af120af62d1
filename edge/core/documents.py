"""The desired state that the centre sent: whole documents, newest version wins, an equal one changes nothing.

One that cannot be used is refused: the last good one stays in force and on the disk, and `have` names the refused version,
so that the centre does not send it again and again.
"""

from bisect import bisect_right
from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.documents import (
    AcksDocument,
    AnyDocument,
    CalendarDocument,
    ConfigDocument,
    CouponKey,
    CouponsDocument,
    DocumentKind,
    ModelsDocument,
    OrderSlot,
    StoreDocument,
)
from contract.money import money_text
from contract.rules import Gates, Rule, Rules
from edge.core.day import ShopCalendar
from edge.core.lean import (
    LEAN_DOCUMENT,
    ItemRow,
    LeanDocument,
    LeanHistory,
    LeanItems,
    LeanPlanogram,
    LeanPrices,
    LeanSupply,
    PriceRow,
    SupplyRow,
    lean_from,
)
from edge.core.planogram import Planogram
from edge.core.price_gate import price_list_problem
from edge.core.rows import Row, Rows
from edge.core.rules.governed import rules_by_code

_NO_GTINS: list[str] = []
"""Shared by all items: theirs are in the index."""


@dataclass(slots=True)
class RefusedRow:
    """program: the version of the gateway that could not use it."""

    version: int
    program: str


class Documents:
    """The newest document of each kind, as the look-ups that the rooms need; the documents themselves stay on the disk."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._unsaved: dict[str, str] = {}
        self.store: StoreDocument | None = None
        self.calendar: ShopCalendar | None = None
        self.planogram = Planogram()
        self.esl_base: str | None = None
        self.history: LeanHistory | None = None
        self.item_by_sku: dict[str, ItemRow] = {}
        self.supply_by_sku: dict[str, SupplyRow] = {}
        self.slots: dict[str, list[OrderSlot]] = {}
        self.coupon_keys: dict[str, CouponKey] = {}
        self._sku_by_gtin: dict[str, str] = {}
        self._prices: dict[str, tuple[tuple[int, int], ...]] = {}
        self._price_starts: list[int] = []
        self.rules, self.gates = Rules(), Gates()
        self._rule_by_code = rules_by_code(self.rules)
        self.acks: AcksDocument | None = None
        self.models: ModelsDocument | None = None
        self.known_days: CalendarDocument | None = None
        self.refused: Rows[RefusedRow] = Rows("refused", TypeAdapter(RefusedRow))
        """By kind: the newest document that could not be used."""
        self.program = ""

    def have(self) -> dict[str, int]:
        """Kind -> version, as batches say it; a refused one counts as had. The calendar is always named: only who knows it gets it."""
        found = {DocumentKind.CALENDAR.value: 0, **self._versions}
        for kind, row in self.refused.by_key.items():
            found[kind] = max(row.version, found.get(kind, 0))
        return found

    def version(self, kind: str) -> int:
        """Of the document in force, 0 for none."""
        return self._versions.get(kind, 0)

    def refuse(self, kind: str, version: int) -> bool:
        """The document cannot be used; False when that was known."""
        if version <= self.have().get(kind, 0):
            return False
        self.refused.put(kind, RefusedRow(version, self.program))
        return True

    def rule_of(self, code: str) -> Rule | None:
        """The rule that governs the alert `code`, None for one that no configuration silences."""
        return self._rule_by_code.get(code)

    def apply(self, given: AnyDocument | LeanDocument, now_ms: int | None = None) -> bool:
        """Takes a newer document in; False when it is not newer. Raises ValueError when it cannot be used.

        now_ms: when given, a price list has to pass the gate of the configuration.
        """
        if given.version <= self.have().get(given.kind, 0):
            return False
        document = lean_from(given)
        if now_ms is not None and isinstance(document, LeanPrices):
            problem = price_list_problem(self._prices, _steps_of(document.prices), self.gates, now_ms)
            if problem:
                raise ValueError(f"prices document {document.version}: {problem}")
        text = document.to_json().decode()
        self._index(document)
        self.refused.drop(document.kind)
        self._versions[document.kind] = document.version
        self._unsaved[document.kind] = text
        return True

    def sku_of(self, gtin: str | None) -> str | None:
        return None if gtin is None else self._sku_by_gtin.get(gtin)

    def title(self, sku: str) -> str:
        """What people call the SKU: its name, else its number."""
        item = self.item_by_sku.get(sku)
        return item.name if item is not None and item.name else f"SKU {sku}"

    def money(self, cents: int) -> str:
        """As people read it, in the store's currency once that is known."""
        return money_text(cents, self.store.currency if self.store is not None else "")

    def price_cents(self, sku: str, at_ms: int) -> int | None:
        """The list price in effect, None when there is none."""
        prices = self._prices.get(sku)
        if not prices:
            return None
        if len(prices) == 1:
            return prices[0][1] if prices[0][0] <= at_ms else None
        place = bisect_right(prices, at_ms, key=lambda price: price[0])
        return prices[place - 1][1] if place else None

    def next_price_ms(self, after_ms: int) -> int | None:
        """When a price next changes."""
        place = bisect_right(self._price_starts, after_ms)
        return self._price_starts[place] if place < len(self._price_starts) else None

    def is_managed(self, sku: str) -> bool:
        """Whether the SKU is forecast and reordered here."""
        item = self.item_by_sku.get(sku)
        return item is not None and item.managed

    def managed_skus(self) -> list[str]:
        return [sku for sku, item in self.item_by_sku.items() if item.managed]

    def changed(self) -> list[Row]:
        rows: list[Row] = [("document", kind, text) for kind, text in sorted(self._unsaved.items())]
        self._unsaved.clear()
        return rows + self.refused.changed()

    def take_back_config(self, rules: Rules, gates: Gates) -> None:
        """The configuration of before holds again, under the version of the one that is taken back."""
        document = ConfigDocument(version=self._versions["config"], rules=rules, gates=gates)
        self._index(document)
        self._unsaved["config"] = document.to_json().decode()

    def restore_refused(self, key: str, text: str) -> None:
        """What another version of the program refused is asked for again: this one may know how to use it."""
        self.refused.restore(key, text)
        if self.refused.by_key[key].program != self.program:
            self.refused.drop(key)

    def restore(self, key: str, text: str) -> None:
        document = LEAN_DOCUMENT.validate_json(text)
        self._index(document)
        self._versions[key] = document.version

    def _index(self, document: LeanDocument) -> None:
        if isinstance(document, StoreDocument):
            try:
                self.calendar = ShopCalendar(document)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError(
                    f"store document {document.version}: timezone {document.timezone!r}: {error}"
                ) from None
            self.store = document
        elif isinstance(document, LeanItems):
            self._index_items(document.items)
        elif isinstance(document, LeanPlanogram):
            self.planogram, self.esl_base = Planogram(document.facings), document.esl_base
        elif isinstance(document, LeanPrices):
            self._index_prices(document.prices)
        elif isinstance(document, LeanSupply):
            self.supply_by_sku = {line.sku: line for line in document.lines}
            self.slots = document.slots
        elif isinstance(document, LeanHistory):
            self.history = document
        elif isinstance(document, CouponsDocument):
            self.coupon_keys = {key.prefix: key for key in document.keys}
        elif isinstance(document, ConfigDocument):
            self.rules, self.gates = document.rules, document.gates
            self._rule_by_code = rules_by_code(self.rules)
        elif isinstance(document, AcksDocument):
            self.acks = document
        elif isinstance(document, ModelsDocument):
            self.models = document
        elif isinstance(document, CalendarDocument):
            self.known_days = document

    def _index_items(self, items: list[ItemRow]) -> None:
        categories: dict[str, str] = {}
        self.item_by_sku = {}
        self._sku_by_gtin = {}
        for item in items:
            item.category = categories.setdefault(item.category, item.category)
            self.item_by_sku[item.sku] = item
            for gtin in item.gtins:
                self._sku_by_gtin[gtin] = item.sku
            item.gtins = _NO_GTINS

    def _index_prices(self, prices: list[PriceRow]) -> None:
        self._prices = _steps_of(prices)
        self._price_starts = sorted({price.from_ms for price in prices})


def _steps_of(prices: list[PriceRow]) -> dict[str, tuple[tuple[int, int], ...]]:
    by_sku: dict[str, list[tuple[int, int]]] = {}
    for price in prices:
        by_sku.setdefault(price.sku, []).append((price.from_ms, price.price_cents))
    return {sku: tuple(sorted(of_sku)) for sku, of_sku in by_sku.items()}

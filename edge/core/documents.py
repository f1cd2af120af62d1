"""The desired state that the centre sent: whole documents, newest version wins, an equal one changes nothing."""

from bisect import bisect_right
from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.documents import (
    AnyDocument,
    CouponKey,
    CouponsDocument,
    HistoryDocument,
    ItemsDocument,
    PlanogramDocument,
    PricesDocument,
    StoreDocument,
    SupplyDocument,
    SupplyLine,
)
from edge.core.day import ShopCalendar
from edge.core.planogram import Planogram
from edge.core.rows import Row

_DOCUMENT: TypeAdapter[AnyDocument] = TypeAdapter(AnyDocument)


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What the gateway needs of an item: a tenth of the memory of its document's row."""

    name: str
    category: str
    unit_weight_g: float | None
    managed: bool


class Documents:
    """The newest document of each kind, as the look-ups that the rooms need; the documents themselves stay on the disk."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._unsaved: dict[str, str] = {}
        self.store: StoreDocument | None = None
        self.calendar: ShopCalendar | None = None
        self.planogram = Planogram()
        self.esl_base: str | None = None
        self.history: HistoryDocument | None = None
        self.item_by_sku: dict[str, ItemFacts] = {}
        self.supply_by_sku: dict[str, SupplyLine] = {}
        self.coupon_keys: dict[str, CouponKey] = {}
        self._sku_by_gtin: dict[str, str] = {}
        self._prices: dict[str, list[tuple[int, int]]] = {}
        self._price_starts: list[int] = []

    def have(self) -> dict[str, int]:
        """Kind -> version, as batches say it."""
        return dict(self._versions)

    def apply(self, document: AnyDocument) -> bool:
        """Takes a newer document in; False when it is not newer. Raises ValueError when it cannot be used."""
        if document.version <= self._versions.get(document.kind, 0):
            return False
        self._index(document)
        self._versions[document.kind] = document.version
        self._unsaved[document.kind] = document.to_json().decode()
        return True

    def sku_of(self, gtin: str | None) -> str | None:
        return None if gtin is None else self._sku_by_gtin.get(gtin)

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
        return rows

    def restore(self, key: str, text: str) -> None:
        document = _DOCUMENT.validate_json(text)
        self._index(document)
        self._versions[key] = document.version

    def _index(self, document: AnyDocument) -> None:
        if isinstance(document, StoreDocument):
            try:
                self.calendar = ShopCalendar(document)
            except (KeyError, ValueError, OSError) as error:
                raise ValueError(
                    f"store document {document.version}: timezone {document.timezone!r}: {error}"
                ) from None
            self.store = document
        elif isinstance(document, ItemsDocument):
            one: dict[str, str] = {}  # one string a category, not one an item
            self.item_by_sku = {
                item.sku: ItemFacts(
                    item.name, one.setdefault(item.category, item.category), item.unit_weight_g, item.managed
                )
                for item in document.items
            }
            self._sku_by_gtin = {gtin: item.sku for item in document.items for gtin in item.gtins}
        elif isinstance(document, PlanogramDocument):
            self.planogram, self.esl_base = Planogram(document.facings), document.esl_base
        elif isinstance(document, PricesDocument):
            self._prices = {}
            for price in document.prices:
                self._prices.setdefault(price.sku, []).append((price.from_ms, price.price_cents))
            for prices in self._prices.values():
                prices.sort()
            self._price_starts = sorted({price.from_ms for price in document.prices})
        elif isinstance(document, SupplyDocument):
            self.supply_by_sku = {line.sku: line for line in document.lines}
        elif isinstance(document, HistoryDocument):
            self.history = document
        elif isinstance(document, CouponsDocument):
            self.coupon_keys = {key.prefix: key for key in document.keys}

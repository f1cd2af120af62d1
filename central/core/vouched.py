"""Which rows the audit vouches for, by which of their columns: the last entry about a row holds its digest."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contract.documents import SupplyDocument, SupplyLine

TRIGGER, STATUS, COUPON = "trigger", "status", "coupon"
COUPON_TERMS, DOCUMENT, STORE, BUDGET = "coupon-terms", "document", "store", "budget"
SUPPLIER, CAMPAIGN, SWITCH, PERSON, TOKEN, KEY = (
    "supplier", "campaign", "kill-switch", "person", "token", "gateway-key",
)  # fmt: skip
OUTSIDE_ORDER, NOTE_LINE, LISTING, WEBHOOK, BUNDLE, ROLLOUT = (
    "order-outside", "note-line", "assortment", "webhook", "bundle", "rollout",
)  # fmt: skip
ITEMS, PRICES, SUPPLIER_STOCK, SUPPLIER_ARRIVALS = "items", "prices", "supplier-stock", "supplier-arrivals"
"""Actions of entries that are about one row each; of the last four about a store's or a supplier's whole list. An entry without a digest says that the row is gone."""

SUPPLY = "supply"
DERIVED_DOCUMENTS = frozenset({"deliveries"})
"""What the centre makes of rows of other tables with each load; `supply` has its terms from people, and they count."""
TERMS = (
    "sku", "supplier", "lead_time_days", "review_days", "pack_units", "min_order_units", "shelf_life_days",
    "max_stock_units", "service_level", "cost_cents", "presentation_units", "order_cost_cents",
)  # fmt: skip
"""Of a supply line: what people set. The rest is what is on order."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Rows of `table`. subject: the column or columns that name one; columns: what must not change unseen.

    of_chain: the entries are in the chain of shops' own chain, and the table has no store. forgotten: rows go after their time,
    and since when they are kept is noted under this name (`central.ledger.retention`); "": never.
    """

    action: str
    table: str
    subject: tuple[str, ...]
    columns: tuple[str, ...]
    of_chain: bool = False
    forgotten: str = ""

    def subject_of(self, row: Mapping[str, object]) -> str:
        return self.name_of(str(row[name]) for name in self.subject)

    def name_of(self, key: Iterable[str]) -> str:
        """key: one value for each column of `subject`."""
        if len(self.subject) == 1:
            return "".join(key)
        return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in key)

    def about(self, row: Mapping[str, object]) -> dict[str, object]:
        if self.action == DOCUMENT:
            return about_document(str(row["kind"]), str(row["body"]))
        return {name: row[name] for name in self.columns}


def about_document(kind: str, body: str) -> dict[str, object]:
    if kind == SUPPLY:
        return about_supply(SupplyDocument.from_json(body).lines)
    return {"kind": kind, "sha256": hashlib.sha256(body.encode()).hexdigest()}


def about_supply(lines: Iterable[SupplyLine]) -> dict[str, object]:
    """As people put them: what is on order comes and goes."""
    return {"kind": SUPPLY, "lines": [[getattr(line, name) for name in TERMS] for line in lines]}


_KINDS = (
    Vouched(
        TRIGGER, "triggers", ("trigger_id",),
        (
            "trigger_id", "revision", "sku", "gtin", "kind", "supplier", "state", "quantity_units", "pack_units",
            "shipped_units", "received_units", "value_cents", "on_hand_units", "on_order_units",
            "expected_stock_out_units", "why", "doubt", "lead_time_days", "created_ms", "changed_ms", "expires_ms",
            "watermark_ms", "bundle", "rule", "inputs", "supersedes", "erp_document", "despatch", "arrives_day", "due_ms",
            "agreed_revision", "agreed_units",
        ),
    ),
    Vouched(
        STATUS, "trigger_statuses", ("trigger_id", "revision", "status"),
        ("trigger_id", "revision", "status", "at_ms", "heard_ms", "effect", "body"),
    ),
    Vouched(
        COUPON, "coupon_events", ("number",),
        ("number", "at_ms", "event", "campaign", "coupon_id", "code_tail", "cents", "receipt", "reason"),
    ),
    # Not the member, who may be forgotten, and not the state, which follows from the events.
    Vouched(
        COUPON_TERMS, "coupons", ("coupon_id",),
        (
            "coupon_id", "campaign", "sku", "gtin", "code_hash", "code_tail", "title", "discount_cents", "issued_ms",
            "valid_until_ms",
        ),
    ),
    Vouched(DOCUMENT, "documents", ("kind",), ("kind", "body")),
    Vouched(
        STORE, "stores", ("store_id",),
        ("store_id", "name", "region", "timezone", "currency", "h3_cell", "hours", "closed_days"),
    ),
    Vouched(BUDGET, "budgets", ("store_id",), ("store_id", "cents_a_day")),
    Vouched(SUPPLIER, "suppliers", ("supplier",), ("supplier", "body", "changed_ms"), of_chain=True),
    Vouched(
        CAMPAIGN, "campaigns", ("campaign",), ("campaign", "body", "prefix", "key_hex", "salt", "created_ms"),
        of_chain=True,
    ),
    Vouched(
        SWITCH, "kill_switches", ("scope", "target"), ("scope", "target", "on", "who", "reason", "changed_ms"),
        of_chain=True,
    ),
    Vouched(
        PERSON, "people", ("person",), ("person", "password_hash", "role", "reach", "created_ms"), of_chain=True
    ),
    Vouched(
        TOKEN, "tokens", ("token_hash",),
        ("token_hash", "name", "scope", "created_ms", "revoked", "expires_ms", "reach"), of_chain=True,
    ),
    Vouched(KEY, "gateways", ("gateway",), ("gateway", "store_id", "key_hash"), of_chain=True),
    Vouched(
        OUTSIDE_ORDER, "outside_orders", ("order_number", "sku"),
        ("order_number", "sku", "quantity_units", "at_ms", "despatch", "arrives_day", "received_units", "state"),
    ),
    Vouched(
        NOTE_LINE, "delivery_notes", ("note", "sku"),
        (
            "note", "sku", "despatch", "at_ms", "quantity_units", "expected_units", "substitutes", "state", "booked_units",
            "heard_ms", "digest",
        ),
        forgotten="delivery_notes",
    ),
    Vouched(
        LISTING, "assortment", ("sku", "change", "from_ms"),
        ("sku", "change", "from_ms", "pack_units", "min_order_units", "gtin", "applied", "heard_ms"),
    ),
    # Not what was delivered and how it answered.
    Vouched(
        WEBHOOK, "endpoints", ("endpoint",),
        (
            "endpoint", "url", "types", "owner", "secret", "enabled", "created_ms", "old_secret", "old_secret_until_ms",
            "reach",
        ),
        of_chain=True,
    ),
    Vouched(
        BUNDLE, "bundles", ("sha256",), ("sha256", "name", "manifest", "files", "size_bytes", "who", "created_ms"),
        of_chain=True,
    ),
    Vouched(
        ROLLOUT, "rollouts", ("number",),
        (
            "number", "sha256", "name", "mode", "state", "percent", "max_refusals", "who", "reason", "created_ms",
            "changed_ms",
        ),
        of_chain=True,
    ),
)  # fmt: skip
VOUCHED = {kind.action: kind for kind in _KINDS}


@dataclass(frozen=True, slots=True)
class VouchedList:
    """All rows of a store in `table`, by one entry: they are set together. columns: the key first.

    of_supplier: all of a supplier instead, whose entries are in the chain of shops' own chain.
    """

    action: str
    table: str
    columns: tuple[str, ...]
    of_supplier: bool = False

    @property
    def owner(self) -> str:
        """The column that names whose rows they are; an entry's subject is its value."""
        return "supplier" if self.of_supplier else "store_id"

    def shown(self, owner: str) -> str:
        return f"supplier {owner}'s rows in {self.table}" if self.of_supplier else f"the store's {self.table}"


VOUCHED_LISTS = {
    kind.action: kind
    for kind in (
        VouchedList(ITEMS, "items", ("sku", "gtin", "name", "category", "managed")),
        VouchedList(PRICES, "prices", ("sku", "from_ms", "price_cents")),
        VouchedList(SUPPLIER_STOCK, "supplier_stock", ("sku", "available_units", "at_ms"), of_supplier=True),
        VouchedList(SUPPLIER_ARRIVALS, "supplier_arrivals", ("sku", "day", "units"), of_supplier=True),
    )
}

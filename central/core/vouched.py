"""Which rows the audit vouches for, by which of their columns: the last entry about a row holds its digest."""

from collections.abc import Mapping
from dataclasses import dataclass

TRIGGER, STATUS, COUPON = "trigger", "status", "coupon"
"""Actions of entries that are about one row each."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Rows of `table`. subject: the column or columns that name one; columns: what must not change unseen."""

    action: str
    table: str
    subject: tuple[str, ...]
    columns: tuple[str, ...]

    def subject_of(self, row: Mapping[str, object]) -> str:
        return ".".join(str(row[name]) for name in self.subject)

    def about(self, row: Mapping[str, object]) -> dict[str, object]:
        return {name: row[name] for name in self.columns}


VOUCHED = {
    TRIGGER: Vouched(
        TRIGGER, "triggers", ("trigger_id",),
        (
            "trigger_id", "revision", "sku", "gtin", "kind", "supplier", "state", "quantity_units", "pack_units",
            "shipped_units", "received_units", "value_cents", "why", "doubt", "watermark_ms", "bundle", "rule", "inputs",
        ),
    ),
    STATUS: Vouched(
        STATUS, "trigger_statuses", ("trigger_id", "revision", "status"),
        ("trigger_id", "revision", "status", "at_ms", "heard_ms", "effect", "body"),
    ),
    COUPON: Vouched(
        COUPON, "coupon_events", ("number",),
        ("number", "at_ms", "event", "campaign", "coupon_id", "code_tail", "cents", "receipt", "reason"),
    ),
}  # fmt: skip

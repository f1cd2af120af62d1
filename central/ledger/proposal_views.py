"""What people read of proposals: the newest first, with what became of each."""

import json

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from contract.api.proposals import ProposalView

_PROPOSALS = sa.text(
    """SELECT gateway, sku, at_ms, outcome, body FROM proposals WHERE store_id = :store AND at_ms >= :from_ms
    AND (:sku = '' OR sku = :sku) ORDER BY at_ms DESC, gateway, epoch, seq DESC LIMIT :limit OFFSET :skip"""
)


def proposal_page(
    connection: Connection, store: str, sku: str, *, from_ms: int, skip: int, limit: int
) -> list[ProposalView]:
    """sku: "" is all."""
    asked = {"store": store, "sku": sku, "from_ms": from_ms, "skip": skip, "limit": limit}
    return [_view(store, row) for row in connection.execute(_PROPOSALS, asked)]


def _view(store: str, row: sa.Row[tuple[object, ...]]) -> ProposalView:
    told = json.loads(row.body)
    return ProposalView(
        store=store, gateway=row.gateway, sku=row.sku, at_ms=row.at_ms, outcome=row.outcome,
        **{name: told[name] for name in _TOLD},
    )  # fmt: skip


_TOLD = (
    "quantity_units", "on_hand_units", "on_order_units", "target_units", "expected_stock_out_units", "reasons", "doubt",
    "bundle", "watermark_ms",
)  # fmt: skip

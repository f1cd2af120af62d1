"""What gateways proposed to order, and what the centre made of each: why something was ordered, and why nothing was."""

from contract.api.common import ApiModel
from contract.ids import EpochMs


class ProposalView(ApiModel):
    """One proposal of a gateway.

    outcome: what became of it, in words: `approved`, `waiting`, `changed` and `held for the cut-off` name the trigger; `held`,
    `withdrawn`, `merged` and `history` say why no order came of it. doubt: the gateway's own.
    """

    store: str
    gateway: str
    sku: str
    at_ms: EpochMs
    outcome: str
    quantity_units: int
    on_hand_units: int | None
    on_order_units: int
    target_units: float
    expected_stock_out_units: float
    reasons: list[str]
    doubt: str
    bundle: str
    watermark_ms: EpochMs


class OrderingReason(ApiModel):
    """code: no-item, not-managed, no-supply, unlisted, kill-switch, open-order, never-heard, silent, no-forecast, old-forecast,
    stock-unknown, last-proposal, covered or below. text: for a person, with what to do where something is to be done.
    """

    code: str
    text: str


class OrderingView(ApiModel):
    """Why a SKU is not being ordered in a store, or what its order waits for; the weightiest first, never empty."""

    store: str
    sku: str
    reasons: list[OrderingReason]

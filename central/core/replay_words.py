"""What a play is told and asks: hours of demand, goods on their way, people, questions to the order graph, and the orders that it makes."""

from collections.abc import Sequence
from dataclasses import dataclass

from central.core.replay_shelf import Aged
from contract.api.restock import TriggerState
from contract.documents import SupplyLine

APPROVED = (TriggerState.APPROVED, TriggerState.ORDERED, TriggerState.RECEIVED)
"""Of a played order: it went out, or will."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the order graph is to be asked about one SKU. index: of the SKU. arrivals: (days from now, units). See models.order_plan."""

    index: int
    line: SupplyLine
    on_hand: Aged
    arrivals: tuple[tuple[float, float], ...]
    lead_days: float
    cover_days: float
    share_left: float


@dataclass(frozen=True, slots=True)
class Answer:
    """mean_units: of the days from today on. cumulative_quantiles: () where nobody needs the confidence."""

    quantity_units: int
    target_units: float
    least_missing_units: float
    mean_units: Sequence[float]
    cumulative_quantiles: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Coming:
    """What was on its way before the first day, or was ordered by others: known from ordered_ms on, there at arrives_ms."""

    index: int
    units: int
    ordered_ms: int
    arrives_ms: int


@dataclass(frozen=True, slots=True)
class People:
    """How they decide about orders that wait: a yes after wait_ms, or none at all."""

    say_yes: bool = True
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class PlayedHour:
    """sales: (SKU's index, units wanted). open_share: of the hour. share_left: of the day's demand after it.

    found: (SKU's index, units) that turned up (above 0) or were gone: theft, damage, what a count put right.
    """

    start_ms: int
    open_share: float
    share_left: float
    sales: Sequence[tuple[int, int]]
    found: Sequence[tuple[int, int]] = ()


@dataclass(slots=True)
class PlayedOrder:
    """day: index of the one on which it was first decided. on_hand_units: as it was asked with. changed_ms: its newest decision, a rule's
    or a person's. told_ms: when it was said to come; arrives_ms: when it does, short_units fewer than were ordered.
    """

    index: int
    day: int
    state: TriggerState
    quantity_units: int
    value_cents: int
    created_ms: int
    on_hand_units: int
    is_emergency: bool = False
    asked: bool = False
    held_until_ms: int | None = None
    cutoff_ms: int | None = None
    decide_ms: int | None = None
    expires_ms: int = 0
    changed_ms: int = 0
    told_ms: int = 0
    arrives_ms: int = 0
    short_units: int = 0

    @property
    def counts(self) -> bool:
        """It went out, or will."""
        return self.state in APPROVED

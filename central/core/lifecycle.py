"""The states of a restock trigger and the moves between them. An impossible move raises; a late report does not.

proposed ─► approved ─► sent ─► acknowledged ─► ordered ─► shipped ─► received ─► closed
   │ ▲         │          │          │             │          │
   ▼ │         └──────────┴─ superseded, expired, cancelled, rejected (exits)
snoozed
"""

from dataclasses import dataclass

from contract.api.restock import ReportedStatus, TriggerState

_S = TriggerState
PATH = (_S.PROPOSED, _S.APPROVED, _S.SENT, _S.ACKNOWLEDGED, _S.ORDERED, _S.SHIPPED, _S.RECEIVED, _S.CLOSED)
EXITS = frozenset({_S.SUPERSEDED, _S.EXPIRED, _S.CANCELLED, _S.REJECTED})
WAITING = frozenset({_S.PROPOSED, _S.SNOOZED})
ON_ORDER = frozenset({_S.APPROVED, _S.SENT, _S.ACKNOWLEDGED, _S.ORDERED, _S.SHIPPED})
"""States whose quantity is on its way, or will be: it counts as on-order."""
OPEN = WAITING | ON_ORDER
SUPERSEDABLE = frozenset({_S.PROPOSED, _S.SNOOZED, _S.APPROVED, _S.SENT})
"""Before the acknowledgement only: after it the goods may be on a lorry."""

_MOVES: dict[TriggerState, frozenset[TriggerState]] = {
    _S.PROPOSED: frozenset({_S.APPROVED, _S.SNOOZED}) | EXITS,
    _S.SNOOZED: frozenset({_S.PROPOSED, _S.APPROVED}) | EXITS,
    _S.APPROVED: frozenset({_S.SENT, _S.ACKNOWLEDGED, _S.ORDERED, _S.SHIPPED, _S.RECEIVED}) | EXITS,
    _S.SENT: frozenset({_S.ACKNOWLEDGED, _S.ORDERED, _S.SHIPPED, _S.RECEIVED}) | EXITS,
    _S.ACKNOWLEDGED: frozenset({_S.ORDERED, _S.SHIPPED, _S.RECEIVED, _S.EXPIRED, _S.CANCELLED, _S.REJECTED}),
    _S.ORDERED: frozenset({_S.SHIPPED, _S.RECEIVED, _S.EXPIRED, _S.CANCELLED, _S.REJECTED}),
    _S.SHIPPED: frozenset({_S.RECEIVED, _S.EXPIRED, _S.CANCELLED}),
    _S.RECEIVED: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
    **{state: frozenset() for state in EXITS},
}


class ImpossibleMoveError(ValueError):
    """The caller asked for a move that no state table allows."""


@dataclass(frozen=True, slots=True)
class Moved:
    state: TriggerState


@dataclass(frozen=True, slots=True)
class Agreed:
    """The acknowledged order's change is accepted: its state stays, its newest revision counts."""


@dataclass(frozen=True, slots=True)
class ChangeRefused:
    """The acknowledged order's change is not accepted: the revision agreed before counts."""


@dataclass(frozen=True, slots=True)
class Late:
    """The report is true but old news, or the trigger has ended: it is kept, and moves nothing."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The report cannot be: the trigger was never sent, or the revision does not exist."""

    why: str


def move(state: TriggerState, to: TriggerState) -> TriggerState:
    """`to`. Raises ImpossibleMoveError when the table has no such move."""
    if to not in _MOVES[state]:
        allowed = ", ".join(sorted(_MOVES[state])) or "nothing: it has ended"
        raise ImpossibleMoveError(f"a trigger that is {state} cannot become {to}; possible: {allowed}")
    return to


def can_move(state: TriggerState, to: TriggerState) -> bool:
    return to in _MOVES[state]


Verdict = Moved | Agreed | ChangeRefused | Late | Refused


def judge_report(
    state: TriggerState,
    current_revision: int,
    revision: int,
    status: ReportedStatus,
    agreed_revision: int | None = None,
    *,
    is_held: bool = False,
    was_refused: bool = False,
) -> Verdict:
    """What a reported status does to a trigger in `state`.

    agreed_revision: the one acknowledged; a newer one is a change that was asked for, and may be taken or not.
    is_held: approved, and its supplier's cut-off is still to come. was_refused: this revision was rejected before.
    """
    to = TriggerState(status.value)
    changing = agreed_revision is not None and agreed_revision < current_revision and state in ON_ORDER
    if revision > current_revision:
        return Refused(f"revision {revision} does not exist; the newest is {current_revision}")
    if state in WAITING:
        return Refused(f"the trigger is {state} and was never sent; it waits for a person at HQ")
    if is_held:
        return Refused("the trigger waits for its supplier's cut-off and was not sent yet")
    if changing and revision == current_revision and to is state and was_refused:
        return Late(f"revision {revision} was refused before; the quantity agreed before it counts")
    if changing and revision == current_revision and to is TriggerState.REJECTED:
        return ChangeRefused()
    if changing and revision == current_revision and to is state:
        return Agreed()
    if revision < current_revision and not (changing and revision == agreed_revision):
        return Late(f"answers revision {revision}; the newest is {current_revision}")
    if to in _MOVES[state]:
        return Moved(to)
    return Late(f"the trigger is already {state}")

"""Which store gets which bundle: decided from the roll-outs and a hash, the same wherever and whenever it is computed."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from central.core.verdict import difference
from contract.api.rollouts import RolloutMode, RolloutState

BUCKETS = 10_000
MIN_DAYS, MIN_SKU_DAYS = 3, 200
"""Evidence that a candidate is promoted on; less is an opinion."""


@dataclass(frozen=True, slots=True)
class Rollout:
    number: int
    sha256: str
    name: str
    mode: RolloutMode
    state: RolloutState
    percent: int


@dataclass(frozen=True, slots=True)
class Ref:
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """None: the bundle that the gateway was installed with; no candidate."""

    current: Ref | None = None
    candidate: Ref | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """Sums of contract.records.ModelScore over stores and days."""

    bundle: str
    stores: int
    days: int
    sku_days: int
    units: int
    mean_units: float
    pinball: float
    inside_80: int
    inside_95: int

    def wql(self, levels: int) -> float | None:
        return 2 * self.pinball / (levels * self.units) if self.units else None


TRANSITIONS: dict[tuple[RolloutState, str], RolloutState] = {
    (RolloutState.RUNNING, "widen"): RolloutState.RUNNING,
    (RolloutState.RUNNING, "halt"): RolloutState.HALTED,
    (RolloutState.HALTED, "resume"): RolloutState.RUNNING,
    (RolloutState.RUNNING, "roll-back"): RolloutState.ROLLED_BACK,
    (RolloutState.HALTED, "roll-back"): RolloutState.ROLLED_BACK,
    (RolloutState.RUNNING, "promote"): RolloutState.PROMOTED,
}


def next_state(rollout: Rollout, action: str, percent: int | None) -> RolloutState:
    """The state after `action`. Raises ValueError that says why it cannot be, and what can."""
    after = TRANSITIONS.get((rollout.state, action))
    if after is None:
        can = sorted(act for state, act in TRANSITIONS if state is rollout.state)
        raise ValueError(
            f"roll-out {rollout.number} is {rollout.state}; it cannot {action}, only {' or '.join(can) or 'nothing'}"
        )
    if action == "promote" and rollout.mode is not RolloutMode.SHADOW:
        raise ValueError(f"roll-out {rollout.number} is live already; widen it")
    if action == "widen" and (percent is None or percent <= rollout.percent):
        raise ValueError(
            f"roll-out {rollout.number} stands at {rollout.percent} %; widen to more, or roll back"
        )
    return after


def share_of(number: int, store: str) -> float:
    """Where the store stands in the roll-out's order, 0 to 100: it is in when its percentage is above."""
    digest = hashlib.sha256(f"{number}/{store}".encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS * 100 / BUCKETS


def is_in(rollout: Rollout, store: str) -> bool:
    return share_of(rollout.number, store) < rollout.percent


def wanted_of(store: str, rollouts: Sequence[Rollout], has: Collection[str]) -> Wanted:
    """What the store's gateways should run. rollouts: oldest first. has: the bundles that the store has spoken of.

    The newest live roll-out that reaches the store wins; one that is halted keeps those that have it already.
    """
    current: Ref | None = None
    candidate: Ref | None = None
    for rollout in rollouts:
        if not is_in(rollout, store) or rollout.state in (RolloutState.ROLLED_BACK, RolloutState.PROMOTED):
            continue
        if rollout.state is RolloutState.HALTED and rollout.sha256 not in has:
            continue
        ref = Ref(rollout.name, rollout.sha256)
        if rollout.mode is RolloutMode.LIVE:
            current = ref
        elif rollout.state is RolloutState.RUNNING:
            candidate = ref
    return Wanted(current, candidate if candidate != current else None)


def advice_on(
    current: Score | None, candidate: Score | None, days: Sequence[tuple[float, float]], levels: int
) -> tuple[bool, str]:
    """(whether the evidence is for the candidate, what it says). days: (current's pinball, candidate's) of each day.

    For it is a difference whose whole interval is below nothing: a tenth of a percent over three days is luck.
    """
    if current is None or candidate is None:
        return False, "no day was scored yet; a day's sales are known some hours after it ends"
    if candidate.days < MIN_DAYS or candidate.sku_days < MIN_SKU_DAYS:
        return False, (
            f"{candidate.days} days with {candidate.sku_days} SKU-days are too few;"
            f" {MIN_DAYS} days with {MIN_SKU_DAYS} are asked for"
        )
    mine, theirs, apart = candidate.wql(levels), current.wql(levels), difference(days)
    if mine is None or theirs is None or apart is None:
        return False, "nothing was sold on the days that were scored"
    told = (
        f"WQL {mine:.3f} against {theirs:.3f} ({apart.percent:+.1f} %, with 95 % of days {apart.low:+.1f} to"
        f" {apart.high:+.1f} %) over {candidate.sku_days} SKU-days"
    )
    if apart.is_better:
        return True, f"better: {told}"
    return False, f"worse: {told}" if apart.is_worse else f"not told apart yet, wait for more days: {told}"

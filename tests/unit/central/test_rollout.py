"""Which store gets which bundle: the same everywhere, growing only, and taken back whole."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.rollout import (
    MIN_DAYS,
    TRANSITIONS,
    Ref,
    Rollout,
    Score,
    Wanted,
    advice_on,
    is_in,
    next_state,
    share_of,
    wanted_of,
)
from central.core.verdict import difference
from contract.api.rollouts import RolloutMode, RolloutState
from contract.records import QUANTILE_LEVELS

LIVE, SHADOW = RolloutMode.LIVE, RolloutMode.SHADOW
STORES = [f"store-{n}" for n in range(2000)]


def rollout(number=1, percent=100, mode=LIVE, state=RolloutState.RUNNING, bundle="a"):
    return Rollout(number, bundle * 64, f"{bundle}@1", mode, state, percent)


def ref(bundle):
    return Ref(f"{bundle}@1", bundle * 64)


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 99, 100])
def test_a_share_is_about_its_percentage_of_the_stores(percent):
    inside = sum(is_in(rollout(percent=percent), store) for store in STORES)
    assert abs(inside - percent * 20) <= (0 if percent in (0, 100) else 100)


@given(st.sampled_from(STORES), st.integers(1, 50), st.integers(0, 100), st.integers(0, 100))
def test_widening_only_adds_stores(store, number, one, other):
    low, high = sorted((one, other))
    if is_in(rollout(number, low), store):
        assert is_in(rollout(number, high), store)


def test_each_roll_out_begins_with_other_stores():
    first = {store for store in STORES if is_in(rollout(1, 5), store)}
    second = {store for store in STORES if is_in(rollout(2, 5), store)}
    assert len(first & second) < len(first) / 2
    assert share_of(1, "store-7") == pytest.approx(8.97)  # the same on every machine and in every version


def test_the_newest_live_roll_out_that_reaches_a_store_wins_and_going_back_brings_the_one_before():
    older, newer = rollout(1, bundle="a"), rollout(2, bundle="b")
    assert wanted_of("s", [older, newer], ()) == Wanted(ref("b"))
    back = rollout(2, bundle="b", state=RolloutState.ROLLED_BACK)
    assert wanted_of("s", [older, back], {"b" * 64}) == Wanted(ref("a"))
    assert wanted_of("s", [back], {"b" * 64}) == Wanted()


def test_a_halted_roll_out_stays_where_it_is_and_reaches_nobody_else():
    halted = rollout(2, bundle="b", state=RolloutState.HALTED)
    assert wanted_of("s", [rollout(1), halted], {"b" * 64}) == Wanted(ref("b"))
    assert wanted_of("s", [rollout(1), halted], ()) == Wanted(ref("a"))


def test_a_shadow_is_a_candidate_beside_what_is_live_and_never_itself_twice():
    shadow = rollout(2, bundle="b", mode=SHADOW)
    assert wanted_of("s", [rollout(1), shadow], ()) == Wanted(ref("a"), ref("b"))
    assert wanted_of("s", [shadow, rollout(3, bundle="b")], ()) == Wanted(ref("b"))
    over = rollout(2, bundle="b", mode=SHADOW, state=RolloutState.PROMOTED)
    assert wanted_of("s", [rollout(1), over], ()) == Wanted(ref("a"))


@pytest.mark.parametrize("state", list(RolloutState))
@pytest.mark.parametrize("action", ["widen", "halt", "resume", "roll-back", "promote"])
def test_an_impossible_step_says_what_can_be_done(state, action):
    mode = SHADOW if action == "promote" else LIVE
    one = rollout(state=state, percent=10, mode=mode)
    if (state, action) in TRANSITIONS:
        assert next_state(one, action, 20) is TRANSITIONS[state, action]
    else:
        with pytest.raises(ValueError, match=f"roll-out 1 is {state}; it cannot {action}, only "):
            next_state(one, action, 20)


def test_widening_to_less_and_promoting_what_is_live_are_refused():
    with pytest.raises(ValueError, match="stands at 10 %"):
        next_state(rollout(percent=10), "widen", 10)
    with pytest.raises(ValueError, match="is live already"):
        next_state(rollout(), "promote", None)


def score(pinball, days=MIN_DAYS, sku_days=300):
    return Score("x@1", 2, days, sku_days, 500, 500.0, pinball, 240, 280)


STEADY = [(30.0, 27.0), (40.0, 36.2), (30.0, 26.8)]
WAVERING = [(30.0, 20.0), (40.0, 45.0), (30.0, 25.0)]


@pytest.mark.parametrize(
    ("current", "candidate", "days", "may", "says"),
    [
        (None, None, [], False, "no day was scored yet"),
        (
            score(100.0),
            score(90.0),
            STEADY,
            True,
            "better: WQL 0.040 against 0.044 (-10.0 %, with 95 % of days -11.5 to -8.5 %)",
        ),
        (
            score(100.0),
            score(90.0),
            WAVERING,
            False,
            "not told apart yet, wait for more days: WQL 0.040 against 0.044 (-10.0 %",
        ),
        (score(100.0), score(99.9), [(50.0, 49.9), (20.0, 19.0), (30.0, 31.0)], False, "not told apart yet"),
        (
            score(100.0),
            score(110.0),
            [(a, 2 * a - b) for a, b in STEADY],
            False,
            "worse: WQL 0.049 against 0.044 (+10.0 %",
        ),
        (
            score(100.0, days=2),
            score(90.0, days=2),
            STEADY[:2],
            False,
            "2 days with 300 SKU-days are too few",
        ),
        (score(100.0, sku_days=50), score(90.0, sku_days=50), STEADY, False, "are too few"),
    ],
)
def test_evidence_is_the_same_days_enough_of_them_and_surely_better(current, candidate, days, may, says):
    found, advice = advice_on(current, candidate, days, len(QUANTILE_LEVELS))
    assert found is may
    assert says in advice


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says():
    """Candidates that are as good as the current one: some 5 in 100 seem surely better or worse, whatever a day is like."""
    random = Random(7)
    sure = 0
    for _ in range(2000):
        hard = [random.lognormvariate(4, 0.6) for _ in range(7)]
        found = difference([(day, day * random.gauss(1, 0.05)) for day in hard])
        assert found is not None
        assert found.low <= found.percent <= found.high
        sure += found.is_better or found.is_worse
    assert 0.02 < sure / 2000 < 0.12
    assert difference([(1.0, 2.0)]) is None
    assert difference([(0.0, 0.0), (0.0, 0.0)]) is None

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.core.lifecycle import (
    EXITS,
    OPEN,
    PATH,
    Agreed,
    ChangeRefused,
    ImpossibleMoveError,
    Late,
    Moved,
    Refused,
    can_move,
    judge_report,
    move,
)
from contract.api.restock import ReportedStatus, TriggerState

REPORTS = st.lists(st.tuples(st.sampled_from(ReportedStatus), st.integers(1, 2)), max_size=12)


@given(REPORTS)
def test_reports_in_any_order_never_move_a_trigger_backwards(
    reports: list[tuple[ReportedStatus, int]],
) -> None:
    state = TriggerState.SENT
    for status, revision in reports:
        verdict = judge_report(state, 2, revision, status)
        if isinstance(verdict, Moved):
            assert revision == 2
            assert verdict.state in EXITS or PATH.index(verdict.state) > PATH.index(state)
            state = verdict.state
        else:
            assert isinstance(verdict, Late)


@given(st.sampled_from(TriggerState), st.sampled_from(TriggerState))
def test_a_move_is_possible_or_raises(state: TriggerState, to: TriggerState) -> None:
    if can_move(state, to):
        assert move(state, to) is to
        return
    with pytest.raises(ImpossibleMoveError, match=f"{state} cannot become {to}"):
        move(state, to)


def test_what_has_ended_stays_ended() -> None:
    for state in (*EXITS, TriggerState.CLOSED):
        assert not any(can_move(state, to) for to in TriggerState)
        assert isinstance(judge_report(state, 1, 1, ReportedStatus.SHIPPED), Late)


def test_after_the_acknowledgement_nothing_is_superseded() -> None:
    for state in (TriggerState.ACKNOWLEDGED, TriggerState.ORDERED, TriggerState.SHIPPED):
        assert not can_move(state, TriggerState.SUPERSEDED)


def test_a_trigger_that_was_never_sent_takes_no_report() -> None:
    verdict = judge_report(TriggerState.PROPOSED, 1, 1, ReportedStatus.ACKNOWLEDGED)
    assert isinstance(verdict, Refused)
    assert "never sent" in verdict.why


def test_a_revision_that_does_not_exist_is_refused() -> None:
    assert isinstance(judge_report(TriggerState.SENT, 1, 2, ReportedStatus.ACKNOWLEDGED), Refused)


def test_every_state_is_open_ended_or_on_the_way_there() -> None:
    assert OPEN | EXITS | {TriggerState.RECEIVED, TriggerState.CLOSED} == set(TriggerState)


def test_the_documented_table_is_the_one_that_runs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "restock.md").read_text()
    rows = re.findall(r"^\| ([a-z]+) \| ([a-z, ]+) \|$", page, re.MULTILINE)
    told = {state: sorted(moves.split(", ")) for state, moves in rows if state != "from"}
    runs = {
        state.value: sorted(to.value for to in TriggerState if can_move(state, to)) for state in TriggerState
    }
    assert told == {state: moves for state, moves in runs.items() if moves}


def test_a_change_is_taken_refused_or_passed_over() -> None:
    state = TriggerState.ACKNOWLEDGED
    assert isinstance(judge_report(state, 2, 2, ReportedStatus.ACKNOWLEDGED, 1), Agreed)
    assert isinstance(judge_report(state, 2, 2, ReportedStatus.REJECTED, 1), ChangeRefused)
    assert judge_report(state, 2, 1, ReportedStatus.ORDERED, 1) == Moved(TriggerState.ORDERED)
    assert isinstance(judge_report(state, 2, 1, ReportedStatus.ORDERED), Late)
    assert isinstance(judge_report(TriggerState.SENT, 2, 1, ReportedStatus.ACKNOWLEDGED, None), Late)

"""When processes die, how far a step goes, what settings say: pure plans."""

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from simulator.orchestrator.broker import mosquitto_config
from simulator.orchestrator.chaos import KINDS, Kill, Reaper, plan_kills
from simulator.orchestrator.pace import LEAP_MS, STEP_MS, next_stop_ms
from simulator.orchestrator.settings_files import toml_from_settings

NAMES = {kind: [f"{kind}-1", f"{kind}-2"] for kind in KINDS}


@given(st.integers(), st.integers(100, 20_000), st.integers(5, 60))
def test_a_plan_kills_every_kind_equally_often_and_in_order(seed: int, receipts: int, kills: int) -> None:
    plan = plan_kills(seed, receipts, NAMES, kills)
    assert len(plan) == kills
    assert [kill.after_receipts for kill in plan] == sorted(kill.after_receipts for kill in plan)
    assert all(kill.after_receipts < receipts for kill in plan)
    times = [sum(kill.name.startswith(kind) for kill in plan) for kind in KINDS]
    assert max(times) - min(times) <= 1


def test_a_seed_is_a_plan() -> None:
    assert plan_kills(7, 1000, NAMES) == plan_kills(7, 1000, NAMES)
    assert plan_kills(7, 1000, NAMES) != plan_kills(8, 1000, NAMES)


def test_a_kill_waits_for_its_receipt_and_its_moment() -> None:
    killed: list[str] = []

    def kill(name: str) -> int:
        killed.append(name)
        return 1

    reaper = Reaper([Kill("edge-1", 10, 0.5), Kill("central", 10, 1.0)], kill)
    reaper.begin_step(9)
    reaper.while_sending()
    reaper.on_pending(0)
    assert killed == []
    reaper.begin_step(10)
    reaper.while_sending()
    reaper.on_pending(8)
    assert killed == []
    reaper.on_pending(4)
    assert killed == ["edge-1"]
    reaper.on_pending(0)
    assert killed == ["edge-1"]
    reaper.begin_step(11)
    reaper.while_sending()
    assert killed == ["edge-1", "central"]
    assert (reaper.total, reaper.left) == (2, 0)


def test_kills_that_a_run_is_too_short_for_are_left_over() -> None:
    reaper = Reaper([Kill("edge-1", 10, 0.5), Kill("central", 20, 1.0)], lambda _: 1)
    reaper.begin_step(15)
    reaper.on_pending(8)
    assert reaper.left == 2
    reaper.on_pending(4)
    assert reaper.left == 1


def test_a_process_that_is_down_already_is_struck_later() -> None:
    pids = iter([0, 0, 4711])
    reaper = Reaper([Kill("edge-1", 0, 1.0)], lambda _: next(pids))
    reaper.begin_step(0)
    reaper.while_sending()
    reaper.on_pending(3)
    assert reaper.total == 0
    reaper.on_pending(3)
    assert reaper.total == 1


@given(
    st.integers(0, 10**6),
    st.none() | st.integers(0, 10**9),
    st.lists(st.integers(0, 10**8), max_size=3),
    st.integers(1, 10**8),
)
def test_a_step_goes_on_and_never_past_an_appointment(
    now_ms: int, event_ms: int | None, appointments: list[int], length_ms: int
) -> None:
    end_ms = now_ms + length_ms
    stop_ms = next_stop_ms(now_ms, event_ms, tuple(appointments), end_ms)
    assert now_ms < stop_ms <= min(end_ms, now_ms + LEAP_MS)
    assert not any(now_ms < at_ms < stop_ms for at_ms in appointments)


def test_quiet_hours_are_leapt_over_up_to_what_happens_next() -> None:
    assert next_stop_ms(0, 5, (), 10**9) == STEP_MS
    assert next_stop_ms(0, STEP_MS + 7, (), 10**9) == STEP_MS + 7
    assert next_stop_ms(0, None, (), 10**9) == LEAP_MS


def test_settings_are_read_back_as_they_were_written() -> None:
    settings = {
        "text": 'a "quoted" \\ path', "number": 7, "share": 0.5, "on": True, "list": [0.0, 5.0],
        "ports": [{"path": "/x/till-2"}], "devices": {"mcu-till-2": "till-2"},
    }  # fmt: skip
    assert tomllib.loads(toml_from_settings(settings)) == settings


def test_the_broker_listens_on_loopback_alone() -> None:
    config = mosquitto_config(Path("/tmp/x"), 1884)
    listeners = [line for line in config.splitlines() if line.startswith("listener")]
    assert listeners == ["listener 1884 127.0.0.1"]
    assert "max_queued_messages" in config
    assert "persistence true" in config

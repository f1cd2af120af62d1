"""One suite for whoever says what time it is: the system's clock, and a simulation's that stands or runs."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runtime.clock import Clock, ClockOwner, SharedClock, SystemClock

SLACK_MS = 20_000
"""What a busy machine may lose between two looks; a unit that is wrong is off by a factor of 1,000."""
GRAIN_MS = 5


@pytest.fixture(params=["system", "shared, running", "shared, running 600 times as fast", "shared, standing"])
def clock(request: pytest.FixtureRequest, tmp_path: Path) -> Clock:
    """Each is set to the system's time, as far as it can be set."""
    if request.param == "system":
        return SystemClock()
    owner = ClockOwner(tmp_path / "clock", SystemClock().now_ms())
    if "running" in request.param:
        owner.run_from(SystemClock().now_ms(), 600.0 if "600" in request.param else 1.0)
    return SharedClock(tmp_path / "clock")


@pytest.fixture(params=["system", "shared"])
def at_real_speed(request: pytest.FixtureRequest, tmp_path: Path) -> Clock:
    if request.param == "system":
        return SystemClock()
    ClockOwner(tmp_path / "clock", 0).run_from(SystemClock().now_ms(), 1.0)
    return SharedClock(tmp_path / "clock")


def _until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline


def test_now_is_a_whole_number_of_milliseconds_since_1970(clock: Clock) -> None:
    now_ms = clock.now_ms()
    assert type(now_ms) is int
    assert 2025 <= datetime.fromtimestamp(now_ms / 1000, UTC).year < 2100


def test_now_never_goes_back(clock: Clock) -> None:
    seen = [clock.now_ms() for _ in range(20_000)]
    assert seen == sorted(seen)


def test_now_never_goes_back_for_threads_that_share_a_clock(clock: Clock) -> None:
    wrong: list[tuple[int, int]] = []
    latest = [clock.now_ms()]

    def look() -> None:
        for _ in range(3_000):
            before = latest[0]
            after = clock.now_ms()
            if after < before:
                wrong.append((before, after))
            latest[0] = after

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_clock_at_real_speed_goes_a_millisecond_a_millisecond(at_real_speed: Clock) -> None:
    """Each look at it stands between two at another clock: however long this machine pauses, the bounds hold."""
    before, began_ms, after = time.monotonic(), at_real_speed.now_ms(), time.monotonic()
    _until(lambda: at_real_speed.now_ms() >= began_ms + 50)
    then, ended_ms, finally_ = time.monotonic(), at_real_speed.now_ms(), time.monotonic()
    passed_ms = ended_ms - began_ms
    assert (then - after) * 1000 - GRAIN_MS <= passed_ms <= (finally_ - before) * 1000 + GRAIN_MS


def test_clocks_at_real_speed_agree(at_real_speed: Clock) -> None:
    before_ms = SystemClock().now_ms()
    now_ms = at_real_speed.now_ms()
    assert before_ms - SLACK_MS <= now_ms <= SystemClock().now_ms() + 50


def test_two_readers_of_one_simulation_agree(tmp_path: Path) -> None:
    owner = ClockOwner(tmp_path / "clock", 1_790_000_000_000)
    readers: list[Clock] = [owner, SharedClock(tmp_path / "clock"), SharedClock(tmp_path / "clock")]
    assert {reader.now_ms() for reader in readers} == {1_790_000_000_000}
    owner.run_from(1_790_000_000_000, 600.0)
    first, second, third = (reader.now_ms() for reader in readers)
    assert first <= second <= third <= owner.now_ms()

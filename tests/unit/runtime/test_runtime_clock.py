"""The shop's clock: one file that a simulator owns and all processes follow."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.clock import ClockOwner, SharedClock, SystemClock, clock_from_setting
from runtime.errors import OperatorError

START_MS = 1_790_000_000_000


def test_a_new_clock_stands_at_its_start(tmp_path: Path) -> None:
    owner = ClockOwner(tmp_path / "clock", START_MS)
    assert SharedClock(tmp_path / "clock").now_ms() == START_MS == owner.now_ms()


def test_a_standing_clock_shows_what_it_was_set_to(tmp_path: Path) -> None:
    owner = ClockOwner(tmp_path / "clock", START_MS)
    reader = SharedClock(tmp_path / "clock")
    for now_ms in (START_MS + 1, START_MS + 86_400_000, START_MS):
        owner.stand_at(now_ms)
        assert reader.now_ms() == now_ms
        assert reader.now_ms() == now_ms


def test_a_running_clock_goes_by_its_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = 5_000_000_000
    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns)
    owner = ClockOwner(tmp_path / "clock", START_MS)
    reader = SharedClock(tmp_path / "clock")
    owner.run_from(START_MS, 600.0)
    now_ns += 100_000_000
    assert reader.now_ms() == START_MS + 60_000
    owner.run_from(START_MS + 60_000, 1.0)
    now_ns += 2_000_000_000
    assert reader.now_ms() == START_MS + 62_000


def test_another_process_reads_the_same_time(tmp_path: Path) -> None:
    ClockOwner(tmp_path / "clock", START_MS).stand_at(START_MS + 12_345)
    code = f"from runtime.clock import clock_from_setting; print(clock_from_setting({str(tmp_path / 'clock')!r}).now_ms())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == START_MS + 12_345


def test_a_reader_never_sees_half_a_change(tmp_path: Path) -> None:
    """The writer sets times and scales that agree; a torn read would show a time of another setting."""
    path = tmp_path / "clock"
    ClockOwner(path, START_MS)
    code = (
        "import sys; from pathlib import Path; from runtime.clock import SharedClock\n"
        f"clock = SharedClock(Path({str(path)!r})); print('ready', flush=True)\n"
        "bad = 0\n"
        "for _ in range(150_000):\n"
        f"    bad += (clock.now_ms() - {START_MS}) % (1 << 33) != 0\n"
        "sys.exit(bad != 0)\n"
    )
    owner = ClockOwner(path, START_MS)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        flip = 0
        while reader.poll() is None:
            owner.stand_at(START_MS + (flip << 33))  # low and high words of the two differ
            flip ^= 1
    assert reader.returncode == 0


def test_a_clock_file_that_is_none_stops_the_start_by_name(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="start the simulator first"):
        clock_from_setting(str(tmp_path / "absent"))
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"x" * 100)
    with pytest.raises(OperatorError, match="not a clock file"):
        clock_from_setting(str(wrong))
    (tmp_path / "empty").touch()
    with pytest.raises(OperatorError, match="clock_file"):
        clock_from_setting(str(tmp_path / "empty"))


def test_an_empty_setting_is_the_systems_clock() -> None:
    clock = clock_from_setting("")
    assert isinstance(clock, SystemClock)
    assert abs(clock.now_ms() - time.time() * 1000) < 5_000

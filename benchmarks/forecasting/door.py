"""`shelfloop models forecast --train` as a process of its own: its time and memory, at full size and as the chain grows.

As it grows, `models train --form heavy` beside it, back-testing included: in one part, in parts of whole stores, and the
same parts over a Ray cluster of this machine's cores.
"""

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.forecasting.plan import SEED, Bench, say
from benchmarks.forecasting.sets import M5, M5_DAYS, m5

Row = dict[str, Any]
DAYS = 28
DOOR_SECONDS, DOOR_GB = 900, 8
GROWTH = (1_000, 3_000, 10_000, 30_490)
QUICK_GROWTH = (200, 500, 1_500)
PARTITIONS = 5
"""Of M5's ten shops: two in each."""


@dataclass(frozen=True, slots=True)
class Cost:
    """wall_s and cpu_s of the process, reading and writing included; its peak memory."""

    wall_s: float
    cpu_s: float
    peak_gb: float


def door_rows(bench: Bench) -> list[Row]:
    """All series that the run has, M5's 447 days, 28 days ahead, training included."""
    data = m5(bench.data, bench.cache, bench.size.m5_series, SEED)
    cost = _cost(bench, data, bench.size.recipe.draw.rows)
    what = f"models forecast --train, {data.panel.n_series} series x {M5_DAYS} -> {DAYS} days"
    return [
        _row(f"{what}: time", cost.wall_s, "s", DOOR_SECONDS),
        _row(f"{what}: processor time", cost.cpu_s, "s", None),
        _row(f"{what}: peak memory", cost.peak_gb, "GB", DOOR_GB),
    ]


def growth_rows(bench: Bench) -> list[Row]:
    """For a part of the series and in proportion of the examples: what a larger chain costs, in one process and in parts."""
    sizes = QUICK_GROWTH if bench.size.m5_series is not None else GROWTH
    whole = bench.size.recipe.draw.rows
    rows = []
    for size in sizes:
        cost = _cost(bench, m5(bench.data, bench.cache, size, SEED), max(2000, whole * size // sizes[-1]))
        what = f"growth, {size} series x {M5_DAYS} days"
        rows += [
            _row(f"{what}: time", cost.wall_s, "s", None),
            _row(f"{what}: processor time", cost.cpu_s, "s", None),
            _row(f"{what}: peak memory", cost.peak_gb, "GB", None),
        ]
        rows += _training_rows(
            bench, m5(bench.data, bench.cache, size, SEED), max(2000, whole * size // sizes[-1])
        )
    return rows


def _training_rows(bench: Bench, data: M5, examples: int) -> list[Row]:
    """models train --form heavy: fitted, scored on two evenings beside its peers, saved."""
    parted = ["--partitions", str(PARTITIONS)]
    ways = {
        "one part": [],
        f"{PARTITIONS} parts": parted,
        f"{PARTITIONS} parts over Ray": [*parted, "--ray", "local"],
    }
    if importlib.util.find_spec("ray") is None:
        say("NO Ray: its rows are missing; pip install -c constraints.txt '.[ray]'")
        ways.popitem()
    fit, rows = bench.size.recipe.fit, []
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder, "h.parquet")
        pq.write_table(_long_table(data, 0, M5_DAYS), history)
        for name, words in ways.items():
            what = f"growth, {data.panel.n_series} series, training and back-test in {name}"
            say(what)
            cost = _run(
                ["train", str(Path(folder, name)), "--form", "heavy", "--table", str(history), "--rows", str(examples),
                 "--networks", str(fit.networks), "--epochs", str(fit.epochs), *words]
            )  # fmt: skip
            rows += [
                _row(f"{what}: time", cost.wall_s, "s", None),
                _row(f"{what}: processor time", cost.cpu_s, "s", None),
                _row(f"{what}: peak memory", cost.peak_gb, "GB", None),
            ]
    return rows


def _cost(bench: Bench, data: M5, rows: int) -> Cost:
    fit = bench.size.recipe.fit
    with tempfile.TemporaryDirectory() as folder:
        history, future, out = (Path(folder, name) for name in ("h.parquet", "f.parquet", "o.parquet"))
        pq.write_table(_long_table(data, 0, M5_DAYS), history)
        pq.write_table(pa.table({"date": [data.panel.day(M5_DAYS + n) for n in range(DAYS)]}), future)
        say(f"the door: {data.panel.n_series} series x {M5_DAYS} days -> {DAYS} days, training included")
        return _run(
            ["forecast", "--history", str(history), "--future", str(future), "--horizon", str(DAYS), "--out", str(out),
             "--train", "--rows", str(rows), "--networks", str(fit.networks), "--epochs", str(fit.epochs)]
        )  # fmt: skip


def _run(words: list[str]) -> Cost:
    """`shelfloop models …`, and what it started: a Ray cluster's workers are processes of their own."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "models", *words], stdout=sys.stderr, cwd=Path(__file__).parents[2],
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    peak_kb, together, ended = 0, 0.0, 0
    of_each: dict[int, float] = {}
    while not ended:
        peak_kb = max(peak_kb, _peak_kb(process.pid))
        together = max(together, _memory_of_all(process.pid, of_each))
        time.sleep(0.2)
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"models {words[0]} ended with {process.returncode}; its words are above")
    # With others the sum of what was seen of each: what was waited for would count twice.
    cpu_s = sum(of_each.values()) or used.ru_utime + used.ru_stime
    return Cost(time.monotonic() - start, cpu_s, max(peak_kb / 1024**2, together))


def _peak_kb(pid: int) -> int:
    """Not ru_maxrss, which a child inherits from whoever started it."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def _memory_of_all(pid: int, cpu_s: dict[int, float]) -> float:
    """GB that the process and its descendants hold, what they share counted once; notes each one's time in cpu_s.

    0 while there is none: looking costs time of its own.
    """
    out = 0.0
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(pid)
        others = first.children(recursive=True)
        for each in [first, *others] if others or cpu_s else []:
            with contextlib.suppress(psutil.Error):
                used = each.cpu_times()
                cpu_s[each.pid] = used.user + used.system
                out += each.memory_full_info().pss / 1024**3
    return out


def _long_table(data: M5, first: int, last: int) -> pa.Table:
    units = data.panel.units[:, first:last]
    series, day = np.nonzero(~np.isnan(units))
    dates = pa.array([data.panel.day(first + n) for n in range(last - first)])
    columns = {name: pa.array(data.words[word]).dictionary_encode() for name, word in (("store", "store"), ("sku", "item"), ("dept", "dept"))}  # fmt: skip
    taken = {name: values.take(pa.array(series)).cast(pa.string()) for name, values in columns.items()}
    return pa.table({**taken, "date": dates.take(pa.array(day)), "units": units[series, day]})


def _row(name: str, value: float, unit: str, goal: float | None) -> Row:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "goal": goal,
        "better": "lower",
        "peers": {},
    }

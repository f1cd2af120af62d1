"""The rows of the table: each figure with its goal and, in the same run, its peers."""

from typing import Any

import numpy as np

from benchmarks.forecasting.hidden import hidden_stock_outs
from benchmarks.forecasting.measures import BANDS, SPL_LEVELS, bias, coverage, pit, spl, wape, wql, wrmsse
from benchmarks.forecasting.methods import BARE, GATEWAY, HEAVY, methods_of, sums_of
from benchmarks.forecasting.plan import SEED, Bench, say
from benchmarks.forecasting.sets import FRESH_DAYS, M5_DAYS, fresh, m5
from benchmarks.forecasting.sums import SUM_DAYS, sold_sums
from models.panel import Panel

Row = dict[str, Any]
EVENINGS, EVENING_DAYS, LAST_DAYS = (391, 405, 419, 433), 14, 28
FRESH_EVENINGS, FRESH_HORIZON = (62, 69), 7
COVERAGE_GOAL = 0.01
STRETCH = 0.56
"""Of the twelve levels' WRMSSE: what is asked for where it can be had."""


def m5_evening_rows(bench: Bench) -> list[Row]:
    """Four evenings, fourteen days each."""
    data = m5(bench.data, bench.cache, bench.size.m5_series, SEED)
    past = data.panel.before(EVENINGS[0])
    methods = methods_of(bench, "m5-evenings", past, LAST_DAYS)
    order = np.argsort(-np.nansum(past.units, axis=1), kind="stable")
    rest = np.random.default_rng(SEED).choice(order[bench.size.top :], bench.size.rest, replace=False)
    chosen = np.concatenate([order[: bench.size.top], rest])
    parts = {
        f"top {bench.size.top}": slice(0, bench.size.top),
        f"random {bench.size.rest}": slice(bench.size.top, None),
    }
    scores: dict[str, dict[str, list[float]]] = {part: {} for part in parts}
    values: dict[str, dict[str, list[np.ndarray]]] = {part: {} for part in parts}
    for evening in EVENINGS:
        known, sold = data.panel.before(evening), data.panel.units[chosen, evening : evening + EVENING_DAYS]
        change = np.abs(np.diff(known.units[chosen], axis=1))
        scale = np.nansum(change, 1) / np.maximum((~np.isnan(change)).sum(1), 1)
        for name, method in methods.items():
            say(f"M5, evening {evening}: {name}")
            found = method(known, EVENING_DAYS, chosen)
            for part, rows in parts.items():
                scores[part].setdefault(name, []).append(spl(sold[rows], found.quantiles[rows], scale[rows]))
                standing = pit(sold[rows], found.quantiles[rows], SEED + evening)
                values[part].setdefault(name, []).append(standing)
    goals = dict(zip(parts, (0.298, 0.338), strict=True))
    out = []
    for part in parts:
        mean = {name: float(np.mean(each)) for name, each in scores[part].items()}
        out += _score_rows(f"M5 SPL, 4 x 14 days, {part}", mean, goals[part])
    for part, each in values.items():
        out += _coverage_rows(f"M5 {part}", {name: np.concatenate(of) for name, of in each.items()})
    return out


def m5_last_rows(bench: Bench) -> list[Row]:
    """The last 28 days of all series."""
    data = m5(bench.data, bench.cache, bench.size.m5_series, SEED)
    past = data.panel.before(M5_DAYS - LAST_DAYS)
    sold = data.panel.units[:, M5_DAYS - LAST_DAYS :]
    found = {}
    for name, method in methods_of(bench, "m5-last", past, LAST_DAYS).items():
        say(f"M5, last {LAST_DAYS} days: {name}")
        found[name] = method(past, LAST_DAYS, np.arange(past.n_series))
    of_all = {name: wql(sold, each.quantiles) for name, each in found.items()}
    squared = {
        name: wrmsse(past.units, sold, each.mean, data.words, data.weights) for name, each in found.items()
    }
    twelve, lowest = ({name: each[key] for name, each in squared.items()} for key in ("mean", "Level12"))
    biases = {name: bias(sold, each.mean) for name, each in found.items()}
    return [
        *_score_rows("M5 WQL (.1-.9), last 28 days", of_all, 0.535),
        _row("M5 WRMSSE, 12 levels, last 28 days (stretch)", twelve[HEAVY], "ratio", STRETCH, "lower", {}),
        *_score_rows("M5 WRMSSE, 12 levels, last 28 days", twelve, 0.60),
        *_score_rows("M5 WRMSSE, level 12, last 28 days", lowest, None),
        _row("M5 bias of the mean, last 28 days", biases.pop(HEAVY), "share", 0.0, "lower", biases),
        *_coverage_rows(
            "M5 last 28 days", {name: pit(sold, each.quantiles, SEED) for name, each in found.items()}
        ),
        *_sum_rows(bench, past, sold),
    ]


def _sum_rows(bench: Bench, past: Panel, sold: np.ndarray) -> list[Row]:
    """Sums over the first week and over all days, from the last evening on: what lead times are covered by."""
    total, found = sold_sums(sold), {}
    for name, method in sums_of(bench, "m5-last", past, LAST_DAYS).items():
        say(f"M5, sums over {SUM_DAYS} days: {name}")
        found[name] = method(past, LAST_DAYS, np.arange(past.n_series))
    out = []
    for place, days in enumerate(SUM_DAYS):
        scores = {name: wql(total[:, place], each.quantiles[:, place]) for name, each in found.items()}
        name = f"M5 last {LAST_DAYS} days, sum of {days}"
        out.append(_row(f"{name}: WQL (.1-.9)", scores.pop(HEAVY), "ratio", None, "lower", scores))
        standings = {
            method: pit(total[:, place], each.quantiles[:, place], SEED) for method, each in found.items()
        }
        out += _coverage_rows(name, standings)
    return out


def fresh_rows(bench: Bench) -> list[Row]:
    """In-stock days. The WQL's goal goes with the levels .1-.9 and .95: only so do its baselines' WQL and WAPE fit together."""
    sums: dict[str, dict[str, list[float]]] = {
        "WAPE of the median": {}, "WQL (.1-.9, .95)": {}, "WQL (.1-.9)": {}, "bias of the mean": {},
    }  # fmt: skip
    values: dict[str, list[np.ndarray]] = {}
    for evening in FRESH_EVENINGS:
        panel = fresh(bench.data, bench.cache, bench.size.fresh_series, SEED, evening)
        past, sold = panel.before(evening), panel.demand(evening, min(evening + FRESH_HORIZON, FRESH_DAYS))
        for name, method in methods_of(bench, f"fresh-{evening}", past, FRESH_HORIZON).items():
            say(f"FreshRetailNet, evening {evening}: {name}")
            found = method(past, FRESH_HORIZON, np.arange(past.n_series))
            measured = (
                wape(sold, found.quantiles),
                wql(sold, found.quantiles, SPL_LEVELS),
                wql(sold, found.quantiles),
                bias(sold, found.mean),
            )
            for measure, value in zip(sums, measured, strict=True):
                sums[measure].setdefault(name, []).append(value)
            standing = pit(np.rint(sold), found.quantiles, SEED + evening)
            values.setdefault(name, []).append(standing)
    goals = dict(zip(sums, (0.285, 0.212, None, 0.02), strict=True))
    out = []
    for measure, methods in sums.items():
        mean = {name: float(np.mean(each)) for name, each in methods.items()}
        name = f"FreshRetailNet, in stock, 2 x 7 days: {measure}"
        if measure.startswith("bias"):  # has a sign: what one form's is over another's says nothing
            out.append(_row(name, mean.pop(HEAVY), "share", goals[measure], "lower", mean))
        else:
            out += _score_rows(name, mean, goals[measure])
    standings = {name: np.concatenate(each) for name, each in values.items()}
    return [*out, *_coverage_rows("FreshRetailNet", standings)]


def hidden_rows(bench: Bench) -> list[Row]:
    say("hidden stock-outs")
    found = hidden_stock_outs(bench.data, bench.size.hourly_series, SEED)
    mine = found.pop("recovered")
    naive = found["naive profile"][1]
    return [
        _row("hidden stock-outs: bias of recovered demand", mine[0], "share", 0.03, "lower", {n: v[0] for n, v in found.items()}),
        _row("hidden stock-outs: WAPE of recovered demand", mine[1], "ratio", naive, "lower", {n: v[1] for n, v in found.items()}),
    ]  # fmt: skip


def _score_rows(name: str, scores: dict[str, float], goal: float | None) -> list[Row]:
    """The heavy form's row beside all others, and what the gateway form's score is over it."""
    peers = dict(scores)
    heavy = peers.pop(HEAVY)
    out = [_row(name, heavy, "ratio", goal, "lower", peers)]
    if GATEWAY in peers:
        bare = {BARE: peers[BARE] / heavy} if BARE in peers else {}
        out.append(_row(f"{name}: gateway over heavy", peers[GATEWAY] / heavy, "ratio", None, "lower", bare))
    return out


def _coverage_rows(name: str, values: dict[str, np.ndarray]) -> list[Row]:
    """values: randomised PIT of each method, the heavy form's among them."""
    found = {method: coverage(each) for method, each in values.items()}
    mine = found.pop(HEAVY)
    bands = [
        _row(f"{name}: inside the central {band} %, randomised PIT", mine[band], "share", band / 100,
             f"near {band / 100:g} ± {COVERAGE_GOAL:g}", {peer: each[band] for peer, each in found.items()})
        for band in BANDS
    ]  # fmt: skip
    flat = {peer: each[0] for peer, each in found.items()}
    return [
        *bands,
        _row(f"{name}: PIT, largest gap of a tenth", mine[0], "share", COVERAGE_GOAL, "lower", flat),
    ]


def print_head() -> None:
    print(f"{'name':<72}{'value':>9} {'unit':<6}{'goal':>8}  peers", flush=True)


def print_rows(rows: list[Row]) -> None:
    for row in rows:
        peers = ", ".join(f"{name} {value:.4f}" for name, value in row["peers"].items())
        goal = "" if row["goal"] is None else f"{row['goal']:.4g}"
        print(f"{row['name']:<72}{row['value']:>9.4f} {row['unit']:<6}{goal:>8}  {peers}", flush=True)


def _row(name: str, value: float, unit: str, goal: float | None, better: str, peers: dict[str, float]) -> Row:
    rounded = {peer: round(each, 5) for peer, each in peers.items()}
    return {
        "name": name,
        "value": round(value, 5),
        "unit": unit,
        "goal": goal,
        "better": better,
        "peers": rounded,
    }

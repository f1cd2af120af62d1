"""The replenishment policy beside the optimum, textbook policies and what shops use.

    python benchmarks/replenishment.py [--quick] [--replay] [--json FILE] [--data FOLDER] [--peers FOLDER] [--picture FILE]

Instances: the long-run cost by exact evaluation (no simulation) of the shipped network, as a gateway runs it, of the same refined for
the instance, and improved on its exact value where all states can be enumerated ("policy-cost": what `shelfloop models policy-cost` says
as the cost; "refined alone" and "network alone" stand beside it), beside our own dynamic programme and, for
backorders with a fixed cost, stockpyl (in a virtual environment of its own under --peers, made when missing; it does not
resolve beside current NumPy). "held out" are instances that no lesson holds, of every kind (benchmarks/replenishing/held_out.py);
"outside" are descriptions further out than any lesson, as somebody else might write them (benchmarks/replenishing/outside.py).
Replay: real demand of M5 and FreshRetailNet (--data, skipped with a note where it is not), lost sales, packs, least orders, a
delivery calendar, shelf life; every method sweeps its one knob, and rows compare at equal service or equal stock, or by the cost of
stated prices. --replay and --outside do nothing else.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.peer_rig.environment import python_with  # noqa: E402
from benchmarks.replenishing.frontier import (  # noqa: E402
    COVER,
    MIN_MAX,
    NEWSVENDOR,
    OURS,
    Frontier,
    costs_of,
    frontier_of,
    of_stock,
    picture,
    stock_at,
    waste_at,
)
from benchmarks.replenishing.held_out import described, held_out  # noqa: E402
from benchmarks.replenishing.outside import outside  # noqa: E402
from benchmarks.replenishing.shop import Prices, Trade, fresh_trade, m5_trade  # noqa: E402
from benchmarks.replenishing.textbook import best_base_stock, best_capped_base_stock  # noqa: E402
from models.order_plan import ONE_PERIOD_LOTS  # noqa: E402
from models.policy.instance import Instance, instance_from  # noqa: E402
from models.policy.learned import LearnedPolicy, shipped_policy  # noqa: E402
from models.policy.order_graph import OrderGraph, shipped_orders  # noqa: E402
from models.policy.question import STRETCHES, question_from  # noqa: E402
from models.policy.refined import exact_cost  # noqa: E402
from models.policy.scoring import PolicyScore, refined_score, score  # noqa: E402

Row = dict[str, Any]
HELD_OUT_EACH = {True: 12, False: 30}
"""Instances of each of the kinds, by --quick."""
OUTSIDE_EACH = {True: 3, False: 10}
"""The same of what an outsider might send."""
DISCOUNTED_DAYS = (1 - 0.99**365) / 0.01
"""A year's return at a discount of .99 a day, per unit of daily cost: how the perishable figures are published."""
BACKORDERS = ((1, 4, 5, 6), (1, 9, 64, 10), (1, 9, 64, 25), (1, 9, 64, 50))
STOCKPYL = "stockpyl==1.0.2"
FILLS = {"M5": (0.95, 0.96), "FreshRetailNet": (0.95, 0.97)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer instances, series and settings; every row all the same"
    )
    parser.add_argument("--replay", action="store_true", help="the replay of real demand alone")
    parser.add_argument("--outside", action="store_true", help="what an outsider might send, alone")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder with m5 and freshretailnet"
    )
    parser.add_argument(
        "--peers", type=Path, default=ROOT / "var" / "peers" / "stockpyl", help="environment for stockpyl"
    )
    parser.add_argument("--picture", type=Path, help="write the frontiers as SVG")
    options = parser.parse_args()
    rows: list[Row] = []
    for row in _rows(options):
        rows.append(row)
        peers = ", ".join(f"{name} {value}" for name, value in row["peers"].items())
        goal = "" if row["goal"] is None else row["goal"]
        print(f"{row['name']:<66}{row['value']:>12} {row['unit']:<10}{goal:>10}  {peers}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def _rows(options: argparse.Namespace) -> Iterator[Row]:
    if options.replay:
        yield from replay_rows(options)
        return
    policy = shipped_policy()
    if options.outside:
        yield from outside_rows(policy, OUTSIDE_EACH[options.quick])
        return
    yield from zipkin_rows(policy, options.quick)
    yield from instance_rows(policy, options.peers)
    yield from one_period_rows(policy)
    yield from held_out_rows(policy, HELD_OUT_EACH[options.quick])
    yield from outside_rows(policy, OUTSIDE_EACH[options.quick])
    yield from speed_rows(shipped_orders())
    yield from replay_rows(options)


def zipkin_rows(policy: LearnedPolicy, quick: bool) -> Iterator[Row]:
    """All 32 cells always; the textbook policies on 8 of them in --quick, and on all below four periods otherwise."""
    gaps, base, capped = [], [], []
    worst = ""
    for law in ("poisson", "geometric"):
        for lead in (1, 2, 3, 4):
            for shortage in (4, 9, 19, 39):
                instance = _lost(law, lead, shortage)
                found = score(instance, policy)
                gaps.append(_gap(found))
                if gaps[-1] == max(gaps):
                    worst = f"{law}, L {lead}, p {shortage}"
                if lead <= (2 if quick else 3) and (law == "poisson" or not quick):
                    assert found.optimal_cost is not None
                    base.append(100 * (best_base_stock(instance) / found.optimal_cost - 1))
                    if not quick:
                        capped.append(100 * (best_capped_base_stock(instance) / found.optimal_cost - 1))
    peers = {f"best base-stock ({len(base)} cells)": round(float(np.mean(base)), 3)}
    tops = {f"best base-stock ({len(base)} cells)": round(max(base), 3)}
    if capped:
        peers[f"capped base-stock ({len(capped)} cells)"] = round(float(np.mean(capped)), 3)
        tops[f"capped base-stock ({len(capped)} cells)"] = round(max(capped), 3)
    yield _row(
        "lost sales, 32 cells: mean gap to the optimum",
        round(float(np.mean(gaps)), 4),
        "%",
        0.5,
        "lower",
        peers,
    )
    yield _row(f"lost sales, 32 cells: worst gap ({worst})", round(max(gaps), 4), "%", 1.5, "lower", tops)


def instance_rows(policy: LearnedPolicy, peers: Path) -> Iterator[Row]:
    lot = refined_score(_lost("poisson", 2, 14, K=5), policy)
    known = {
        "optimum, own programme": _rounded(lot.optimal_cost),
        "(s,S) 17,23": 11.618,
        "modified (s,S,q)": 11.497,
        "network alone": _rounded(lot.network_cost),
    }
    name = "lost sales, K 5, L 2, p 14, Poisson 5"
    yield _row(f"{name}: cost, policy-cost", round(lot.cost, 4), "cost", 11.52, "lower", known)
    yield _row(f"{name}: cost, refined alone", _rounded(lot.refined_cost), "cost", 11.52, "lower", {})
    yield _row(f"{name}: cost, network alone", _rounded(lot.network_cost), "cost", 11.52, "lower", {})
    theirs = _stockpyl(peers)
    for place, (holding, shortage, fixed, mean) in enumerate(BACKORDERS):
        found = score(_waiting(mean, holding, shortage, fixed), policy)
        known = {
            "optimum, own programme": _rounded(found.optimal_cost),
            **({"stockpyl": theirs[place]} if theirs else {}),
        }
        name = f"backorders, h {holding}, p {shortage}, K {fixed}, Poisson {mean}: gap"
        yield _row(name, round(_gap(found), 3), "%", 1.0, "lower", {"cost": round(found.cost, 4), **known})
    for issuing, published in (("fifo", -1457), ("lifo", -1553)):
        instance = _fresh(issuing)
        found = score(instance, policy)
        known = {
            "optimum, own programme": round(-(found.optimal_cost or 0) * DISCOUNTED_DAYS, 1),
            "published optimum": published,
            "best base-stock": round(-best_base_stock(instance) * DISCOUNTED_DAYS, 1),
        }
        name = f"perishable, life 2, L 1, {issuing.upper()}: a year's return at .99"
        yield _row(
            name,
            round(-found.cost * DISCOUNTED_DAYS, 1),
            "cost",
            round(published * 1.007, 1),
            "higher",
            known,
        )
        yield _row(
            f"perishable, life 2, L 1, {issuing.upper()}: gap", round(_gap(found), 3), "%", 0.7, "lower", {}
        )


def one_period_rows(policy: LearnedPolicy) -> Iterator[Row]:
    """Fresh goods whose order cost pays for one period only: the network that is told it, and that is not (models.order_plan.ONE_PERIOD_LOTS)."""
    told, untold = [], []
    for life, mean, fixed in product((2, 3), (3, 4.4, 6.2), (1.5, 2.5, 3.75)):
        if 2 * fixed > ONE_PERIOD_LOTS**2 * mean:
            continue
        demand = {"distribution": "negative_binomial", "mean": mean, "dispersion": 0.1}
        instance = instance_from(
            {"demand": demand, "L": 1, "h": 1, "p": 12.5, "w": 25, "m": life, "K": fixed}
        )
        found = score(instance, policy)
        free = replace(instance, fixed_order=0.0)
        cost = exact_cost(instance, lambda states, free=free: policy.orders(free, states))  # type: ignore[misc]
        assert cost is not None
        assert found.optimal_cost is not None
        told.append(_gap(found))
        untold.append(100 * (cost.cost / found.optimal_cost - 1))
    name = f"perishable, an order pays for one period ({len(told)}): mean gap, the network not told of it"
    peers = {"told of it": round(float(np.mean(told)), 3), "worst, not told": round(max(untold), 3), "worst, told": round(max(told), 3)}  # fmt: skip
    yield _row(name, round(float(np.mean(untold)), 3), "%", 0.5, "lower", peers)


def held_out_rows(policy: LearnedPolicy, each: int) -> Iterator[Row]:
    """A row for the mean and one for the worst of each kind, refined and of the network alone."""
    scores: dict[str, list[tuple[Instance, PolicyScore]]] = {}
    for kind, instance in held_out(each):
        scores.setdefault(kind, []).append((instance, refined_score(instance, policy)))
    for kind, of_kind in scores.items():
        name = f"held out, {kind} ({len(of_kind)})"
        yield from _gap_rows(name, of_kind)
        alone = [100 * (found.network_gap or 0.0) for _, found in of_kind]
        peers = {"median": round(float(np.median(alone)), 3)}
        yield _row(
            f"{name}: mean gap, network alone", round(float(np.mean(alone)), 3), "%", 1.0, "lower", peers
        )


def _gap_rows(name: str, scores: list[tuple[Instance, PolicyScore]]) -> Iterator[Row]:
    """Mean and worst of what `policy-cost` says, beside the refined policy's and the network's alone."""
    gaps = [_gap(found) for _, found in scores]
    alone = [100 * (found.network_gap or 0.0) for _, found in scores]
    refined = [100 * (found.refined_gap or 0.0) for _, found in scores]
    peers: dict[str, Any] = {
        "median": round(float(np.median(gaps)), 3),
        "refined alone": round(float(np.mean(refined)), 3),
        "network alone": round(float(np.mean(alone)), 3),
    }
    yield _row(f"{name}: mean gap, policy-cost", round(float(np.mean(gaps)), 3), "%", 0.5, "lower", peers)
    peers = {
        "of": described(scores[int(np.argmax(gaps))][0]),
        "refined alone": round(max(refined), 3),
        "network alone": round(max(alone), 3),
        "improved": sum(found.improved is not None for _, found in scores),
    }
    yield _row(f"{name}: worst gap, policy-cost", round(max(gaps), 3), "%", 1.5, "lower", peers)


def outside_rows(policy: LearnedPolicy, each: int) -> Iterator[Row]:
    """What `policy-cost` says of descriptions that an outsider might send: gaps where the optimum can be had, simulated gains, seconds."""
    seconds: list[float] = []
    for kind, descriptions in groupby(outside(each), key=lambda drawn: drawn[0]):
        scores: list[tuple[Instance, PolicyScore]] = []
        for _, said in descriptions:
            started = time.process_time()
            instance = instance_from(said)
            scores.append((instance, refined_score(instance, policy)))
            seconds.append(time.process_time() - started)
        yield from _outside_kind(kind, scores)
    peers = {"median": round(float(np.median(seconds)), 1), "instances": len(seconds)}
    yield _row("outside: longest time of one core for an instance", round(max(seconds), 1), "s", 120.0, "lower", peers)  # fmt: skip


def _outside_kind(kind: str, scores: list[tuple[Instance, PolicyScore]]) -> Iterator[Row]:
    known = [(instance, found) for instance, found in scores if found.gap is not None]
    unknown = [found for _, found in scores if found.gap is None]
    if known:
        yield from _gap_rows(f"outside, {kind} ({len(known)} of {len(scores)} with a known optimum)", known)
    if unknown:
        gains = [100 * (1 - found.cost / (found.network_cost or found.cost)) for found in unknown]
        drawn = [found for found in unknown if found.method == "simulated"]
        widest = max((50 * (found.high - found.low) / found.cost for found in drawn), default=0.0)
        peers = {
            "simulated": len(drawn),
            "widest interval, +- %": round(widest, 2),
            "least": round(min(gains), 2),
        }
        name = f"outside, {kind} ({len(unknown)} of {len(scores)} too large for it): mean gain over the network alone"
        yield _row(name, round(float(np.mean(gains)), 2), "%", 0.0, "higher", peers)


def speed_rows(graph: OrderGraph) -> Iterator[Row]:
    n = 10_000
    quantiles = np.sort(np.random.default_rng(1).poisson(6, (n, STRETCHES + 1, 9)), axis=-1).astype(float)
    question = question_from(
        lead_quantiles=quantiles[:, 1:], lead_mean_units=6.0, cover_quantiles=quantiles[:, 0], cover_mean_units=6.0,
        on_hand_units=np.full(n, 9.0), pack_units=6.0,
    )  # fmt: skip
    times = []
    for _ in range(5):
        start = time.process_time()
        graph.orders(question)
        times.append(time.process_time() - start)
    yield _row(
        "order graph, 10,000 SKUs, time of one core", round(float(np.median(times)), 3), "s", 1.0, "lower", {}
    )


def replay_rows(options: argparse.Namespace) -> Iterator[Row]:
    if not (options.data / "m5").exists():
        print(f"  no replay: {options.data} has no m5 and freshretailnet; say where they are with --data")
        return
    graph = shipped_orders()
    series = 150 if options.quick else 1000
    frontiers: dict[str, Frontier] = {}
    for trade in (m5_trade(options.data, series), fresh_trade(options.data, series)):
        found = frontiers[trade.name] = frontier_of(trade, graph, quick=options.quick)
        for fill in FILLS[trade.name]:
            yield _saving_row(trade.name, found, fill)
        yield _lost_row(trade.name, found, FILLS[trade.name][0])
        if trade.life_days is not None:
            yield _waste_row(trade.name, found, FILLS[trade.name][0])
        yield _cost_row(trade, found, graph)
    if options.picture:
        picture(frontiers, options.picture)


def _saving_row(name: str, found: Frontier, fill: float) -> Row:
    stocks = {method: stock_at(outcomes, fill) for method, outcomes in found.items()}
    saved = 100 * (1 - stocks[OURS] / stocks[MIN_MAX])
    peers = {f"{method} days of stock": round(stock, 2) for method, stock in stocks.items()}
    return _row(
        f"{name}: stock less than min/max's, at {fill:.0%} service",
        round(saved, 1),
        "%",
        15.0,
        "higher",
        peers,
    )


def _lost_row(name: str, found: Frontier, fill: float) -> Row:
    """At the stock that min/max needs for the fill."""
    stock = stock_at(found[MIN_MAX], fill)
    lost = {method: 100 * of_stock(outcomes, stock, "lost") for method, outcomes in found.items()}
    peers = {method: round(value, 2) for method, value in lost.items()}
    row_name = f"{name}: stock-outs against min/max's, at its stock of {stock:.1f} days"
    return _row(row_name, round(lost[OURS] / lost[MIN_MAX], 3), "ratio", 0.5, "lower", peers)


def _waste_row(name: str, found: Frontier, fill: float) -> Row:
    waste = {method: round(100 * waste_at(outcomes, fill), 2) for method, outcomes in found.items()}
    peers = {method: waste[method] for method in (MIN_MAX, NEWSVENDOR, COVER)}
    return _row(f"{name}: waste at {fill:.0%} service", waste[OURS], "%", waste[MIN_MAX], "lower", peers)


def _cost_row(trade: Trade, found: Frontier, graph: OrderGraph) -> Row:
    """Goal: the cheapest of the others, each at the setting that hindsight finds."""
    costs = {method: round(cost, 2) for method, cost in costs_of(trade, graph, Prices(), found).items()}
    ours = costs.pop(OURS)
    goal = min(cost for method, cost in costs.items() if not method.startswith(OURS))
    name = f"{trade.name}: cost of 100 units asked for, order lines counted"
    return _row(name, ours, "margins", goal, "lower", costs)


def _stockpyl(folder: Path) -> list[float]:
    """Optimal costs by stockpyl in its own environment; empty, with a note, where it cannot be installed."""
    python = python_with(folder, STOCKPYL, lambda text: print(f"  {text}", flush=True))
    if python is None:
        return []
    code = (
        "import json; from stockpyl.ss import s_s_discrete_exact as exact\n"
        f"print(json.dumps([round(float(exact(h, p, K, True, m)[2]), 4) for h, p, K, m in {BACKORDERS!r}]))"
    )
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    costs: list[float] = json.loads(done.stdout.splitlines()[-1])
    return costs


def _lost(law: str, lead: int, shortage: float, **more: float) -> Instance:
    return instance_from(
        {"demand": {"distribution": law, "mean": 5}, "lead_time": lead, "h": 1, "p": shortage, **more}
    )


def _waiting(mean: float, holding: float, shortage: float, fixed: float) -> Instance:
    demand = {"distribution": "poisson", "mean": mean}
    return instance_from(
        {
            "demand": demand,
            "lead_time": 0,
            "h": holding,
            "p": shortage,
            "K": fixed,
            "unmet_demand": "backorder",
        }
    )


def _fresh(issuing: str) -> Instance:
    return instance_from(
        {"demand": {"distribution": "gamma", "mean": 4, "cv": 0.5}, "lead_time": 1, "h": 1, "p": 5, "unit_cost": 3,
         "waste_cost": 7, "shelf_life": 2, "issuing": issuing}
    )  # fmt: skip


def _gap(found: PolicyScore) -> float:
    assert found.gap is not None
    return 100 * found.gap


def _rounded(cost: float | None) -> float:
    return round(cost or 0.0, 4)


def _row(name: str, value: float, unit: str, goal: float | None, better: str, peers: dict[str, Any]) -> Row:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "better": better, "peers": peers}


if __name__ == "__main__":
    sys.exit(main())

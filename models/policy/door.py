"""`shelfloop models policy-cost`: what the shipped policy costs on an instance of yours."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from models.policy.instance import instance_from_file
from models.policy.learned import shipped_policy
from models.policy.scoring import PolicyScore, refined_score, score

SILENT_S = 3.0


def add_policy_cost(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "policy-cost",
        help="the replenishment policy's long-run cost on an instance, beside the optimum",
        description="The shipped replenishment policy's cost a period on one instance (docs/replenishment.md): refined for it by"
        " exact evaluation, or by simulation where too many states are met, and improved on its exact value where all states can be"
        " enumerated; refined alone; and the network's alone, which is what a gateway runs: exact, or with a 95 % interval;"
        " and the optimum where it can be had.",
    )
    parser.add_argument(
        "--instance", type=Path, required=True, metavar="FILE", help="JSON: demand, lead time, costs"
    )
    parser.add_argument(
        "--network-only",
        action="store_true",
        help="the network as a gateway has it, not refined for the instance",
    )
    parser.add_argument(
        "--simulate",
        action="store_true",
        help="simulate the network alone, unrefined, even where the exact cost can be had",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the simulation (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.set_defaults(run=run_policy_cost)


def add_train_policy(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", run: Callable[[argparse.Namespace], int]
) -> None:
    """run: what trains; only the command line may import it."""
    parser = commands.add_parser(
        "train-policy",
        help="learn the replenishment policy anew",
        description="Solves random instances, fits the network on them and writes target.onnx, order.onnx and policy.json; about"
        " half an hour on one core with the shipped settings. What was solved is kept in FOLDER/lessons.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the graphs go")
    parser.add_argument(
        "--training",
        type=Path,
        metavar="FILE",
        help="lessons, fit and seed as TOML (default: as the shipped network was trained, models/training/policy.toml)",
    )
    parser.set_defaults(run=run)


def run_policy_cost(arguments: argparse.Namespace) -> int:
    """Raises InstanceError for a file that says what cannot be."""
    instance = instance_from_file(arguments.instance, _note)
    policy = shipped_policy()
    if arguments.network_only or arguments.simulate:
        found = score(instance, policy, simulate=arguments.simulate, seed=arguments.seed, say=Progress().say)
    else:
        found = refined_score(instance, policy, seed=arguments.seed, say=Progress().say)
    print(json.dumps(as_json(found), indent=1) if arguments.json else as_lines(found))
    return 0


def _note(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


class Progress:
    """Says on stderr how far something is once it has taken SILENT_S seconds, and no oftener than every second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_s = clock() + SILENT_S

    def say(self, text: str) -> None:
        if self._clock() >= self._next_s:
            self._next_s = self._clock() + 1
            _note(text)


def as_json(found: PolicyScore) -> dict[str, object]:
    """cost: of the policy improved, or refined, as far as `improved` and `refined` say; of the network alone where both are None.

    refined_cost: without the improvement; network_cost: the network's alone, always.
    """
    alone = found.cost if found.network_cost is None else found.network_cost
    better = found.improved
    return {
        "cost": round(found.cost, 6),
        "cost_low": round(found.low, 6),
        "cost_high": round(found.high, 6),
        "method": found.method,
        "refined_cost": None if found.refined_cost is None else round(found.refined_cost, 6),
        "network_cost": round(alone, 6),
        "improved": None if better is None else {
            "steps": better.steps, "states_met": better.states, "states_otherwise": better.otherwise,
        },
        "refined": None if found.correction is None else {**asdict(found.correction), "trials": found.trials},
        "optimal_cost": None if found.optimal_cost is None else round(found.optimal_cost, 6),
        "optimal_note": found.optimal_note,
        "gap_percent": _percent(found.gap),
        "refined_gap_percent": _percent(found.refined_gap),
        "network_gap_percent": _percent(found.gap if found.network_cost is None else found.network_gap),
    }  # fmt: skip


def as_lines(found: PolicyScore) -> str:
    interval = "bounds of the iteration" if found.method == "exact" else "95 % interval"
    lines = [
        f"cost a period   {found.cost:.4f}   ({found.low:.4f} to {found.high:.4f}, {interval}; {found.method}; {_what(found)})"
    ]
    if found.improved is not None and found.refined_cost is not None:
        lines.append(
            f"refined alone   {found.refined_cost:.4f}   (a target over the projected level, set for this instance in {found.trials} trials)"
        )
    if found.network_cost is not None:
        lines.append(f"network alone   {found.network_cost:.4f}   (what a gateway runs)")
    if found.optimal_cost is None:
        lines.append(f"optimum         unknown: {found.optimal_note}")
    else:
        lines.append(f"optimum         {found.optimal_cost:.4f}   ({found.optimal_note})")
        refined = (
            ""
            if found.improved is None or found.refined_gap is None
            else f", refined alone {100 * found.refined_gap:+.3f} %"
        )
        alone = "" if found.network_gap is None else f", network alone {100 * found.network_gap:+.3f} %"
        lines.append(f"gap             {100 * (found.gap or 0.0):+.3f} %{refined}{alone}")
    return "\n".join(lines)


def _what(found: PolicyScore) -> str:
    """How the policy whose cost is told came about."""
    if found.network_cost is None:
        return "as it is"
    if found.improved is None:
        return f"refined for this instance in {found.trials} trials"
    better = found.improved
    steps = "one step" if better.steps == 1 else f"{better.steps} steps"
    return f"refined, then improved in {steps}: a table of orders, otherwise in {better.otherwise} of {better.states} states"


def _percent(gap: float | None) -> float | None:
    return None if gap is None else round(100 * gap, 4)

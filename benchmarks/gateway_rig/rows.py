"""The rows that a benchmark prints: a value beside its goal and its peers."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """better: "higher" or "lower". peers: name -> the same figure of somebody else in the same run."""

    name: str
    value: float
    unit: str
    goal: float | None
    better: str
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        reached = self.value >= self.goal if self.better == "higher" else self.value <= self.goal
        return "reached" if reached else "MISSED"


def table(rows: Sequence[Row]) -> str:
    lines = [f"\n{'name':<64}{'value':>12} {'unit':<12}{'goal':>12}  {'':<8} peers"]
    for row in rows:
        goal = "" if row.goal is None else f"{'>=' if row.better == 'higher' else '<='} {row.goal:,g}"
        beside = ", ".join(f"{name} {value:,g}" for name, value in row.peers.items())
        lines.append(f"{row.name:<64}{row.value:>12,g} {row.unit:<12}{goal:>12}  {row.verdict:<8} {beside}")
    return "\n".join(lines)


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"

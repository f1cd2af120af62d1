"""A figure as it is printed and kept."""

from typing import Any

Result = dict[str, Any]


def row(name: str, value: float, unit: str, goal: float | None, better: str, **peers: float) -> Result:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "better": better, "peers": peers}

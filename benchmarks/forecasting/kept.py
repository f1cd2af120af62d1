"""Forecasts that were computed before, by what they depend on: the method's code and size, the panel's content, the days.

A peer's forecast of thirty thousand series takes minutes and stays as it is while the heavy form changes: it is computed
again only when its own code, its size or the data do.
"""

import ast
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.forecasting.measures import Found
from models.panel import Panel

Array = np.ndarray[Any, Any]
Method = Callable[[Panel, int, Array], Found]
_MARK_LETTERS = 20
_OURS = frozenset({"models", "benchmarks"})
_SETS = "benchmarks/forecasting/sets.py"
"""Makes panels, whose content counts by itself."""
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Keeper:
    """folder: where forecasts are kept, a file each."""

    folder: Path

    def keeping(
        self,
        name: str,
        fitted_on: str,
        size: object,
        code: tuple[str, ...],
        method: Method,
        seen: Callable[[Panel], str] | None = None,
    ) -> Method:
        """`method`, asked only for what is not kept. fitted_on: content_of what it was fitted on, "" for nothing.

        code: the files that its answers depend on, from the project's root. size: what else they depend on, by its repr.
        seen: digest of what the method sees of a panel; without it content_of, all of it.
        """
        content = content_of if seen is None else seen
        source = b"".join((_ROOT / path).read_bytes() for path in code)
        fixed = hashlib.sha256(f"{name}|{fitted_on}|{size!r}|".encode() + source).hexdigest()

        def asked(panel: Panel, days: int, rows: Array) -> Found:
            wanted = f"{fixed}|{content(panel)}|{days}|".encode() + np.asarray(rows, np.int64).tobytes()
            mark = hashlib.sha256(wanted).hexdigest()[:_MARK_LETTERS]
            path = self.folder / f"found-{name.replace(' ', '-').lower()}-{mark}.npz"
            if path.exists():
                with np.load(path) as kept:
                    return Found(kept["mean"], kept["quantiles"])
            found = method(panel, days, rows)
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_name("partial-" + path.name)
            np.savez(partial, mean=found.mean, quantiles=found.quantiles)
            partial.rename(path)
            return found

        return asked


def code_of(path: str) -> tuple[str, ...]:
    """The file and all of ours that it imports, however far: what a method's answers depend on."""
    found: set[str] = set()
    waiting = [path]
    while waiting:
        name = waiting.pop()
        if name in found or name == _SETS:
            continue
        found.add(name)
        tree = ast.parse((_ROOT / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in _OURS:
                waiting += [each for each in _files(node) if (_ROOT / each).exists()]
    return tuple(sorted(found))


def _files(node: ast.ImportFrom) -> list[str]:
    """A module of that name, or modules of the package."""
    folder = str(node.module).replace(".", "/")
    return [f"{folder}.py", *(f"{folder}/{each.name}.py" for each in node.names)]


def sales_of(panel: Panel) -> str:
    """Digest of the sales alone, for methods that see nothing else."""
    return content_of(replace(panel, covariates={}, groups={}))


def content_of(panel: Panel) -> str:
    """Digest of all that the panel holds: equal panels have equal digests."""
    digest = hashlib.sha256(f"{panel.first_day}|{panel.units.shape}".encode())
    arrays = {"units": panel.units} | ({} if panel.served is None else {"served": panel.served})
    named = arrays | {f"known {n}": v for n, v in panel.covariates.items()} | {f"group {n}": v for n, v in panel.groups.items()}  # fmt: skip
    for name, values in named.items():
        digest.update(f"|{name}|{values.shape}|{values.dtype}|".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()

"""How much a run computes, what it keeps between runs, and where it tells how far it is."""

import hashlib
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models import panel_days, panel_features, panel_groups, panel_moves
from models.panel import Panel
from models.training import panel_examples
from models.training.heavy import HeavyModel
from models.training.heavy_training import Recipe, draw_examples, train_heavy
from models.training.panel_examples import Draw, PanelExamples
from models.training.quantile_fit import QuantileFit

SEED = 7
EXAMPLE_FIELDS = ("rows", "units", "level", "scale", "day", "is_new")
PEERS = ("gateway", "simple", "statsforecast", "lightgbm")
_START = time.monotonic()


@dataclass(frozen=True, slots=True)
class Size:
    """m5_series, fresh_series, hourly_series: None is all."""

    m5_series: int | None
    fresh_series: int | None
    hourly_series: int | None
    top: int
    rest: int
    recipe: Recipe
    lightgbm_rows: int
    lightgbm_rounds: int
    gateway_rows: int
    gateway_epochs: int


FULL = Size(None, None, None, 4000, 2000, Recipe(), 400_000, 150, 200_000, 6)
QUICK = Size(
    1500, 1500, 600, 400, 400,
    Recipe(Draw(rows=60_000, evenings=40), QuantileFit(networks=1, epochs=4)), 20_000, 25, 40_000, 5,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bench:
    """One run: where its data is, what it keeps where, and its size."""

    data: Path
    cache: Path
    peers_python: Path | None
    size: Size
    peers: frozenset[str] = frozenset()

    def heavy(self, name: str, panel: Panel, horizon_days: int) -> HeavyModel:
        """Fitted on the whole of `panel`; its examples are kept."""
        recipe = replace(self.size.recipe, draw=replace(self.size.recipe.draw, horizon_days=horizon_days))
        say(f"{name}: heavy form, {panel.n_series} series x {panel.n_days} days")
        return train_heavy(panel, recipe, say, self._examples(name, panel, recipe))

    def _examples(self, name: str, panel: Panel, recipe: Recipe) -> PanelExamples:
        sources = [panel_days, panel_features, panel_groups, panel_moves, panel_examples]
        code = b"".join(Path(str(module.__file__)).read_bytes() for module in sources)
        mark = hashlib.sha256(code + repr((recipe.draw, panel.n_series, panel.n_days)).encode()).hexdigest()[
            :12
        ]
        path = self.cache / f"{name}-{panel.n_series}-{mark}.npz"
        if not path.exists():
            self.cache.mkdir(parents=True, exist_ok=True)
            drawn = draw_examples(panel, recipe, say)
            partial = path.with_name("partial-" + path.name)
            np.savez(partial, **{field: getattr(drawn, field) for field in EXAMPLE_FIELDS})
            partial.rename(path)
        with np.load(path) as kept:
            return PanelExamples(*(kept[field] for field in EXAMPLE_FIELDS))


def say(text: str) -> None:
    print(f"{time.monotonic() - _START:6.0f} s  {text}", file=sys.stderr, flush=True)

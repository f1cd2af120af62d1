"""What the heavy form is compared with, on the same evenings: moving average, last week again, statsforecast."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.forecasting.measures import Found
from benchmarks.forecasting.sets import rows_of
from benchmarks.peer_rig.environment import python_with
from models.panel import Panel
from models.quantile_network import DAY_LEVELS
from models.quantiles import negbin_quantiles

Array = np.ndarray[Any, Any]
STATSFORECAST = "statsforecast==2.1.1"
_PLACE = Path(__file__).resolve().parents[2] / "var" / "peers" / "statsforecast"
_TRUSTED_DAYS = 112


def moving_average(panel: Panel, days: int, rows: Array) -> Found:
    """Mean of the last 28 known days, negative binomial of the series' own moments."""
    panel = rows_of(panel, rows)
    recent = panel.demand(max(0, panel.n_days - 28), panel.n_days)
    return with_moments(panel, np.repeat(_mean(recent)[:, None], days, axis=1))


def last_week(panel: Panel, days: int, rows: Array) -> Found:
    panel = rows_of(panel, rows)
    week = panel.demand(panel.n_days - 7, panel.n_days)
    week = np.where(
        np.isnan(week), _mean(panel.demand(max(0, panel.n_days - 28), panel.n_days))[:, None], week
    )
    return with_moments(panel, week[:, np.arange(days) % 7])


def with_moments(panel: Panel, mean: Array) -> Found:
    """Negative binomial about `mean` with (variance - mean) / mean**2 of the last 112 known days."""
    spread = _dispersion(panel)
    different = mean.shape[1] if np.ptp(mean, axis=1).any() else 1
    flat = mean[:, :different].astype(np.float64)
    found = negbin_quantiles(flat.ravel(), np.repeat(spread, different), DAY_LEVELS).reshape(*flat.shape, -1)
    quantiles = np.broadcast_to(found, (*mean.shape, len(DAY_LEVELS)))
    return Found(mean, quantiles.astype(np.float32))


def moments(panel: Panel, rows: Array) -> tuple[Array, Array]:
    """Mean units a day of the last 28 known days and the dispersion of a day, (n,) each: what moving_average is made of."""
    panel = rows_of(panel, rows)
    recent = _mean(panel.demand(max(0, panel.n_days - 28), panel.n_days))
    return recent.astype(np.float64), _dispersion(panel)


def _dispersion(panel: Panel) -> Array:
    past = panel.demand(max(0, panel.n_days - _TRUSTED_DAYS), panel.n_days).astype(np.float64)
    known = ~np.isnan(past)
    count = np.maximum(known.sum(1), 1)
    usual = np.where(known, past, 0).sum(1) / count
    variance = np.where(known, (past - usual[:, None]) ** 2, 0).sum(1) / count
    return np.asarray(np.clip((variance - usual) / np.maximum(usual, 0.02) ** 2, 0, 20))


class StatsForecast:
    """Means by Croston SBA, TSB and IMAPA, computed in the peers' own environment (it wants an older SciPy)."""

    METHODS = ("CrostonSBA", "TSB", "IMAPA")

    def __init__(self, python: Path) -> None:
        self._python = python
        self._known: tuple[object, dict[str, Array]] = (None, {})

    def forecast(self, method: str, panel: Panel, days: int, rows: Array) -> Found:
        """All methods are computed at once, and kept until another evening or other series are asked for."""
        asked = (panel.n_days, days, rows.tobytes())
        chosen = rows_of(panel, rows)
        if self._known[0] != asked:
            self._known = (asked, self._means(chosen, days))
        return with_moments(chosen, self._known[1][method])

    def _means(self, panel: Panel, days: int) -> dict[str, Array]:
        units = panel.demand(max(0, panel.n_days - 365), panel.n_days)
        with tempfile.TemporaryDirectory() as folder:
            given, found = Path(folder, "given.npz"), Path(folder, "found.npz")
            np.savez(given, units=units, days=days)
            script = Path(__file__).with_name("statsforecast_peer.py")
            subprocess.run([str(self._python), str(script), str(given), str(found)], check=True)
            with np.load(found) as kept:
                return {name: kept[name] for name in kept.files}


def find_python(given: Path | None, say: Callable[[str], None]) -> Path | None:
    """The interpreter that has statsforecast: `given` alone where it is given, else one under _PLACE, made when missing.

    None, and said why, where there is none. Raises SystemExit when `given` has no statsforecast.
    """
    if given is None:
        return python_with(_PLACE, STATSFORECAST, say)
    done = subprocess.run([str(given), "-c", "import statsforecast"], capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"--peers-python {given} has no statsforecast; install {STATSFORECAST} there, or leave the option out"
        )
    return given


def _mean(units: Array) -> Array:
    known = ~np.isnan(units)
    return np.asarray(np.where(known, units, 0).sum(1) / np.maximum(known.sum(1), 1))

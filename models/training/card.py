"""A model's card: what it learned from, how it scored beside its peers, where it ends; with pictures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.panel import Panel
from models.quantile_network import DAY_LEVELS, DayQuantiles
from models.training.evenings import PIT_BINS, Interval, Scored, measured

_FAN_BANDS = ((0.025, 0.975, "#c6dbef"), (0.1, 0.9, "#9ecae1"), (0.25, 0.75, "#6baed6"))
_PAST_DAYS = 56
_LEGEND = (
    "In brackets: the central 95 % of the score over other draws of series and evenings. wql, wape: lower is better;"
    " inside: should be the level, and is above it for counts, since a band ends at whole units."
)
_PNG = {"dpi": 100, "metadata": {"Software": None}}


def card_text(
    name: str,
    learned: Mapping[str, str],
    scores: Mapping[str, Mapping[str, Interval]],
    limits: tuple[str, ...],
) -> str:
    """Markdown: what was learned from, a table of scores with their 95 % intervals, the pictures, the limits."""
    lines = [f"# {name}", "", "| | |", "|---|---|"]
    lines += [f"| {what} | {text} |" for what, text in learned.items()]
    measures = list(next(iter(scores.values())))
    lines += ["", "## Scores on days it was not trained on", "", f"| method | {' | '.join(measures)} |"]
    lines.append("|" + "---|" * (1 + len(measures)))
    for method, of_method in scores.items():
        lines.append(f"| {method} | {' | '.join(told(of_method[measure]) for measure in measures)} |")
    lines += [
        "", _LEGEND, "", "![calibration](calibration.png) ![error by day ahead](error-by-day.png) ![a forecast](fan.png)",
        "", "## Limits", "", *(f"- {limit}" for limit in limits), "",
    ]  # fmt: skip
    return "\n".join(lines)


def told(interval: Interval) -> str:
    return f"{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def draw_pictures(
    folder: Path, name: str, scored: Mapping[str, Scored], panel: Panel, evening: int, forecast: DayQuantiles
) -> None:
    """calibration.png, error-by-day.png and fan.png in `folder`. forecast: of the days from `evening` on; name: in `scored`."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only cards need it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    shares = scored[name].pit / max(scored[name].pit.sum(), 1)
    axes.bar((np.arange(PIT_BINS) + 0.5) / PIT_BINS, shares * PIT_BINS, width=0.9 / PIT_BINS)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set(
        title=f"Calibration of {name}",
        xlabel="place of the sale in its forecast",
        ylabel="density (1 is calibrated)",
    )
    figure.savefig(folder / "calibration.png", **_PNG)  # type: ignore[arg-type]
    plt.close(figure)

    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    for method, each in scored.items():
        loss, units = each.by_day[:, 0], np.maximum(each.by_day[:, 1], 1e-9)
        axes.plot(np.arange(1, len(loss) + 1), 2 * loss / 10 / units, label=method, marker=".")
    axes.set(title="Error by day ahead", xlabel="days ahead", ylabel="wql")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7)
    figure.savefig(folder / "error-by-day.png", **_PNG)  # type: ignore[arg-type]
    plt.close(figure)

    row = int(np.argmax(np.nansum(panel.units[:, max(0, evening - _PAST_DAYS) : evening], axis=1)))
    _draw_fan(folder / "fan.png", panel, evening, row, forecast)


def _draw_fan(path: Path, panel: Panel, evening: int, row: int, forecast: DayQuantiles) -> None:
    """The best seller's last weeks, what was forecast on the evening, and what then sold."""
    from matplotlib import pyplot as plt  # noqa: PLC0415

    days = forecast.mean.shape[1]
    first = max(0, evening - _PAST_DAYS)
    when, ahead = (
        _dates(panel, first, min(evening + days, panel.n_days)),
        _dates(panel, evening, evening + days),
    )
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    axes.plot(when, panel.units[row, first : first + len(when)], color="black", linewidth=0.9, label="sold")
    for low, high, colour in _FAN_BANDS:
        table = forecast.quantiles[row]
        axes.fill_between(
            ahead, table[:, DAY_LEVELS.index(low)], table[:, DAY_LEVELS.index(high)], color=colour, linewidth=0, label=f"central {high - low:.0%}",
        )  # fmt: skip
    axes.plot(ahead, forecast.mean[row], color="#08519c", label="mean")
    axes.set(title="The best seller, forecast on one evening", ylabel="units a day")
    axes.legend(fontsize=7)
    figure.autofmt_xdate()
    figure.savefig(path, **_PNG)  # type: ignore[arg-type]
    plt.close(figure)


def _dates(panel: Panel, first: int, last: int) -> "np.typing.NDArray[np.datetime64]":
    return np.datetime64(panel.first_day) + np.arange(first, last)


def intervals(scored: Mapping[str, Scored]) -> dict[str, dict[str, Interval]]:
    return {name: measured(each) for name, each in scored.items()}

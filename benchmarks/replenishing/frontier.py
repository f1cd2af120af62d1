"""Stock against service for each method, what one method saves over another, and the picture of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.replenishing.methods import (
    days_of_cover,
    min_max,
    newsvendor,
    our_graph,
    our_graph_at,
    reorder_level,
)
from benchmarks.replenishing.shop import Outcome, Prices, Trade, replayed
from models.policy.order_graph import OrderGraph

Frontier = dict[str, list[Outcome]]
OURS, MIN_MAX, NEWSVENDOR, COVER = "order graph", "min/max", "newsvendor", "days of cover"
REORDER = "reorder level"
MOST_LOST = 0.15
"""Share of demand: what loses more is not drawn."""
_COLOURS = {OURS: "#0b6e4f", MIN_MAX: "#b23a48", NEWSVENDOR: "#2f6690", COVER: "#c98a1b", REORDER: "#7a5c99"}


def frontier_of(trade: Trade, graph: OrderGraph, quick: bool) -> Frontier:
    step = 2 if quick else 1
    odds = np.exp(np.linspace(np.log(1), np.log(900), 13))[::step]
    levels = 1 / (1 + np.exp(-np.linspace(-0.5, 4.5, 13)))[::step]
    # Close together where lost sales are steep: a straight line between far points would flatter whoever is compared with them.
    safety = np.array([-3, -1.5, -0.75, -0.4, 0, 0.4, 0.8, 1.5, 2.5, 4, 6.5, 10, 17])
    cover = np.exp(np.linspace(0, np.log(14), 13))
    return {
        OURS: [replayed(trade, our_graph(graph, float(value))) for value in odds],
        NEWSVENDOR: [replayed(trade, newsvendor(float(value))) for value in levels],
        MIN_MAX: [replayed(trade, min_max(float(value))) for value in safety],
        REORDER: [replayed(trade, reorder_level(float(value))) for value in safety],
        COVER: [replayed(trade, days_of_cover(float(value))) for value in cover],
    }


def costs_of(trade: Trade, graph: OrderGraph, prices: Prices, frontier: Frontier) -> dict[str, float]:
    """Of 100 units asked for. The order graph is told the prices and left alone; it and the others also stand at the cheapest of
    their settings, which no shop knows beforehand."""
    ours = [
        replayed(trade, our_graph_at(graph, prices, share)).cost(prices)
        for share in (1.0, 0.5, 0.7, 1.2, 1.35, 1.5, 2.0)
    ]
    return {OURS: ours[0], f"{OURS} in hindsight": min(ours)} | {
        method: min(outcome.cost(prices) for outcome in outcomes)
        for method, outcomes in frontier.items()
        if method != OURS
    }


def stock_at(outcomes: list[Outcome], fill: float) -> float:
    """Days of stock at a fill rate, on the straight line between the two runs around it; NaN outside."""
    found = sorted(outcomes, key=lambda outcome: outcome.fill)
    fills = [outcome.fill for outcome in found]
    if not fills[0] <= fill <= fills[-1]:
        return float("nan")
    return float(np.interp(fill, fills, [outcome.stock_days for outcome in found]))


def of_stock(outcomes: list[Outcome], stock_days: float, what: str) -> float:
    """Lost or wasted share at so much stock; beyond the largest stock of the runs that run's, which is no better; NaN below."""
    found = sorted(outcomes, key=lambda outcome: outcome.stock_days)
    stocks = [outcome.stock_days for outcome in found]
    if stock_days < stocks[0] or np.isnan(stock_days):
        return float("nan")
    return float(np.interp(stock_days, stocks, [getattr(outcome, what) for outcome in found]))


def waste_at(outcomes: list[Outcome], fill: float) -> float:
    found = sorted(outcomes, key=lambda outcome: outcome.fill)
    fills = [outcome.fill for outcome in found]
    return (
        float(np.interp(fill, fills, [outcome.waste for outcome in found]))
        if fills[0] <= fill <= fills[-1]
        else float("nan")
    )


@dataclass(frozen=True, slots=True)
class _Panel:
    """what: of an Outcome, upwards, a share of demand from 0 to most, a line every `step`."""

    title: str
    label: str
    what: str
    most: float
    step: float
    frontier: Frontier


def picture(frontiers: dict[str, Frontier], path: Path) -> None:
    """An SVG: a panel for each trade, days of stock to the right, lost sales upwards, and one of waste where there is any."""
    panels = [
        panel
        for name, frontier in frontiers.items()
        for panel in (
            _Panel(name, "lost sales, share of demand", "lost", MOST_LOST, 0.05, frontier),
            _Panel(f"{name}: waste", "waste, share of demand", "waste", _most_waste(frontier), 0.1, frontier),
        )
        if panel.most > 0
    ]
    width, height, margin = 430, 330, 58
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * len(panels)}" height="{height}"'
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    )
    parts = [_panel(panel, place * width, (width, height, margin)) for place, panel in enumerate(panels)]
    path.write_text("\n".join([head, *parts, "</svg>"]) + "\n")


def _shown(frontier: Frontier) -> tuple[float, float]:
    """Days of stock between which a panel shows all methods."""
    stocks = [
        outcome.stock_days
        for outcomes in frontier.values()
        for outcome in outcomes
        if outcome.lost <= MOST_LOST
    ]
    return min(stocks) * 0.9, min(max(stocks), min(stocks) * 4)


def _most_waste(frontier: Frontier) -> float:
    """The most that is shown, up to the next tenth; 0 where nothing expires."""
    _, high = _shown(frontier)
    most = max(
        outcome.waste for outcomes in frontier.values() for outcome in outcomes if outcome.stock_days <= high
    )
    return float(np.ceil(most * 10) / 10)


def _panel(panel: _Panel, left: int, size: tuple[int, int, int]) -> str:
    width, height, margin = size
    low, high = _shown(panel.frontier)

    def x(stock_days: float) -> float:
        return left + margin + (stock_days - low) / (high - low) * (width - margin - 20)

    def y(share: float) -> float:
        return height - margin + 8 - share / panel.most * (height - 2 * margin)

    parts = [f'<text x="{left + margin}" y="22" font-size="14" font-weight="bold">{panel.title}</text>']
    for tick in np.arange(0, panel.most + panel.step / 2, panel.step):
        at = y(float(tick))
        parts.append(
            f'<line x1="{left + margin}" x2="{left + width - 20}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>'
        )
        parts.append(
            f'<text x="{left + margin - 6}" y="{at + 4:.1f}" text-anchor="end">{100 * tick:.0f} %</text>'
        )
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        days = low + share * (high - low)
        parts.append(
            f'<text x="{x(days):.1f}" y="{height - margin + 26}" text-anchor="middle">{days:.1f}</text>'
        )
    parts.append(
        f'<text x="{left + width / 2:.0f}" y="{height - 12}" text-anchor="middle">stock at closing, days of sales</text>'
    )
    parts.append(f'<text x="{left + margin}" y="40" fill="#555">{panel.label}</text>')
    for row, (method, outcomes) in enumerate(panel.frontier.items()):
        inside = sorted(
            (
                outcome
                for outcome in outcomes
                if outcome.lost <= MOST_LOST and low <= outcome.stock_days <= high
            ),
            key=lambda outcome: outcome.stock_days,
        )
        points = " ".join(
            f"{x(outcome.stock_days):.1f},{y(getattr(outcome, panel.what)):.1f}" for outcome in inside
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{_COLOURS[method]}" stroke-width="2"/>'
        )
        # Where the lines are not: lost sales fall, waste rises.
        at, anchor = (left + width - 24, "end") if panel.what == "lost" else (left + margin + 8, "start")
        parts.append(
            f'<text x="{at}" y="{60 + 17 * row}" text-anchor="{anchor}" fill="{_COLOURS[method]}">{method}</text>'
        )
    return "\n".join(parts)

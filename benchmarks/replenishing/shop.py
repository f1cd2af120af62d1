"""Real demand, and a shop that replays it: lost sales, packs, delivery calendar, shelf life."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.policy.lattice import demand_met

HISTORY_DAYS = 56
CORRELATION = 0.05
"""Between two days' forecast errors of one series, as in the demo's bundle."""


@dataclass(frozen=True, slots=True)
class Trade:
    """demand: (n, days), whole units. first: index of the first replayed day; warm_up: days before counting starts.

    order_days: weekdays (day index modulo 7) after whose close an order may be placed; it is there lead_days later, in the
    morning. life_days: days on which a unit can be sold, None for goods that keep. packs, min_orders: (n,), units; the least
    order is whole packs.
    """

    name: str
    demand: np.ndarray
    first: int
    warm_up: int
    order_days: tuple[int, ...]
    lead_days: int
    life_days: int | None
    packs: np.ndarray
    min_orders: np.ndarray

    def placed(self, wanted: np.ndarray) -> np.ndarray:
        """Units that a supplier takes an order of: up to whole packs, and to the least order."""
        whole = np.ceil(np.maximum(wanted, 0) / self.packs - 1e-9) * self.packs
        return np.where(whole > 0, np.maximum(whole, self.min_orders), 0).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Evening:
    """What a method sees after a day's close. hand: (n, life), by remaining days, last column freshest (one column when goods
    keep); arriving: (n, lead_days), column k in the morning of day + 1 + k, the last is free for today's order.
    cover_days: from the arrival of today's order to that of the next possible one."""

    trade: Trade
    day: int
    hand: np.ndarray
    arriving: np.ndarray
    cover_days: int

    @property
    def position(self) -> np.ndarray:
        return np.asarray(self.hand.sum(axis=1) + self.arriving.sum(axis=1))

    @property
    def past(self) -> np.ndarray:
        return self.trade.demand[:, max(self.day + 1 - HISTORY_DAYS, 0) : self.day + 1]


Method = Callable[[Evening], np.ndarray]


@dataclass(frozen=True, slots=True)
class Outcome:
    """fill: share of demand served; stock: units held at a day's close, per unit sold a day (days of stock); waste: share of
    demand; lost: share of demand. lines: orders of one series, per unit asked for."""

    fill: float
    stock_days: float
    waste: float
    lines: float = 0.0

    @property
    def lost(self) -> float:
        return 1 - self.fill

    def cost(self, prices: "Prices") -> float:
        """Of 100 units asked for."""
        held = prices.held * self.stock_days * self.fill
        return 100 * (prices.lost * self.lost + held + prices.wasted * self.waste + prices.line * self.lines)


@dataclass(frozen=True, slots=True)
class Prices:
    """In margins of a unit: what a unit costs that is lost, held for a day, or wasted, and what handling an order's line costs."""

    lost: float = 1.0
    held: float = 0.01
    wasted: float = 2.0
    line: float = 0.3


def replayed(trade: Trade, method: Method) -> Outcome:
    """The method's trade over all days from trade.first on, all series at once."""
    n = len(trade.demand)
    life = trade.life_days or 1
    hand = np.zeros((n, life), dtype=np.int64)
    past = trade.demand[:, max(trade.first - HISTORY_DAYS, 0) : trade.first]
    hand[:, -1] = np.ceil(past.mean(axis=1) * (trade.lead_days + 1))
    arriving = np.zeros((n, trade.lead_days), dtype=np.int64)
    sold = stock = wasted = wanted = lines = 0.0
    for day in range(trade.first, trade.demand.shape[1]):
        hand[:, -1] += arriving[:, 0]
        arriving = np.concatenate([arriving[:, 1:], np.zeros((n, 1), dtype=np.int64)], axis=1)
        left, lost, old = demand_met(hand, trade.demand[:, day], "fifo")
        if trade.life_days is not None:
            left = np.concatenate([left[:, 1:], np.zeros((n, 1), dtype=np.int64)], axis=1)
        else:
            old = np.zeros(n, dtype=np.int64)
        hand = left
        if day % 7 in trade.order_days:
            evening = Evening(trade, day, hand, arriving, cover_days(trade, day))
            order = method(evening)
            arriving[:, -1] += order
            if day >= trade.first + trade.warm_up:
                lines += np.count_nonzero(order)
        if day >= trade.first + trade.warm_up:
            wanted += trade.demand[:, day].sum()
            sold += (trade.demand[:, day] - lost).sum()
            stock += hand.sum()
            wasted += old.sum()
    return Outcome(sold / wanted, stock / max(sold, 1), wasted / wanted, lines / wanted)


def cover_days(trade: Trade, day: int) -> int:
    """Days until the next evening on which an order may be placed."""
    return next(step for step in range(1, 8) if (day + step) % 7 in trade.order_days)


def packs_of(demand: np.ndarray, days: float = 3.0) -> np.ndarray:
    """Packs as the trade has them: about so many days' demand, from the usual sizes."""
    sizes = np.array([1, 2, 3, 4, 6, 8, 12, 24])
    about = np.maximum(days * demand.mean(axis=1), 1)
    return np.asarray(sizes[np.abs(np.log(sizes[None, :]) - np.log(about)[:, None]).argmin(axis=1)])


def least_orders(packs: np.ndarray, seed: int) -> np.ndarray:
    """Two packs for a quarter of the series, one for the others."""
    return np.where(np.random.default_rng(seed).random(len(packs)) < 0.25, 2 * packs, packs)


def m5_trade(folder: Path, series: int, seed: int = 7) -> Trade:
    """M5's days but the last 28, `series` at random of those that sell at least one unit in three days; Monday and Thursday
    orders, three days' lead time."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "m5" / "m5_daily_wide_2015-03-03_2016-05-22.parquet")
    days = [name for name in table.column_names if name[:2] in {"20", "d_"}]
    units = np.stack([table[name].to_numpy(zero_copy_only=False) for name in days], axis=1).astype(float)[
        :, :-28
    ]
    recent = units[:, -200:]
    eligible = np.flatnonzero(np.isfinite(recent).all(axis=1) & (np.nan_to_num(recent).mean(axis=1) >= 1 / 3))
    chosen = np.random.default_rng(seed).choice(eligible, min(series, len(eligible)), replace=False)
    demand = np.rint(recent[chosen]).astype(np.int64)
    # The last column is a Sunday (2016-04-24): shift so that index 0 modulo 7 is a Monday.
    demand = demand[:, demand.shape[1] % 7 :]
    history = demand[:, :HISTORY_DAYS]
    packs = packs_of(history)
    return Trade("M5", demand, HISTORY_DAYS, 21, (0, 3), 3, None, packs, least_orders(packs, seed))


def fresh_trade(folder: Path, series: int, seed: int = 7) -> Trade:
    """FreshRetailNet's days but the last 7, series that were in stock on 85 % of them; the other days count as the median of
    their weekday. Four days' life, orders every evening for the morning after next, crates of about half a day's demand."""
    import pyarrow.parquet as pq

    table = pq.read_table(
        folder / "freshretailnet" / "frn50k_daily_2024-03-28_2024-06-11.parquet"
    ).to_pandas()
    sale, hours = _fresh_columns(table)
    n_days = 76 - 7
    sale, hours = sale[:, :n_days], hours[:, :n_days]
    seen = np.where(hours > 0, np.nan, np.rint(sale * 10))
    eligible = np.flatnonzero(
        (np.isfinite(seen).mean(axis=1) >= 0.85) & (np.nan_to_num(seen).mean(axis=1) >= 2)
    )
    chosen = seen[np.random.default_rng(seed).choice(eligible, min(series, len(eligible)), replace=False)]
    for weekday in range(7):
        part = chosen[:, weekday::7]
        fill = np.nanmedian(part, axis=1, keepdims=True)
        chosen[:, weekday::7] = np.where(np.isfinite(part), part, np.nan_to_num(fill))
    demand = chosen.astype(np.int64)
    packs = packs_of(demand[:, :28], days=0.5)
    return Trade("FreshRetailNet", demand, 28, 7, tuple(range(7)), 2, 4, packs, least_orders(packs, seed))


def _fresh_columns(table: object) -> tuple[np.ndarray, np.ndarray]:
    frame = table.sort_values(["store_id", "product_id", "dt"])  # type: ignore[attr-defined]
    return frame["sale"].to_numpy().reshape(-1, 76), frame["stock_hour6_22"].to_numpy().reshape(-1, 76)

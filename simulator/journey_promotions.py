"""What the chain's weekly mailer showed of some goods, and what they were then sold at: the receipts say what it did to demand.

A week runs from Monday to Sunday. A product counts as promoted where more than half of the stores that had a mailer that
week showed it, as the demo's bundle was trained with (`models.training.completejourney`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simulator.journey_receipts import Ints, LineBatch

WEEKS = 54
MAX_PERCENT, STEP_PERCENT = 95, 5
"""Discounts are planned in round figures; the receipts' own are a mean over shops."""
_BATCH_ROWS = 16_384
_SECOND_WEEK = date(2017, 1, 2)
"""A Monday; 1 January is a week of its own."""


@dataclass(frozen=True, slots=True)
class PromotedWeek:
    """product: place in Products. discount_percent: None where it was shown at its usual price."""

    product: int
    from_day: date
    until_day: date
    discount_percent: int | None


def week_of(day: date) -> int:
    """The receipts' number of the week, 1 to 53."""
    return 2 + (day - _SECOND_WEEK).days // 7


def first_day_of(week: int) -> date:
    return _SECOND_WEEK + timedelta(days=7 * (week - 2))


class Promotions:
    """Of the goods at `places` of Products: collects what their receipts' lines say, then tells the promoted weeks."""

    def __init__(self, source: Path, product_ids: Ints, places: Iterable[int]) -> None:
        self._source = source
        self._places = np.array(sorted(places), np.int64)
        self._ids = product_ids[self._places]
        self._row = np.full(len(product_ids), -1, np.int64)
        self._row[self._places] = np.arange(len(self._places))
        self._regular = np.zeros((len(self._places), WEEKS), np.int64)
        self._off = np.zeros((len(self._places), WEEKS), np.int64)

    def add(self, lines: LineBatch) -> None:
        row = self._row[lines.product]
        known = row >= 0
        since = (_SECOND_WEEK - date(1970, 1, 1)).days
        at = (row[known], 2 + (lines.day[known] - since) // 7)
        np.add.at(self._regular, at, lines.regular_cents[known])
        np.add.at(self._off, at, lines.discount_cents[known])

    def weeks(self, first_day: date, last_day: date) -> list[PromotedWeek]:
        """Those that touch the days from first_day through last_day, in order of week and product."""
        shown = self._shown()
        found = []
        for week in range(max(1, week_of(first_day)), min(WEEKS - 1, week_of(last_day)) + 1):
            monday = first_day_of(week)
            for row in np.flatnonzero(shown[:, week]):
                percent = self._percent(int(row), week)
                found.append(
                    PromotedWeek(int(self._places[row]), monday, monday + timedelta(days=6), percent)
                )
        return found

    def _percent(self, row: int, week: int) -> int | None:
        share = int(self._off[row, week]) / max(int(self._regular[row, week]), 1)
        percent = min(MAX_PERCENT, round(100 * share / STEP_PERCENT) * STEP_PERCENT)
        return percent or None

    def _shown(self) -> npt.NDArray[np.bool_]:
        """(goods, WEEKS). Read in batches: the table has 21 million rows."""
        keys: list[Ints] = []
        columns = ["product_id", "store_id", "week", "mailer_location"]
        path = self._source / "promotions.parquet"
        with pq.ParquetFile(
            path, read_dictionary=["mailer_location"], pre_buffer=False, buffer_size=65_536
        ) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
                kept = pc.and_(
                    pc.is_in(batch["product_id"], pa.array(self._ids)),
                    pc.not_equal(batch["mailer_location"], "0"),
                )
                rows = batch.filter(kept)
                row = np.searchsorted(self._ids, rows["product_id"].to_numpy())
                stores, weeks = rows["store_id"].to_numpy(), rows["week"].to_numpy()
                keys.append((stores * WEEKS + weeks) * len(self._ids) + row)
        every = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.int64)
        by_week, row = np.divmod(every, max(len(self._ids), 1))
        count = np.zeros((len(self._ids), WEEKS), np.int64)
        np.add.at(count, (row, by_week % WEEKS), 1)
        stores_a_week = np.bincount(np.unique(by_week) % WEEKS, minlength=WEEKS)
        return np.asarray(count > stores_a_week[None, :] / 2)

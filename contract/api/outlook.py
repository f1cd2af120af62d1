"""What regions will want: forecast demand of categories against the same weekdays before."""

from typing import Literal

from contract.api.common import ApiModel
from contract.ids import DayText


class Driver(ApiModel):
    """A SKU in a shop that carries the change, the strongest first."""

    store: str
    store_name: str
    sku: str
    name: str
    expected_units: float
    usual_units: float


class CategoryOutlook(ApiModel):
    """One category in one region over the coming days.

    expected_units: sum of the forecasts' means, with its 80 % interval low..high. usual_units: what the same weekdays sold in
    the four weeks before, a week; both are of `days_compared` of the days ahead, those whose weekday was heard before. verdict: hot or
    cool when chance alone would hardly do it, else usual; unknown below two weeks of history. shared: of the forecasts' variance, what SKUs and shops of the region missed together in the
    weeks before, 0 to 1; the interval is made with it.
    """

    region: str
    category: str
    expected_units: float
    low_units: float
    high_units: float
    usual_units: float
    verdict: Literal["hot", "usual", "cool", "unknown"]
    stores: int
    skus: int
    drivers: list[Driver]
    days_compared: int = 7
    shared: float = 0.1


class RegionalOutlook(ApiModel):
    """days: looked ahead. stores_read: of stores_total; the others are read when this is asked again. from_day: the first day
    of the forecasts, the earliest of all shops. skus_left_out: without a forecast of today. stores_young: of those read, heard for
    less than two weeks: they count only where no other shop of the region sells the category.
    """

    days: int
    from_day: DayText | None
    stores_read: int
    stores_total: int
    skus_left_out: int
    rows: list[CategoryOutlook]
    stores_young: int = 0

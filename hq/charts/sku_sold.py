"""What a SKU sold, the forecast's median and its bands, and how often the bands held."""

from contract.api.stores import ForecastPoint, SkuSeries
from contract.records import QUANTILE_LEVELS
from hq import palette
from hq.charts import Option
from hq.charts.axis import datum
from hq.charts.sku_scale import DAY_MS, Scale
from hq.words import UNKNOWN, counted, money, number

_Q = {level: place for place, level in enumerate(QUANTILE_LEVELS)}


def sold_series(series: SkuSeries, scale: Scale) -> list[Option]:
    bars = [
        datum(
            [scale.x(point.at_ms), point.sold_units],
            f"{counted(point.sold_units, 'unit')}, {money(point.sold_cents, series.currency)}",
            scale.head(point.at_ms),
        )
        if point.covered or point.sold_units
        else datum([scale.x(point.at_ms), None], UNKNOWN, scale.head(point.at_ms))
        for point in series.points
    ]
    forecast = series.forecast if scale.daily else []
    sold = {
        "name": "Sold",
        "type": "bar",
        "data": bars,
        "itemStyle": {"color": palette.OURS},
        "barMaxWidth": 18,
        "barMinHeight": 0,
    }
    median = {
        "name": "Forecast",
        "type": "line",
        "showSymbol": len(forecast) < 2,
        "lineStyle": {"width": 2, "color": palette.FORECAST},
        "itemStyle": {"color": palette.FORECAST},
        "z": 4,
        "data": [
            datum(
                [scale.x(point.at_ms), point.quantiles[_Q[0.5]]],
                f"{number(point.quantiles[_Q[0.5]], 1)} median, {number(point.mean, 1)} mean",
                scale.head(point.at_ms),
            )
            for point in forecast
        ],
    }
    return [
        *_band("95 % band", 0.025, 0.975, 0.16, forecast, scale),
        *_band("80 % band", 0.1, 0.9, 0.34, forecast, scale),
        sold,
        median,
    ]


def _band(
    name: str, low: float, high: float, opacity: float, points: list[ForecastPoint], scale: Scale
) -> list[Option]:
    """Two stacked lines: an unseen floor at the low quantile, and the filled distance to the high one."""
    common = {"type": "line", "stack": name, "symbol": "none", "lineStyle": {"opacity": 0}, "z": 1}
    floor = [datum([scale.x(point.at_ms), point.quantiles[_Q[low]]]) for point in points]
    span_ = [
        datum(
            [scale.x(point.at_ms), round(point.quantiles[_Q[high]] - point.quantiles[_Q[low]], 3)],
            f"{number(point.quantiles[_Q[low]], 1)} to {number(point.quantiles[_Q[high]], 1)}",
            scale.head(point.at_ms),
        )
        for point in points
    ]
    fill = {"color": palette.FORECAST, "opacity": opacity}
    return [
        {**common, "name": f"{name} floor", "data": floor, "silent": True},
        {
            **common,
            "name": name,
            "data": span_,
            "areaStyle": fill,
            "itemStyle": {"color": palette.FORECAST, "opacity": opacity},
        },
    ]


def coverage(series: SkuSeries) -> tuple[int, int] | None:
    """(days whose sales lay in the 80 % band, days that had a forecast and are over); None without such a day."""
    if series.step_ms < DAY_MS or not series.points:
        return None
    sold = {point.at_ms: point.sold_units for point in series.points[:-1] if point.covered}
    judged = [
        point.quantiles[_Q[0.1]] <= sold[point.at_ms] <= point.quantiles[_Q[0.9]]
        for point in series.forecast
        if point.at_ms in sold
    ]
    return (sum(judged), len(judged)) if judged else None

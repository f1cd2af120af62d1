"""The calendar document as columns by day around one business day: what forecasts are told of holidays, promotions, weather.

One view serves all SKUs of the day's questions; SKUs that are not promoted share one row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import nan

from contract.calendar import Calendar, CalendarDays, Promotion

Days = tuple[float, ...]
PROMOTION, DISCOUNT = "promotion", "discount"


@dataclass(frozen=True, slots=True)
class KnownDaysView:
    """Columns of models.known_days, one value a day, NaN unknown. shop: of all SKUs. promoted: SKU -> promotion, discount.

    ordinary: of SKUs that are not promoted on any of the days.
    """

    shop: Mapping[str, Days]
    promoted: Mapping[str, tuple[Days, Days]]
    ordinary: Days

    def columns(self, skus: Sequence[str], days: int) -> dict[str, list[Days]]:
        """The first `days` days: one row of what holds for the shop, one row a SKU of its promotions."""
        found = {name: [values[:days]] for name, values in self.shop.items()}
        if not self.promoted:
            return {**found, PROMOTION: [self.ordinary[:days]], DISCOUNT: [self.ordinary[:days]]}
        usual = (self.ordinary, self.ordinary)
        for place, name in enumerate((PROMOTION, DISCOUNT)):
            found[name] = [self.promoted.get(sku, usual)[place][:days] for sku in skus]
        return found


def known_days_view(
    document: Calendar | None, category_by_sku: Mapping[str, str], first: date, days: int
) -> KnownDaysView | None:
    """Of `days` days from `first` on; None where the document says nothing of them."""
    if document is None:
        return None
    texts = [(first + timedelta(days=day)).isoformat() for day in range(days)]
    ordinary = tuple(0.0 if document.from_day <= text <= document.until_day else nan for text in texts)
    weather = {each.day: each for each in document.weather}
    shop: dict[str, Days] = {}
    if document.days and 0.0 in ordinary:
        # Of a kind that the calendar never names nothing is known: a shop may keep holidays and no paydays.
        shop = {
            kind: _flags(texts, ordinary, (each for each in document.days if each.kind == kind))
            for kind in sorted({each.kind.value for each in document.days})
        }
    for name in ("rain_mm", "temperature_c"):
        values = tuple(
            nan if text not in weather or (told := getattr(weather[text], name)) is None else float(told)
            for text in texts
        )
        if any(value == value for value in values):  # noqa: PLR0124 - not NaN
            shop[name] = values
    if not document.promotions or 0.0 not in ordinary:
        return KnownDaysView(shop, {}, (nan,) * days) if shop else None
    return KnownDaysView(shop, _promoted(document, category_by_sku, texts, ordinary), ordinary)


def _flags(texts: list[str], ordinary: Days, spans: Iterable[CalendarDays | Promotion]) -> Days:
    values = list(ordinary)
    for each in spans:
        for place in _places(texts, each.from_day, each.until_day):
            values[place] = 1.0
    return tuple(values)


def _places(texts: list[str], from_day: str, until_day: str) -> list[int]:
    return [place for place, text in enumerate(texts) if from_day <= text <= until_day]


def _promoted(
    document: Calendar, category_by_sku: Mapping[str, str], texts: list[str], ordinary: Days
) -> dict[str, tuple[Days, Days]]:
    flags: dict[str, list[float]] = {}
    discounts: dict[str, list[float]] = {}
    for each in document.promotions:
        places = _places(texts, each.from_day, each.until_day)
        if not places:
            continue
        categories = frozenset(each.categories)
        skus = {sku for sku in each.skus if sku in category_by_sku}
        if categories:
            skus |= {sku for sku, category in category_by_sku.items() if category in categories}
        off = 0.0 if each.discount_percent is None else each.discount_percent / 100
        for sku in skus:
            flag, discount = flags.setdefault(sku, list(ordinary)), discounts.setdefault(sku, list(ordinary))
            for place in places:
                flag[place], discount[place] = 1.0, max(off, discount[place] if discount[place] > 0 else 0.0)
    return {sku: (tuple(flags[sku]), tuple(discounts[sku])) for sku in flags}

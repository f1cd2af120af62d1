"""A shop's calendar in the ledger as columns of the table of sales: what was known beforehand of each row's day."""

from collections.abc import Iterable
from datetime import date, timedelta

from contract.calendar import DayKind
from contract.documents import CalendarDocument
from contract.errors import MalformedMessageError
from models.errors import TrainingDataError
from models.known_days import KNOWN_DAY_COLUMNS


class LedgerCalendar:
    """Answers for one shop; a shop without a calendar answers None to everything."""

    def __init__(self, body: str | None, store: str) -> None:
        """body: the document's text. Raises TrainingDataError when it is none."""
        self._document: CalendarDocument | None = None
        self._kinds: frozenset[DayKind] = frozenset()
        if body is None:
            return
        try:
            self._document = CalendarDocument.from_json(body)
        except MalformedMessageError as error:
            raise TrainingDataError(
                f"the calendar of store {store} cannot be read: {error}; put it again with PUT /v1/stores/{store}/calendar"
            ) from None
        self._kinds = frozenset(each.kind for each in self._document.days)
        self._weather = {each.day: each for each in self._document.weather}

    def of(self, sku: str, category: str, day: date) -> dict[str, float | None]:
        """Columns of models.known_days, None unknown. Of a kind of day that the calendar never names nothing is known."""
        out: dict[str, float | None] = dict.fromkeys(KNOWN_DAY_COLUMNS)
        document, text = self._document, day.isoformat()
        if document is None:
            return out
        weather = self._weather.get(text)
        if weather is not None:
            out["rain_mm"], out["temperature_c"] = weather.rain_mm, weather.temperature_c
        if not document.from_day <= text <= document.until_day:
            return out
        out |= {kind.value: 0.0 for kind in self._kinds}
        out |= {each.kind.value: 1.0 for each in document.days if each.from_day <= text <= each.until_day}
        if document.promotions:
            offers = [
                each
                for each in document.promotions
                if each.from_day <= text <= each.until_day
                and (sku in each.skus or category in each.categories)
            ]
            out["promotion"] = float(bool(offers))
            out["discount"] = max((each.discount_percent or 0 for each in offers), default=0) / 100
        return out

    def told_days(self, category_by_sku: dict[str, str], open_days: Iterable[date]) -> set[tuple[str, date]]:
        """(SKU, day) of promotions and of the day after each, on days on which the shop sold anything.

        A promoted day without a sale has to be a row of its own: from rows with sales alone every promotion would have worked.
        """
        if self._document is None:
            return set()
        kept = frozenset(open_days)
        found = set()
        for each in self._document.promotions:
            categories = frozenset(each.categories)
            skus = {sku for sku in each.skus if sku in category_by_sku}
            skus |= {sku for sku, category in category_by_sku.items() if category in categories}
            first, last = date.fromisoformat(each.from_day), date.fromisoformat(each.until_day)
            days = [first + timedelta(days=step) for step in range((last - first).days + 2)]
            found |= {(sku, day) for sku in skus for day in days if day in kept}
        return found

"""What the centre knows of days beforehand, as a gateway gets it: holidays, promotions and weather of its shop."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from contract.devices import Text
from contract.ids import DayText, SkuText
from contract.message import Message

MAX_CALENDAR_DAYS = 1000
MAX_PROMOTIONS = 2000
MAX_PROMOTED = 20_000
"""SKUs and categories of all promotions together: a gateway keeps them in memory."""
MAX_WEATHER_DAYS = 800


class DayKind(StrEnum):
    """What kind of day it is; see docs/glossary.md. A promotion is of some goods and stands apart."""

    HOLIDAY = "holiday"
    SCHOOL_HOLIDAY = "school_holiday"
    EVENT = "event"
    PAYDAY = "payday"


class _Span(Message):
    from_day: DayText
    until_day: DayText

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until_day < self.from_day:
            raise ValueError(f"until_day {self.until_day} lies before from_day {self.from_day}")
        return self


class CalendarDays(_Span):
    """Every day from from_day through until_day is of that kind. name: for people."""

    kind: Annotated[DayKind, Field(strict=False)]
    name: Text = ""


class Promotion(_Span):
    """These SKUs, and all of these categories, are promoted from from_day through until_day. discount_percent: off the price."""

    skus: Annotated[list[SkuText], Field(max_length=MAX_PROMOTED)] = []
    categories: Annotated[list[Text], Field(max_length=500)] = []
    discount_percent: Annotated[int, Field(ge=0, le=95)] | None = None
    name: Text = ""

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not self.skus and not self.categories:
            raise ValueError("a promotion names neither SKUs nor categories")
        return self


class DayWeather(Message):
    """Measured or forecast, of the whole day."""

    day: DayText
    rain_mm: Annotated[float, Field(ge=0, le=500)] | None = None
    temperature_c: Annotated[float, Field(ge=-60, le=60)] | None = None


class Calendar(_Span):
    """from_day, until_day: within them the days and promotions are all there are; outside nothing is known of either."""

    days: Annotated[list[CalendarDays], Field(max_length=MAX_CALENDAR_DAYS)] = []
    promotions: Annotated[list[Promotion], Field(max_length=MAX_PROMOTIONS)] = []
    weather: Annotated[list[DayWeather], Field(max_length=MAX_WEATHER_DAYS)] = []

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        promoted = sum(len(each.skus) + len(each.categories) for each in self.promotions)
        if promoted > MAX_PROMOTED:
            raise ValueError(
                f"promotions name {promoted} SKUs and categories; the limit is {MAX_PROMOTED}: leave out those that are over"
            )
        return self

    def told_of(self, sku: str, category: str, day: str) -> tuple[str, ...]:
        """What is known of one SKU's day, for people: "holiday (Harvest)", "promotion 20 % off"."""
        found = [
            each.kind.value.replace("_", " ") + _named(each.name)
            for each in self.days
            if each.from_day <= day <= each.until_day
        ]
        for each in self.promotions:
            if each.from_day <= day <= each.until_day and (sku in each.skus or category in each.categories):
                off = f" {each.discount_percent} % off" if each.discount_percent else ""
                found.append(f"promotion{off}{_named(each.name)}")
        return tuple(found)


def _named(name: str) -> str:
    return f" ({name})" if name else ""

"""Months as a wall calendar shows them: what kind of day each is as a letter, a promotion as a bar; what stands there as its title.

HTML, so that a phone can put one month under the other. Text from outside is escaped.
"""

from calendar import monthrange
from datetime import date, timedelta
from html import escape

from contract.calendar import Calendar
from hq.day_entries import KINDS, Entry, entries_of, off_text

LETTERS = {"holiday": "H", "school_holiday": "S", "event": "E", "payday": "P"}
"""The first that a day has is its letter."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def months_html(calendar: Calendar | None, today: date, before: int = 1, after: int = 2) -> str:
    """The month of today with some before and after."""
    entries = [] if calendar is None else entries_of(calendar)
    months = [_month_after(today, step) for step in range(-before, after + 1)]
    weather = {} if calendar is None else {each.day: each for each in calendar.weather}
    told = {day: _weather(each.rain_mm, each.temperature_c) for day, each in weather.items()}
    known = (calendar.from_day, calendar.until_day) if calendar is not None else ("", "")
    blocks = [
        _month(first, [each for each in entries if _touches(each, first)], told, known, today)
        for first in months
    ]
    return f'<div class="months">{"".join(blocks)}</div>{_LEGEND}'


def _month(
    first: date, entries: list[Entry], weather: dict[str, str], known: tuple[str, str], today: date
) -> str:
    head = "".join(f'<span class="month-head" aria-hidden="true">{name[0]}</span>' for name in _WEEKDAYS)
    blank = '<span class="month-blank"></span>' * first.weekday()
    days = "".join(
        _day(first + timedelta(days=step), entries, weather, known, today)
        for step in range(monthrange(first.year, first.month)[1])
    )
    return (
        f'<section class="month" aria-label="{first:%B %Y}"><div class="month-name">{first:%B %Y}</div>'
        f'<div class="month-days">{head}{blank}{days}</div></section>'
    )


def _day(
    day: date, entries: list[Entry], weather: dict[str, str], known: tuple[str, str], today: date
) -> str:
    text = day.isoformat()
    here = sorted(
        (each for each in entries if each.includes(text)), key=lambda each: each.kind == "promotion"
    )
    kinds = {each.kind for each in here}
    kind = next((name for name in LETTERS if name in kinds), "")
    classes = ["month-day"]
    classes += [f"is-{kind}"] if kind else []
    classes += ["is-promoted"] if "promotion" in kinds else []
    classes += ["is-today"] if day == today else []
    classes += [] if known[0] <= text <= known[1] else ["is-unknown"]
    words = [_words(each) for each in here] + ([weather[text]] if text in weather else [])
    title = f"{_WEEKDAYS[day.weekday()]} {day.day}: {'; '.join(words) or ('an ordinary day' if known[0] <= text <= known[1] else 'nothing is known')}"
    letter = f'<b class="month-mark">{LETTERS[kind]}</b>' if kind else ""
    return f'<span class="{" ".join(classes)}" title="{escape(title, quote=True)}">{day.day}{letter}</span>'


def _words(entry: Entry) -> str:
    off = off_text(entry)
    return f"{KINDS[entry.kind].lower()}{f' {entry.name}' if entry.name else ''}{f', {off}' if off else ''}"


def _weather(rain_mm: float | None, temperature_c: float | None) -> str:
    said = [] if rain_mm is None else [f"{rain_mm:g} mm of rain"]
    return ", ".join(said + ([] if temperature_c is None else [f"{temperature_c:g} °C"]))


def _touches(entry: Entry, first: date) -> bool:
    last = first.replace(day=monthrange(first.year, first.month)[1])
    return entry.from_day <= last.isoformat() and entry.until_day >= first.isoformat()


def _month_after(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


_LEGEND = (
    '<div class="month-legend">'
    + "".join(
        f'<span><span class="month-key is-{kind}">{letter}</span>{escape(KINDS[kind].lower())}</span>'
        for kind, letter in LETTERS.items()
    )
    + '<span><span class="month-key is-promoted"></span>promotion</span>'
    '<span><span class="month-key is-unknown"></span>nothing is known</span></div>'
)

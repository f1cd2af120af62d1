"""What the shop's calendar says of a SKU's coming days, in words and as a row of boxes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

DAY_LETTERS = {"holiday": "H", "school holiday": "S", "event": "E", "payday": "P", "promotion": "%"}
"""What a box says, by how its words begin."""
_LEFT, _BOX, _STEP, _LINE = 60, 38, 41, 18


@dataclass(frozen=True, slots=True)
class ToldDay:
    """day: ISO. words: "holiday (Harvest)", "promotion 20 % off"; () an ordinary day."""

    day: str
    words: tuple[str, ...]

    @property
    def letters(self) -> str:
        found = (
            next((DAY_LETTERS[kind] for kind in DAY_LETTERS if said.startswith(kind)), "•")
            for said in self.words
        )
        return "".join(dict.fromkeys(found))


def in_words(days: tuple[ToldDay, ...]) -> str:
    told = [f"{each.day}: {', '.join(each.words)}" for each in days if each.words]
    return "; ".join(told) or "nothing in the calendar but ordinary days"


def drawn(days: tuple[ToldDay, ...], top: float) -> tuple[list[str], int]:
    """SVG from `top` on, and its height in pixels: a box a day, those that differ filled and lettered, and what they are below."""
    parts = [
        f'<text x="{_LEFT}" y="{top + 14:g}" fill="#555">what the calendar says of the days ahead</text>'
    ]
    parts += [part for place, each in enumerate(days) for part in _box(each, _LEFT + place * _STEP, top + 22)]
    lines = [each for each in days if each.words]
    for row, each in enumerate(lines):
        said = f"{_day(each.day)}: {', '.join(each.words)}"
        parts.append(f'<text x="{_LEFT}" y="{top + 22 + _BOX + _LINE * (row + 1):g}">{escape(said)}</text>')
    return parts, 22 + _BOX + _LINE * len(lines) + 14


def _box(each: ToldDay, x: float, y: float) -> Iterator[str]:
    promoted, special = "%" in each.letters, bool(each.letters.strip("%"))
    fill = "#f6dfae" if special else "#cfe3f5" if promoted else "none"
    yield f'<rect x="{x:g}" y="{y:g}" width="{_BOX}" height="{_BOX}" fill="{fill}" stroke="#bbb"/>'
    yield f'<text x="{x + 4:g}" y="{y + 13:g}" fill="#555" font-size="10">{int(each.day[-2:])}</text>'
    if each.letters:
        yield (
            f'<text x="{x + _BOX / 2:g}" y="{y + 30:g}" text-anchor="middle" font-weight="bold">{escape(each.letters)}</text>'
        )


def _day(text: str) -> str:
    day = date.fromisoformat(text)
    return f"{day:%a} {day.day} {day:%b}"

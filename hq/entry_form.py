"""What a person types about a day of the calendar, and the entry that it makes or what is wrong with it, field by field."""

import re
from dataclasses import dataclass
from datetime import date

from pydantic import TypeAdapter, ValidationError

from contract.ids import SkuText
from hq.day_entries import KINDS, Entry
from hq.words import counted

MAX_NAME = 80
MAX_GOODS = 500
"""Typed by hand; more come as a file."""
_SKU = TypeAdapter(SkuText)


@dataclass(frozen=True, slots=True)
class TypedDay:
    """As it stands in the fields. skus, categories: one a line. discount: percent, None for none said."""

    kind: str = "holiday"
    from_day: str = ""
    until_day: str = ""
    name: str = ""
    skus: str = ""
    categories: str = ""
    discount: float | None = None


def typed_day(entry: Entry) -> TypedDay | None:
    """The fields of an entry as it is; None where it has more than fields can say: several discounts, or too many goods."""
    offs = {off for _, _, off in entry.goods}
    if len(offs) > 1 or len(entry.goods) > MAX_GOODS:
        return None
    by_kind = {what: [good for kind, good, _ in entry.goods if kind == what] for what in ("sku", "category")}
    return TypedDay(
        entry.kind, entry.from_day, entry.until_day, entry.name, "\n".join(by_kind["sku"]),
        "\n".join(by_kind["category"]), next(iter(offs), None),
    )  # fmt: skip


def entry_from(typed: TypedDay) -> Entry | dict[str, str]:
    """The entry, or for each field of TypedDay that is wrong what is."""
    wrong: dict[str, str] = {}
    if typed.kind not in KINDS:
        wrong["kind"] = "One of these kinds."
    first, last = _day(typed.from_day), _day(typed.until_day or typed.from_day)
    if first is None:
        wrong["from_day"] = "A day such as 2026-12-25."
    if (last is None and (first is not None or typed.until_day)) or (
        first is not None and last is not None and last < first
    ):
        wrong["until_day"] = "A day such as 2026-12-26, not before the first; empty for one day."
    if len(typed.name.strip()) > MAX_NAME:
        wrong["name"] = f"At most {MAX_NAME} characters."
    goods = [("category", name.strip()) for name in typed.categories.splitlines()]
    goods += [("sku", sku) for sku in re.split(r"[\s,;]+", typed.skus)]
    goods = sorted({(what, good) for what, good in goods if good})
    if typed.kind == "promotion":
        wrong |= _wrong_goods(goods, typed.discount)
    if wrong or first is None or last is None:
        return wrong
    off = None if typed.discount is None else int(typed.discount)
    kept = tuple((what, good, off) for what, good in goods) if typed.kind == "promotion" else ()
    return Entry(typed.kind, first, last, typed.name.strip(), kept)


def _wrong_goods(goods: list[tuple[str, str]], discount: float | None) -> dict[str, str]:
    wrong: dict[str, str] = {}
    bad = next((good for what, good in goods if what == "sku" and not _is_sku(good)), None)
    if not goods:
        wrong["skus"] = "A promotion is of SKUs or of categories: name at least one."
    elif bad is not None:
        wrong["skus"] = f"{bad[:20]} is no SKU; one a line."
    elif len(goods) > MAX_GOODS:
        wrong["skus"] = f"{len(goods)} are more than {MAX_GOODS}: send them as a file."
    if discount is not None and not (float(discount).is_integer() and 0 <= discount <= 95):
        wrong["discount"] = "A whole number from 0 to 95, or empty."
    return wrong


def consequence(shops: int, *, whole: bool) -> str:
    """What saving does, before the click. whole: of a region or the chain, which shops that open later belong to."""
    later = ", and so does one that opens later" if whole else ""
    each = (
        "It gets" if shops == 1 and not whole else f"{counted(shops, 'shop')} get{'s' if shops == 1 else ''}"
    )
    return f"{each} this with the next call{later}; forecasts and orders of these days follow."


def _is_sku(text: str) -> bool:
    try:
        _SKU.validate_python(text)
    except ValidationError:
        return False
    return True


def _day(text: str) -> str | None:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        return None

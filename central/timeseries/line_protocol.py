"""Points as InfluxDB's line protocol, and the names that servers give them."""

from central.timeseries.port import FIELDS, Key, Point

CATEGORIES, WATCHED = "shelfloop_sales", "shelfloop_watched"
"""Measurements: sums of categories, and those of watched SKUs beside them, which must not be added to them."""
MAX_TAG_CHARS = 100
_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})


def tag(text: str) -> str:
    """`text` as a tag's value: what has no place in one is replaced, an empty one has a name, and long ones are cut."""
    clean = "".join(char if char.isprintable() and char != "\\" else " " for char in text)
    return " ".join(clean.split())[:MAX_TAG_CHARS].strip() or "none"


def key_of(point: Point) -> Key:
    return (point.store, tag(point.category), tag(point.sku) if point.sku else "", point.at_ms)


def line_from_point(point: Point) -> str:
    """What the protocol reads as syntax is escaped. Integers only: some servers drop text without a word."""
    measurement = WATCHED if point.sku else CATEGORIES
    tags = f"store={point.store},category={tag(point.category).translate(_ESCAPES)}"
    if point.sku:
        tags += f",sku={tag(point.sku).translate(_ESCAPES)}"
    fields = ",".join(f"{name}={value}i" for name, value in zip(FIELDS, point.values, strict=True))
    return f"{measurement},{tags} {fields} {point.at_ms}"

"""Identifiers, and the rules that make one."""

from datetime import date
from typing import Annotated, NewType

from pydantic import AfterValidator, Field, StringConstraints

StoreId = NewType("StoreId", str)
GatewayId = NewType("GatewayId", str)
DeviceId = NewType("DeviceId", str)
Sku = NewType("Sku", str)
Epoch = NewType("Epoch", str)
BootId = NewType("BootId", str)

ID_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$"
"""Lower case, digits and inner hyphens, 1 to 48 characters: valid in an MQTT topic, a URL and a file name alike."""

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
SkuText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
MemberRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
"""A pseudonym of a member: never a name, phone number or card number."""


def real_day(text: str) -> str:
    """`text` when it is a day of the calendar, 1970 to 2099. Raises ValueError for others: 2017-02-30 is none."""
    date.fromisoformat(text)
    if not "1970-01-02" <= text <= "2099-12-30":
        raise ValueError(f"day {text} must be from 1970 to 2099: a clock outside is broken")
    return text


DayText = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(real_day)]
"""A store's business day, ISO 8601."""
EpochMs = Annotated[int, Field(ge=0, lt=4_102_444_800_000)]
"""Milliseconds since 1970 UTC, before 2100: a clock outside is broken."""
Seq = Annotated[int, Field(ge=1, le=2**53 - 1)]

GTIN_LENGTHS = (8, 12, 13, 14)


def gtin_check_digit(body: str) -> str:
    """The GS1 mod-10 digit that completes `body`. Source: GS1 General Specifications, section 7.9."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def gtin14_from_text(text: str) -> str:
    """`text` as fourteen digits. Raises ValueError that says which rule it breaks."""
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"GTIN {text[:20]!r} must be digits only")
    if len(text) not in GTIN_LENGTHS:
        raise ValueError(f"GTIN {text[:20]!r} has {len(text)} digits; GTINs have 8, 12, 13 or 14")
    if gtin_check_digit(text[:-1]) != text[-1]:
        raise ValueError(f"GTIN {text} has check digit {text[-1]}, expected {gtin_check_digit(text[:-1])}")
    return text.zfill(14)


Gtin = Annotated[str, AfterValidator(gtin14_from_text)]
"""A GTIN of any length on the way in, always fourteen digits inside."""

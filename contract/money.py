"""Money as a person reads it: on the wire it is a whole number of minor units."""

MINOR_DIGITS = {
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "CLP": 0,
    "ISK": 0,
    "KWD": 3,
    "BHD": 3,
    "TND": 3,
    "JOD": 3,
    "OMR": 3,
}
"""Currencies whose minor unit is not a hundredth. Source: ISO 4217."""


def minor_digits(currency: str) -> int:
    return MINOR_DIGITS.get(currency, 2)


def money_text(minor_units: float, currency: str) -> str:
    """`1,234.50 USD` from minor units (cents); without a currency the number alone."""
    digits = minor_digits(currency)
    return f"{minor_units / 10**digits:,.{digits}f} {currency}".strip()

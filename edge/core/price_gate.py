"""Whether a new price list may replace the one in force: a list with a slipped comma must not reach the shelves."""

from bisect import bisect_right
from collections.abc import Mapping

from contract.rules import Gates

MIN_PRICED = 10
"""With fewer SKUs a percentage says nothing."""

PriceSteps = Mapping[str, tuple[tuple[int, int], ...]]
"""SKU -> (from_ms, cents), in order of time."""


def price_list_problem(old: PriceSteps, new: PriceSteps, gates: Gates, now_ms: int) -> str:
    """Why `new` is refused beside `old`, the list in force; "" when it may replace it."""
    before = {sku: cents for sku, steps in old.items() if (cents := _at(steps, now_ms)) is not None}
    if len(before) < MIN_PRICED:
        return ""
    lost = sum(_at(new.get(sku, ()), now_ms) is None for sku in before)
    if lost * 100 > gates.price_loss_percent * len(before):
        return (
            f"{lost} of {len(before)} SKUs would lose their price; at most {gates.price_loss_percent} % may"
            " (gates.price_loss_percent of the configuration)"
        )
    jumps = sum(
        _jumps(cents, after, gates.price_jump_factor)
        for sku, cents in before.items()
        if (after := _at(new.get(sku, ()), now_ms)) is not None
    )
    if jumps * 100 > gates.price_jump_percent * len(before):
        return (
            f"{jumps} of {len(before)} prices would change by more than {gates.price_jump_factor:g} times; at most"
            f" {gates.price_jump_percent} % may (gates.price_jump_percent of the configuration)"
        )
    return ""


def _at(steps: tuple[tuple[int, int], ...], at_ms: int) -> int | None:
    place = bisect_right(steps, at_ms, key=lambda step: step[0])
    return steps[place - 1][1] if place else None


def _jumps(before: int, after: int, factor: float) -> bool:
    low, high = sorted((before, after))
    return high > factor * max(low, 1)

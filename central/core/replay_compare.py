"""How the orders that a replay makes as it is stand to those that were really made, and why they differ."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from central.core.replay_words import PlayedOrder

NEAR_DAYS = 1
"""An order played a day earlier or later is the same order: what was asked at eight or at nine decides about a cut-off."""

BY_HAND, ASKED, PACK, STOCK, NOT_PLAYED = (
    "ordered outside, by hand", "a person was asked", "the pack was another then", "the stock was another then",
    "the forecast or the moment was another",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MadeOrder:
    """index: of the SKU. day: of the weeks. on_hand_units: as the gateway told it, None: unknown. asked: a person had to decide."""

    index: int
    day: int
    quantity_units: int
    on_hand_units: int | None
    is_by_hand: bool = False
    was_asked: bool = False
    other_pack: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of orders of played SKUs. same: also made in the play, within NEAR_DAYS and a pack. quantity: that day, but another quantity.

    only_made, only_played: on one side alone, by reason.
    """

    made: int = 0
    played: int = 0
    same: int = 0
    quantity: int = 0
    only_made: dict[str, int] = field(default_factory=dict)
    only_played: dict[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Of all orders on either side, those that are the same on both; 1 where there are none."""
        either = self.made + self.played - self.same - self.quantity
        return self.same / either if either else 1.0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(
            self.made + other.made, self.played + other.played, self.same + other.same, self.quantity + other.quantity,
            dict(Counter(self.only_made) + Counter(other.only_made)),
            dict(Counter(self.only_played) + Counter(other.only_played)),
        )  # fmt: skip


def agreement(made: Sequence[MadeOrder], played: Sequence[PlayedOrder], packs: Sequence[int]) -> Agreement:
    """Each real order is matched with the nearest played one of its SKU, the same day first. packs: of each SKU."""
    went = [order for order in played if order.counts]
    left = list(went)
    same = quantity = 0
    unmatched: list[MadeOrder] = []
    for distance in range(NEAR_DAYS + 1):
        for order in sorted(made if distance == 0 else unmatched, key=lambda one: (one.day, one.index)):
            near = [one for one in left if one.index == order.index and abs(one.day - order.day) == distance]
            if not near:
                if distance == 0:
                    unmatched.append(order)
                continue
            match = min(near, key=lambda one: abs(one.quantity_units - order.quantity_units))
            left.remove(match)
            if distance:
                unmatched.remove(order)
            if abs(match.quantity_units - order.quantity_units) <= packs[order.index]:
                same += 1
            else:
                quantity += 1
    seen = {(order.index, order.day): order.on_hand_units for order in made}
    return Agreement(
        len(made), len(went), same, quantity,
        dict(Counter(_why_made(order, went, packs) for order in unmatched)),
        dict(Counter(_why_played(order, seen, packs) for order in left)),
    )  # fmt: skip


def _why_made(order: MadeOrder, played: Sequence[PlayedOrder], packs: Sequence[int]) -> str:
    if order.is_by_hand:
        return BY_HAND
    if order.other_pack:
        return PACK
    if order.was_asked:
        return ASKED
    stock = _stock_near(order.index, order.day, [(one.index, one.day, one.on_hand_units) for one in played])
    if order.on_hand_units is None or (
        stock is not None and abs(stock - order.on_hand_units) >= packs[order.index] / 2
    ):
        return STOCK
    return NOT_PLAYED


def _why_played(order: PlayedOrder, made: dict[tuple[int, int], int | None], packs: Sequence[int]) -> str:
    if order.asked:
        return ASKED
    known = [(index, day, units) for (index, day), units in made.items() if units is not None]
    stock = _stock_near(order.index, order.day, known)
    if stock is not None and abs(stock - order.on_hand_units) >= packs[order.index] / 2:
        return STOCK
    return NOT_PLAYED


def _stock_near(index: int, day: int, known: Sequence[tuple[int, int, int]]) -> int | None:
    """As it was asked with on the nearest day within the week."""
    near = sorted((abs(at - day), units) for of, at, units in known if of == index and abs(at - day) <= 7)
    return near[0][1] if near else None

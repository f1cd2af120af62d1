"""Surplus here, shortage within reach: which goods to carry from one shop to another, and what that is worth.

    own need of a giver  = the `HIGH` quantile of its demand until its own next delivery can be on the shelf
    missed by a taker    = expected demand above its stock until its next delivery, E[(D - stock)+], D about normal
    net benefit          = margin of what is no longer missed - carrying it + goods saved from waste at the giver

Each proposal is compared with waiting and with an order outside the calendar; it is made only where it beats both.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Z_HIGH = 1.2815515655446004
"""The standard normal's 90 % quantile: forecasts reach the centre as mean and 90 % quantile a day."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """One SKU in one store.

    mean_units, high_units: demand a day from today on, mean and 90 % quantile. arrivals: (days ahead, units) on order.
    next_delivery_days: until what is ordered now would arrive by the calendar. emergency_days: outside it, None: never.
    waste_by_days: days until the stock on hand perishes, None: it keeps.
    """

    store: str
    on_hand_units: int
    mean_units: Sequence[float]
    high_units: Sequence[float]
    arrivals: Sequence[tuple[int, int]]
    next_delivery_days: int
    emergency_days: int | None
    margin_cents: int
    cost_cents: int
    waste_by_days: int | None = None

    def demand(self, days: int) -> tuple[float, float]:
        """Mean and standard deviation of the demand of the next `days` days, which are taken as independent.

        Past the forecast's end its last day repeats.
        """
        mean = variance = 0.0
        for day in range(days):
            place = min(day, len(self.mean_units) - 1)
            mean += self.mean_units[place]
            variance += (max(0.0, self.high_units[place] - self.mean_units[place]) / Z_HIGH) ** 2
        return mean, math.sqrt(variance)

    def arriving(self, days: int) -> int:
        """Units that arrive before the end of `days` days from now."""
        return sum(units for ahead, units in self.arrivals if ahead < days)

    def missed_units(self, days: int, extra: Sequence[tuple[int, int]] = ()) -> float:
        """Expected demand of the next `days` days that finds nothing. extra: (days ahead, units) that would come besides.

        Stock arrives in the morning; unmet demand is lost, so what was missed before an arrival stays missed.
        """
        stock, missed, start = float(self.on_hand_units), 0.0, 0
        events = sorted(
            (min(ahead, days), units) for ahead, units in (*self.arrivals, *extra) if ahead < days
        )
        for ahead, units in (*events, (days, 0)):
            mean_before, sd_before = self.demand(start)
            mean_until, sd_until = self.demand(ahead)
            mean, sd = mean_until - mean_before, math.sqrt(max(0.0, sd_until**2 - sd_before**2))
            short = expected_above(stock, mean, sd)
            missed += short
            stock = max(0.0, stock - (mean - short)) + units
            start = ahead
        return missed

    def spare_units(self) -> int:
        """Whole units beyond the own need until the next delivery; never what is still to arrive."""
        days = max(1, self.next_delivery_days + 1)
        mean, sd = self.demand(days)
        return max(0, min(self.on_hand_units, math.floor(self.on_hand_units - mean - Z_HIGH * sd)))

    def wasted_units(self, given_units: int = 0) -> float:
        """Expected units that perish unsold when `given_units` are given away."""
        if self.waste_by_days is None:
            return 0.0
        mean, sd = self.demand(self.waste_by_days)
        stock = self.on_hand_units - given_units
        return max(0.0, stock - mean + expected_above(stock, mean, sd))


@dataclass(frozen=True, slots=True)
class Terms:
    """reach_km: how far goods are carried. carry_days: until they are on the other shelf. Costs are of one trip of one
    SKU, and of each unit in it: without the latter a last unit that hardly helps would travel too.
    """

    reach_km: float = 30.0
    carry_days: int = 1
    handling_cents: int = 300
    unit_cents: int = 10
    cents_per_km: int = 30
    emergency_cents: int = 2_000


@dataclass(frozen=True, slots=True)
class Transfer:
    """net_cents: against waiting. against_order_cents: against an order outside the calendar, None: there is no such lane."""

    sku: str
    giver: str
    taker: str
    quantity_units: int
    distance_km: float
    missed_before_units: float
    missed_after_units: float
    net_cents: int
    against_order_cents: int | None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One store's line of the mismatch map: units it could spare, and units it will miss before its next delivery."""

    store: str
    sku: str
    spare_units: int
    missed_units: float


def mismatch_of(sku: str, outlook: Outlook) -> Mismatch:
    return Mismatch(outlook.store, sku, outlook.spare_units(), outlook.missed_units(_horizon(outlook)))


def propose_transfers(
    sku: str, outlooks: Sequence[Outlook], distance_km: Callable[[str, str], float | None], terms: Terms
) -> list[Transfer]:
    """The transfers worth making of one SKU, dearest need first; each store gives or takes, never both.

    distance_km: None where one of the two places is not known. A giver is never brought below its own need.
    """
    spare = {outlook.store: outlook.spare_units() for outlook in outlooks}
    needs = [outlook for outlook in outlooks if outlook.missed_units(_horizon(outlook)) >= 0.5]
    needs.sort(key=lambda taker: (-taker.missed_units(_horizon(taker)) * taker.margin_cents, taker.store))
    takers = {taker.store for taker in needs}
    givers = [outlook for outlook in outlooks if spare[outlook.store] > 0 and outlook.store not in takers]
    found = []
    for taker in needs:
        best: Transfer | None = None
        for giver in givers:
            km = distance_km(giver.store, taker.store)
            if km is None or km > terms.reach_km or spare[giver.store] == 0:
                continue
            offer = _best_quantity(sku, giver, taker, spare[giver.store], km, terms)
            if offer is not None and (best is None or offer.net_cents > best.net_cents):
                best = offer
        if best is not None:
            spare[best.giver] -= best.quantity_units
            found.append(best)
    return found


def _best_quantity(
    sku: str, giver: Outlook, taker: Outlook, spare: int, km: float, terms: Terms
) -> Transfer | None:
    """None when waiting, or an order outside the calendar, is as good."""
    days = _horizon(taker)
    if terms.carry_days >= days:
        return None
    before = taker.missed_units(days)
    trip_cents = terms.handling_cents + km * terms.cents_per_km
    best: Transfer | None = None
    against = None
    if taker.emergency_days is not None and taker.emergency_days < days:
        ordered = taker.missed_units(days, [(taker.emergency_days, math.ceil(before))])
        against = (before - ordered) * taker.margin_cents - terms.emergency_cents
    for quantity in _quantities(before, spare):
        after = taker.missed_units(days, [(terms.carry_days, quantity)])
        saved = giver.wasted_units() - giver.wasted_units(quantity)
        net = (before - after) * taker.margin_cents + saved * giver.cost_cents - trip_cents
        net -= quantity * terms.unit_cents
        if best is None or net > best.net_cents:
            best = Transfer(
                sku, giver.store, taker.store, quantity, km, before, after, math.floor(net),
                None if against is None else math.floor(net - max(0.0, against)),
            )  # fmt: skip
    if best is None or best.net_cents <= 0:
        return None
    if best.against_order_cents is not None and best.against_order_cents <= 0:
        return None
    return best


def _quantities(missed_units: float, spare: int) -> list[int]:
    """Few candidates around what is missed: the benefit is concave in the quantity."""
    around = {math.ceil(missed_units * share) for share in (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)}
    return sorted({min(max(1, units), spare) for units in around})


def _horizon(outlook: Outlook) -> int:
    """Until the morning on which what is ordered now arrives."""
    return max(1, outlook.next_delivery_days)


def expected_above(stock: float, mean: float, sd: float) -> float:
    """E[(D - stock)+] of demand about normal with `mean` and `sd`, never above the mean."""
    if sd <= 0:
        return max(0.0, mean - stock)
    z = (stock - mean) / sd
    density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    above = 0.5 * math.erfc(z / math.sqrt(2))
    return min(max(0.0, mean), max(0.0, sd * (density - z * above)))

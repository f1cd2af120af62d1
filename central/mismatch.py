"""Where goods are to spare and where they will be missed: one look over all stores, kept for those who ask."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from central.core.transfers import Mismatch, Outlook, Terms, Transfer, mismatch_of, propose_transfers
from central.ledger.transfer_views import outlooks, places, waiting_transfers
from central.places import distance_between
from central.settings import CentralSettings
from contract.api.transfers import MismatchRegion

if TYPE_CHECKING:
    from central.centre import Centre

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
LEAST_MISSED_UNITS = 0.5
MAX_LINES = 200_000
"""Kept, those that miss or could spare most first (some 30 MB); what is left out is counted."""
SMALL = 5_000
"""Outlooks, a SKU in a store each: so few are looked over in a tenth of a second, and every question gets a new look."""
COSTS_BETWEEN = 20.0
"""Of more a look is taken again for a question when so many times its own length have passed: a chain's takes minutes."""


@dataclass(frozen=True, slots=True)
class Look:
    """size: outlooks seen. offers: (store that misses, SKU) -> the transfer worth making. waiting: (store, SKU) -> a transfer trigger that is open.

    summed: what was made of it for questions, by what they were about; goes with it.
    """

    at_ms: int
    size: int
    lines: tuple[Mismatch, ...]
    left_out: int
    offers: dict[tuple[str, str], Transfer]
    waiting: dict[tuple[str, str], str]
    summed: dict[object, tuple[MismatchRegion, ...]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A transfer with the outlooks that it was found from."""

    transfer: Transfer
    giver: Outlook
    taker: Outlook


class MismatchDesk:
    """Reads the ledger, never writes it. The round of transfers and HQ's questions share what was found."""

    def __init__(self, centre: "Centre", monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._centre, self._monotonic_s = centre, monotonic_s
        self._looking = threading.Lock()
        self._kept: tuple[float, float, Look] | None = None
        """When it was taken, how long that took, and what was seen."""

    def kept(self) -> Look:
        """The newest look; a new one where that costs little. While somebody else looks, the last one is the answer."""
        kept = self._kept
        is_large = kept is not None and kept[2].size > SMALL
        if kept is not None and is_large:
            at_s, cost_s, look = kept
            if self._monotonic_s() - at_s < COSTS_BETWEEN * cost_s:
                return look
        if not self._looking.acquire(blocking=not is_large):
            assert kept is not None
            return kept[2]
        try:
            newer = self._kept
            if newer is not None and newer is not kept and newer[2].size > SMALL:
                return newer[2]
            return self._look()[0]
        finally:
            self._looking.release()

    def look(self) -> tuple[Look, list[Found]]:
        """Taken now."""
        with self._looking:
            return self._look()

    def _look(self) -> tuple[Look, list[Found]]:
        centre, began_s, now_ms = self._centre, self._monotonic_s(), self._centre.clock.now_ms()
        terms = terms_of(centre.settings)
        lines: list[Mismatch] = []
        found: list[Found] = []
        size = left_out = 0
        with centre.ledger.read.connect() as connection:
            distance = distance_between(places(connection))
            waiting = waiting_transfers(connection)
            for sku, of_sku in outlooks(connection, now_ms, fresh_ms(centre.settings)):
                size += len(of_sku)
                lines += _worth_showing(sku, of_sku)
                if len(lines) > 2 * MAX_LINES:
                    lines, dropped = _most(lines)
                    left_out += dropped
                # A store that waits for one transfer of a SKU does not ask for another.
                free = [outlook for outlook in of_sku if (outlook.store, sku) not in waiting]
                by_store = {outlook.store: outlook for outlook in free}
                found += [
                    Found(transfer, by_store[transfer.giver], by_store[transfer.taker])
                    for transfer in propose_transfers(sku, free, distance, terms)
                ]
        lines, dropped = _most(lines)
        offers = {(one.transfer.taker, one.transfer.sku): one.transfer for one in found}
        look = Look(now_ms, size, tuple(lines), left_out + dropped, offers, waiting)
        ended_s = self._monotonic_s()
        self._kept = (ended_s, ended_s - began_s, look)
        return look, found


def terms_of(settings: CentralSettings) -> Terms:
    return Terms(
        reach_km=settings.transfer_reach_km,
        handling_cents=settings.transfer_handling_cents,
        cents_per_km=settings.transfer_cents_per_km,
    )


def fresh_ms(settings: CentralSettings) -> int:
    """Forecasts are made once a day: one is stale when a day and the centre's patience have passed."""
    return 24 * HOUR_MS + settings.stale_after_min * MINUTE_MS


def _worth_showing(sku: str, of_sku: list[Outlook]) -> list[Mismatch]:
    lines = (mismatch_of(sku, outlook) for outlook in of_sku)
    return [line for line in lines if line.spare_units or line.missed_units >= LEAST_MISSED_UNITS]


def _most(lines: list[Mismatch]) -> tuple[list[Mismatch], int]:
    """Sorted: what is missed most first, then what is spare most."""
    ordered = sorted(lines, key=lambda line: (-line.missed_units, -line.spare_units, line.sku, line.store))
    return ordered[:MAX_LINES], max(0, len(ordered) - MAX_LINES)

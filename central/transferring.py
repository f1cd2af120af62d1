"""The round of transfers: looks over all stores, and asks a person about each carriage that is worth its cost."""

import json
import threading
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from central.context import CHAIN, Work
from central.core.transfers import Outlook, Terms, Transfer
from central.errors import CentralError
from central.leaving import Leaving
from central.ledger import restock_rows as rows
from central.ledger.agreement import take_turn
from central.mismatch import terms_of
from central.store_memory import Trigger
from contract.api.restock import TriggerState
from runtime.logs import Log

if TYPE_CHECKING:
    from central.centre import Centre

log = Log("central.transfers")

KIND, RULE = "transfer", "transfer/1"
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
POLL_S = 1.0
LOOK_S = 10.0
"""Real seconds between two looks at what leaves its giver."""
MAX_A_ROUND = 200
"""Proposals; the dearest needs of each SKU come first, and the next round finds the others."""


class Transfers:
    """`run` in a supervised thread: a round each `transfer_interval_min`, by one process of the centre."""

    def __init__(self, centre: "Centre") -> None:
        self._centre = centre
        self._turn = -1
        self._leaving, self._look_s = Leaving(centre), 0.0

    def run(self, stop: threading.Event) -> None:
        every_ms = self._centre.settings.transfer_interval_min * MINUTE_MS
        while not stop.wait(POLL_S):
            turn = self._centre.clock.now_ms() // every_ms
            try:
                if time.monotonic() >= self._look_s:
                    self._look_s = time.monotonic() + LOOK_S
                    self._leaving.look()
                if turn == self._turn:
                    continue
                if self._is_ours(turn):
                    self.round()
                self._turn = turn
            except (CentralError, sa.exc.DBAPIError) as error:
                # The ledger is away or closing: the next look takes the turn again.
                log.warning("the round of transfers failed", reason=str(error)[:200])

    def _is_ours(self, turn: int) -> bool:
        if not self._centre.ledger.is_shared:
            return True
        return self._centre.call_store(CHAIN, lambda work: take_turn(work.connection, "transfers", turn))

    def round(self) -> int:
        """Raises what is worth asking a person. Returns how many it raised."""
        centre = self._centre
        _, found = centre.mismatch.look()
        terms, raised = terms_of(centre.settings), 0
        for one in found[:MAX_A_ROUND]:
            job = partial(
                raise_transfer, transfer=one.transfer, giver=one.giver, taker=one.taker, terms=terms
            )
            raised += centre.call_store(one.transfer.taker, job)
        centre.count("transfer_rounds")
        if found:
            log.info("transfers proposed", found=len(found), raised=raised)
        return raised


def raise_transfer(work: Work, transfer: Transfer, giver: Outlook, taker: Outlook, terms: Terms) -> bool:
    """A trigger in the taker's store with the giver as its supplier; a person decides it like an order. False: one is open."""
    store, now_ms = work.store, work.now_ms
    item = store.items.get(transfer.sku)
    if (
        item is None
        or store.why_unlisted(transfer.sku, now_ms)
        or any(trigger.sku == transfer.sku and trigger.kind == KIND for trigger in store.triggers.values())
    ):
        return False
    number = store.next_number("trigger")
    trigger_id = f"{store.store}-r{number}"
    expires_ms = now_ms + work.settings.trigger_expiry_h * HOUR_MS
    inputs = {
        "transfer": asdict(transfer), "giver": asdict(giver), "taker": asdict(taker), "terms": asdict(terms),
        "now_ms": now_ms, "cumulative_quantiles": [], "quantile_levels": [],
    }  # fmt: skip
    rows.insert_trigger(
        work.connection,
        {
            "store_id": store.store, "number": number, "trigger_id": trigger_id, "revision": 1, "sku": transfer.sku,
            "gtin": item.gtin, "kind": KIND, "supplier": transfer.giver, "state": TriggerState.PROPOSED.value,
            "quantity_units": transfer.quantity_units, "pack_units": 1,
            "value_cents": transfer.quantity_units * taker.cost_cents, "on_hand_units": taker.on_hand_units,
            "on_order_units": sum(units for _, units in taker.arrivals),
            "expected_stock_out_units": transfer.missed_before_units, "why": why(transfer), "doubt": "",
            "changed_ms": now_ms, "expires_ms": expires_ms, "watermark_ms": now_ms, "bundle": "", "rule": RULE,
            "inputs": json.dumps(inputs), "due_ms": None, "lead_time_days": terms.carry_days, "created_ms": now_ms,
            "supersedes": None, "shipped_units": None, "received_units": None, "erp_document": None, "despatch": None,
            "arrives_day": None, "agreed_revision": None, "agreed_units": None,
        },
    )  # fmt: skip
    store.triggers[trigger_id] = Trigger(
        trigger_id, number, 1, transfer.sku, transfer.giver, TriggerState.PROPOSED, transfer.quantity_units, None, None,
        now_ms, now_ms, expires_ms, kind=KIND,
    )  # fmt: skip
    work.changed_triggers.add(trigger_id)
    return True


def why(transfer: Transfer) -> str:
    """One sentence for a person."""
    against = (
        ""
        if transfer.against_order_cents is None
        else f", {transfer.against_order_cents / 100:.2f} better than ordering outside the calendar"
    )
    return (
        f"{transfer.quantity_units} units from {transfer.giver}, {transfer.distance_km:.0f} km away, which does not need them before its own "
        f"delivery: {transfer.missed_before_units:.1f} units would be missed here without them, {transfer.missed_after_units:.1f} with "
        f"them; worth {transfer.net_cents / 100:.2f} after the trip{against}"
    )[:300]

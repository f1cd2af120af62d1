"""What leaves stores by transfers: told to the giver's gateway, and taken back when the giver needs it itself before it leaves."""

from functools import partial
from typing import TYPE_CHECKING

from central.carrying import spare_of
from central.context import Work
from central.ledger import restock_rows as rows
from central.ledger import transfer_rows
from central.trigger_moves import end
from contract.api.restock import TriggerState

if TYPE_CHECKING:
    from central.centre import Centre

LOOK_BACK_MS = 30 * 86_400_000
"""A centre that was away for longer tells its stores what is new with the next order."""
HERE_YET = frozenset({TriggerState.PROPOSED, TriggerState.SNOOZED, TriggerState.APPROVED, TriggerState.SENT})
"""Nobody in the giver has set the goods aside: from `acknowledged` on they are out of its stock, and people decide."""


class Leaving:
    """One look a time, by any process of the centre: looking twice changes nothing."""

    def __init__(self, centre: "Centre") -> None:
        self._centre = centre
        self._told: dict[str, dict[str, int]] | None = None

    def look(self) -> None:
        """Gives up transfers whose giver cannot spare the goods any more, then tells givers what leaves them now."""
        with self._centre.ledger.read.connect() as connection:
            waiting = transfer_rows.not_left(connection, HERE_YET)
            short = [row for row in waiting if spare_of(connection, row) < row["quantity_units"]]
        for row in short:
            self._centre.call_store(str(row["store_id"]), partial(give_up, trigger_id=str(row["trigger_id"])))
        with self._centre.ledger.read.connect() as connection:
            leaving = transfer_rows.leaving_by_store(connection)
            if self._told is None:  # what another process told before nobody remembers here
                since_ms = self._centre.clock.now_ms() - LOOK_BACK_MS
                changed = leaving.keys() | transfer_rows.givers_since(connection, since_ms)
            else:
                changed = {
                    giver
                    for giver in leaving.keys() | self._told.keys()
                    if leaving.get(giver) != self._told.get(giver)
                }
        for giver in sorted(changed):
            self._centre.call_store(giver, _refresh)
        self._told = leaving


def give_up(work: Work, trigger_id: str) -> None:
    """Cancels the transfer when its giver has less to spare than it takes, looked at once more."""
    trigger = work.store.triggers.get(trigger_id)
    row = rows.trigger_row(work.connection, trigger_id)
    if trigger is None or row is None or trigger.state not in HERE_YET:
        return
    spare = spare_of(work.connection, row)
    if spare < trigger.quantity_units:
        why = f"{row['supplier']} needs them itself now: it can spare {spare}, not {trigger.quantity_units}"
        end(work, trigger, TriggerState.CANCELLED, why)
        work.memory.count("transfers_given_up")


def _refresh(work: Work) -> None:
    if work.store.exists:
        work.supply_changed = True

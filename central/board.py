"""The chain's board: what HQ's first page says of each store, kept in memory and read again as people look.

A chain of 500 shops has a million SKUs, and counting those that are out takes seconds of reading. So each look reads again what
fits into its budget, the oldest first: a small chain is read whole each time, and of a large one the rest follows after
the answer. While somebody looks, no figure is older than the time between two looks and a little; nobody who comes back
after a while is shown old ones.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence

import sqlalchemy as sa

from central.ledger.board_rows import StoreBoard, days_between, store_boards
from central.ledger.engine import Ledger
from central.ledger.gateway_views import GatewayLook, gateways_online
from contract.api.stores import Overview, StoreView, TriggerTally

AT_ONCE = 16
"""Stores that are read together where all must be; a chain of as many is always read whole."""
A_SLICE = 4
"""Stores that are read together within a budget: of 2,000 SKUs each they take a fifth of what a page may."""
BUDGET_S = 0.01
FRESH_S = 10.0
"""After an answer all that is older is read again, in slices that leave room for other work."""
MAX_AGE_S = 60.0
"""What is older than that is not shown: the look waits for it."""
REST_S = 0.01
"""Between two slices read again in the background: requests for a page go first."""

_STORES = sa.text("SELECT store_id FROM stores ORDER BY store_id")


class Board:
    """Any thread may look. Reads the ledger, never writes it."""

    def __init__(self, ledger: Ledger, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._monotonic_s = ledger, monotonic_s
        self._kept: dict[str, tuple[float, StoreBoard]] = {}
        self._catching_up = threading.Lock()

    def stores(self, reach: Collection[str] | None) -> list[StoreView]:
        return [board.view for board in self._look(reach)]

    def orders(self, reach: Collection[str] | None) -> TriggerTally:
        """What became of all triggers of the stores in `reach` (None: all)."""
        found = [board.orders for board in self._look(reach)]
        return TriggerTally(
            created=sum(one.created for one in found), sent=sum(one.sent for one in found),
            acknowledged=sum(one.acknowledged for one in found), waiting=sum(one.waiting for one in found),
        )  # fmt: skip

    def overview(
        self, reach: Collection[str] | None, *, now_ms: int, from_ms: int, to_ms: int, look: GatewayLook
    ) -> str:
        """An Overview as JSON, of the stores in `reach` (None: all)."""
        boards = self._look(reach)
        views = [board.view for board in boards]
        states: dict[str, int] = {}
        coupons = {"issued": 0, "redeemed": 0, "reversed": 0, "refused": 0}
        for board in boards:
            for counts, found in ((states, board.states), (coupons, board.coupons)):
                for name, count in found.items():
                    counts[name] = counts.get(name, 0) + count
        with self._ledger.read.connect() as connection:
            online, total = gateways_online(connection, now_ms=now_ms, look=look, stores=reach)
        heard = [view.newest_ms for view in views if view.newest_ms is not None]
        around = Overview(
            now_ms=now_ms, stores=[], days=[], triggers_by_state=states,
            waiting_triggers=sum(view.waiting_triggers for view in views),
            open_alerts=sum(view.open_alerts for view in views), coupons=coupons, gateways_online=online,
            gateways_total=total, losses=sum(view.gaps_total for view in views),
            quarantined_total=sum(view.quarantined_total for view in views),
            lag_ms=max(now_ms - min(heard), 0) if heard else None,
        )  # fmt: skip
        stores = ",".join(board.view_json for board in boards)
        days = ",".join(text for text in self._days(boards, from_ms, to_ms) if text)
        # No name of a store stands in `around`: these characters are the fields.
        text = around.model_dump_json().replace('"days":[]', f'"days":[{days}]', 1)
        return text.replace('"stores":[]', f'"stores":[{stores}]', 1)

    def is_behind(self) -> bool:
        """Whether `catch_up` has something to do."""
        due_s = self._monotonic_s() - FRESH_S
        return any(at_s < due_s for at_s, _ in self._kept.values())

    def catch_up(self) -> None:
        """Reads again what is older than FRESH_S, unless somebody does so already."""
        if not self._catching_up.acquire(blocking=False):
            return
        try:
            due_s = self._monotonic_s() - FRESH_S
            due = sorted((at_s, store) for store, (at_s, _) in self._kept.items() if at_s < due_s)
            for first in range(0, len(due), AT_ONCE):
                self._read([store for _, store in due[first : first + AT_ONCE]])
                time.sleep(REST_S)
        except sa.exc.DBAPIError:
            # The ledger is away: nothing became newer, and who looks next is told so.
            return
        finally:
            self._catching_up.release()

    def _look(self, reach: Collection[str] | None) -> list[StoreBoard]:
        """By store; those that exist."""
        with self._ledger.read.connect() as connection:
            known = list(connection.execute(_STORES).scalars())
        if reach is not None:
            named = frozenset(reach)
            known = [store for store in known if store in named]
        self._bring_up_to_date(known)
        return [self._kept[store][1] for store in known if store in self._kept]

    def _bring_up_to_date(self, stores: Sequence[str]) -> None:
        began_s = self._monotonic_s()
        never = float("-inf")
        ages = sorted((self._kept[store][0] if store in self._kept else never, store) for store in stores)
        due = [store for _, store in ages]
        must = len(due) if len(due) <= AT_ONCE else sum(at_s < began_s - MAX_AGE_S for at_s, _ in ages)
        for first in range(0, must, AT_ONCE):
            self._read(due[first : min(first + AT_ONCE, must)])
        for first in range(must, len(due), A_SLICE):
            if self._monotonic_s() - began_s > BUDGET_S:
                return
            self._read(due[first : first + A_SLICE])

    def _read(self, stores: Sequence[str]) -> None:
        at_s = self._monotonic_s()
        # A connection a slice: a reader that stays long would keep SQLite's log from shrinking.
        with self._ledger.read.connect() as connection:
            found = store_boards(connection, stores)
        for board in found:
            kept = self._kept.get(board.view.store)
            if kept is None or kept[0] <= at_s:  # else another thread has read it since
                self._kept[board.view.store] = (at_s, board)

    def _days(self, boards: Sequence[StoreBoard], from_ms: int, to_ms: int) -> list[str]:
        long_ago = [(one.view.store, one.view.timezone) for one in boards if from_ms < one.days.from_ms]
        older = {}
        if long_ago:
            with self._ledger.read.connect() as connection:
                older = days_between(connection, long_ago, from_ms, to_ms)
        return [older.get(one.view.store, one.days).between(from_ms, to_ms) for one in boards]

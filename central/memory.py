"""What the writer keeps in memory of the stores, so that a batch costs inserts and no look-ups. Loaded on demand, dropped on doubt."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.supplier_calendar import SupplierCalendar, calendar_from
from central.gateway_watch import GatewayWatch
from central.ledger import supplier_rows
from central.order_graphs import KeptGraphs
from central.store_loading import load_store
from central.store_memory import StoreMemory

MAX_KEPT = 1_500_000
"""Items, levels, prices and the like that one process keeps in memory, of all stores together (some 300 bytes each).

Of more, the store that was silent longest is dropped, and loaded again when it speaks."""

MAX_UNSUMMED = 500_000
"""Sums by the quarter hour that wait in memory, of all stores together; above it each batch writes its own at once."""

_SWITCHES = sa.text('SELECT scope, target, reason FROM kill_switches WHERE "on" = 1')


class LedgerMemory:
    """A store's part is owned by the thread that writes the store; other threads may read `heard_ms`.

    is_shared: other processes write the ledger, too; what belongs to the chain is then read anew each time.
    """

    def __init__(self, *, is_shared: bool = False) -> None:
        self._stores: dict[str, StoreMemory] = {}
        self._is_shared = is_shared
        self._kept = 0
        self.switches: dict[tuple[str, str], str] | None = None
        self.calendars: dict[str, SupplierCalendar | None] = {}
        self.heard_ms: dict[str, int] = {}
        self.watch = GatewayWatch()
        self.graphs = KeptGraphs()
        self.has_room = True
        """Whether sums may wait in memory; see `measure`."""
        self.count: Callable[[str], None] = lambda _name: None
        """Adds one to a counter of the centre's status page."""

    def forget(self, store: str | None = None) -> None:
        """What is known of `store`, None for all: it will be loaded again."""
        if store is None:
            self._stores.clear()
            self._kept = 0
        else:
            self._drop(store)
        self.switches = None
        self.calendars.clear()

    def _drop(self, store: str) -> None:
        dropped = self._stores.pop(store, None)
        self._kept -= dropped.kept if dropped is not None else 0

    def store(self, connection: Connection, store: str) -> StoreMemory:
        memory = self._stores.pop(store, None)
        if memory is None:
            memory = load_store(connection, store)
            self._kept += memory.kept
            while self._kept > MAX_KEPT and self._stores:
                self._drop(next(iter(self._stores)))
        self._stores[store] = memory  # last used, last dropped
        return memory

    def measure(self) -> None:
        """Looks how much of what stores were told waits in memory for its sums. From any thread, now and then."""
        waiting = [memory.unsummed for memory in list(self._stores.values())]
        self.has_room = sum(part.sums.held for part in waiting if part is not None) < MAX_UNSUMMED

    def knows(self, store: str) -> bool:
        return store in self._stores

    def known_store(self, store: str) -> StoreMemory | None:
        """The store if it is loaded: for answers that need no transaction."""
        memory = self._stores.pop(store, None)
        if memory is not None:
            self._stores[store] = memory
        return memory

    def switches_for(self, connection: Connection, store: str, supplier: str) -> tuple[str, ...]:
        """The kill-switches that are on and cover an order of `store` from `supplier`, as words."""
        switches = None if self._is_shared else self.switches
        if switches is None:
            switches = self.switches = {
                (row.scope, row.target): f"kill-switch for {row.scope} {row.target}".strip()
                + (f": {row.reason}" if row.reason else "")
                for row in connection.execute(_SWITCHES)
            }
        keys = (("chain", ""), ("store", store), ("supplier", supplier))
        return tuple(switches[key] for key in keys if key in switches)

    def calendar_of(self, connection: Connection, supplier: str) -> SupplierCalendar | None:
        """None: the centre knows no calendar of this supplier, and its orders go out at once."""
        if self._is_shared:
            self.calendars.clear()
        if supplier not in self.calendars:
            found = supplier_rows.supplier(connection, supplier)
            self.calendars[supplier] = None if found is None else calendar_from(found[0])
        return self.calendars[supplier]

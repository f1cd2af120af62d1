"""The months of receipts on PostgreSQL: made ahead, and at need before a batch is taken, so that it has nothing to wait for.

A month is made in a transaction of its own, never in a batch's. What cannot be made now leaves its receipts in the rest.
"""

import threading
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from central.core.days import day_of
from central.ledger import partitions
from central.ledger.engine import Ledger
from central.settings import CentralSettings
from contract.records import ReceiptRecord
from runtime.clock import Clock
from runtime.logs import Log

log = Log("central.months")

AHEAD = 2
"""Months: the one that is and the next."""
MONTHS_FOR_EVER = 120
"""How far back months are made where receipts are never forgotten; older ones lie in the rest."""
DAYS_A_MONTH = 28
_UTC = ZoneInfo("UTC")


class ReceiptMonths:
    """From any thread. On SQLite it does nothing."""

    def __init__(self, ledger: Ledger, settings: CentralSettings, clock: Clock) -> None:
        self._ledger, self._settings, self._clock = ledger, settings, clock
        self._lock = threading.Lock()
        self._known: set[str] = set()

    def lacking(self, rows: Iterable[object]) -> set[str]:
        """Months of receipts among `rows` that should have a table and are not known to."""
        if not self._ledger.is_shared:
            return set()
        months = {row.business_date[:7] for row in rows if type(row) is ReceiptRecord} - self._known
        return {month for month in months if self._is_in_reach(month)}

    def make(self, months: Iterable[str]) -> None:
        """Makes those that do not exist. Each is tried once a day at most."""
        with self._lock:
            wanted = sorted(set(months) - self._known)
            if not wanted or not self._ledger.is_shared:
                return
            with self._ledger.read.connect() as connection:
                self._known.update(partitions.months(connection))
            for month in sorted(set(wanted) - self._known):
                try:
                    with self._ledger.write.begin() as connection:
                        partitions.make_month(connection, month)
                except sa.exc.DBAPIError as error:
                    log.warning("receipts stay in the rest", month=month, reason=str(error.orig)[:200])
                self._known.add(month)

    def make_ahead(self) -> None:
        """Once a day: this month and the next; and what could not be made before may be tried again."""
        with self._lock:
            self._known.clear()
        month = self._month()
        self.make(partitions.month_after(month, step) for step in range(AHEAD))

    def _is_in_reach(self, month: str) -> bool:
        """A clock that is years away makes no tables."""
        days = self._settings.receipt_days
        back = MONTHS_FOR_EVER if not days else days // DAYS_A_MONTH + 1
        now = self._month()
        return partitions.month_after(now, -back) <= month <= partitions.month_after(now, AHEAD)

    def _month(self) -> str:
        return day_of(self._clock.now_ms(), _UTC)[:7]

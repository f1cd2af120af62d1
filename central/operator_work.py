"""The command line's transactions on what belongs to the chain, beside the running centre: each adds to the audit."""

from collections.abc import Iterator
from contextlib import contextmanager

from central.context import CHAIN, Work
from central.ledger.engine import Ledger
from central.ledger.writer import Transaction
from central.memory import LedgerMemory
from central.settings import CentralSettings
from runtime.clock import SystemClock, clock_from_setting
from runtime.errors import OperatorError

OPERATOR = "the operator"
"""Whoever may run commands on the centre's machine; in the audit."""


@contextmanager
def operator_work(settings: CentralSettings) -> Iterator[Work]:
    """Committed at the end; nothing was done when it raises."""
    ledger = Ledger(settings.url)
    try:
        ledger.require()
        transaction = _transaction(ledger, _now_ms(settings))
        try:
            version = transaction.hold(CHAIN)
            memory = LedgerMemory(is_shared=ledger.is_shared)
            chain = memory.store(transaction.connection, CHAIN)
            chain.version = version
            transaction.rely_on(chain)
            yield Work(transaction, memory, settings, chain)
            transaction.commit()
        finally:
            transaction.close()
    finally:
        ledger.close()


def _transaction(ledger: Ledger, now_ms: int) -> Transaction:
    if not ledger.is_shared:
        return Transaction(ledger, now_ms)
    from central.ledger.lanes import LaneTransaction  # noqa: PLC0415 - only where the ledger is shared

    return LaneTransaction(ledger, now_ms)


def _now_ms(settings: CentralSettings) -> int:
    """The shop's time, as the other entries have it; before a simulation's clock is there, the system's."""
    try:
        return clock_from_setting(settings.clock_file).now_ms()
    except OperatorError:
        return SystemClock().now_ms()

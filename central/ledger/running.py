"""Whether a centre runs on the ledger: each that does holds a lock, commands that must be alone ask for it.

On SQLite a lock on a file beside the ledger, made by the first centre that ran; the system lets go of it when the process
ends, however it ends. On PostgreSQL a lock of the session that listens for news, shared by all workers.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.ledger.engine import Ledger
from central.ledger.locks import Lock
from runtime.errors import OperatorError

LAST_ONE_ENDS_S = 10.0
"""A centre that was killed may hold its lock while the system clears up after it."""
_SHARE = sa.text(f"SELECT pg_try_advisory_lock_shared({Lock.RUNS})")
_UNSHARE = sa.text(f"SELECT pg_advisory_unlock_shared({Lock.RUNS})")
_ALONE = sa.text(f"SELECT pg_try_advisory_lock({Lock.RUNS})")
_LET_GO = sa.text(f"SELECT pg_advisory_unlock({Lock.RUNS})")


@contextmanager
def running_on(ledger: Ledger, wait_s: float = LAST_ONE_ENDS_S) -> Iterator[None]:
    """Around a centre's life. Raises OperatorError while another centre has a SQLite ledger, or a command wants it alone."""
    if ledger.is_shared:
        with ledger.watch.connect() as connection:
            if not connection.execute(_SHARE).scalar():
                raise OperatorError(
                    f"ledger {ledger.shown}: prune or rebuild-rollups is at work; start again when it is done"
                )
            connection.execute(_UNSHARE)  # the listener's session holds it from now on
        yield
        return
    descriptor = os.open(_lock_file(ledger), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + wait_s
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"ledger {ledger.shown}: another centre runs on it, or a command that must be alone; stop that first"
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def share(connection: Connection) -> None:
    """The session of `connection`, of a worker on PostgreSQL, says that it runs."""
    connection.execute(_SHARE)


@contextmanager
def alone_on(ledger: Ledger, command: str) -> Iterator[None]:
    """Around a command that no running centre would notice. Raises OperatorError while one runs."""
    busy = OperatorError(f"a centre runs on ledger {ledger.shown}; stop it first, then run `{command}` again")
    if ledger.is_shared:
        with ledger.watch.connect() as connection:
            if not connection.execute(_ALONE).scalar():
                raise busy
            try:
                yield
            finally:
                connection.execute(_LET_GO)
        return
    path = _lock_file(ledger)
    if not path.exists():  # no centre ever ran; made by the centre alone, so that it is its owner's
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if not _locked(descriptor):
            raise busy
        yield
    finally:
        os.close(descriptor)


def _lock_file(ledger: Ledger) -> Path:
    return Path(f"{ledger.url.database}.lock")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""The gateways' keys, known in bulk: ten thousand gateways that send every ten seconds are not looked up one by one.

While they are used, a thread of its own looks whether one has changed, before any is trusted longer than FRESH_S.
"""

import threading
import time

import sqlalchemy as sa

from central.access import Principal, Scope
from central.ledger import credentials
from central.ledger.engine import Ledger
from runtime.logs import Log

log = Log("central.keys")

FRESH_S = 5.0
"""How long a look is trusted: a key that was replaced works no longer than this."""
RENEW_S = 2.5
"""After so long the next use of a key lets a thread look again."""
READ_AGAIN_S = 60.0
"""After so long all are read again even if the ledger does not say that one has changed: somebody may have used SQL."""
MAX_KEYS = 50_000
"""Of more gateways (some 500 bytes each), those beyond are looked up one by one."""


class GatewayKeys:
    """`find` from any thread; it never waits."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._principals: dict[str, Principal] = {}
        self._change = ""
        self._looked_s = self._read_s = float("-inf")
        self._looking = threading.Lock()

    def find(self, digest: str) -> Principal | None:
        """Who has the key of this hash; None when that is not known here now."""
        age_s = time.monotonic() - self._looked_s
        if age_s > RENEW_S and self._looking.acquire(blocking=False):
            threading.Thread(target=self._renew, name="gateway keys", daemon=True).start()
        return self._principals.get(digest) if age_s < FRESH_S else None

    def find_now(self, digest: str) -> Principal | None:
        """The same after a look, if the last one is too old. Waits for whoever looks already."""
        if time.monotonic() - self._looked_s >= FRESH_S:
            with self._looking:
                if time.monotonic() - self._looked_s >= FRESH_S:
                    self._look()
        return self._principals.get(digest)

    def _renew(self) -> None:
        """A thread that was given `_looking`."""
        try:
            self._look()
        except sa.exc.DBAPIError as error:
            # Keys lapse, and whoever comes next is told that the ledger does not answer.
            log.warning("gateway keys were not read", reason=str(error.orig)[:200])
        finally:
            self._looking.release()

    def _look(self) -> None:
        now_s, known = time.monotonic(), self._principals
        with self._ledger.read.connect() as connection:
            change = credentials.keys_change(connection)
            if change != self._change or now_s - self._read_s >= READ_AGAIN_S:
                rows = credentials.gateway_keys(connection, MAX_KEYS)
                self._principals = {row[0]: known.get(row[0]) or _principal(*row) for row in rows}
                self._change, self._read_s = change, now_s
        self._looked_s = now_s


def _principal(_digest: str, gateway: str, store: str) -> Principal:
    return Principal(Scope.GATEWAY, gateway, gateway, store)

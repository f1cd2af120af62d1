"""Which of several gateways speaks for an identity: the one that started last, until it has been silent for a while.

A gateway names its `run` in each batch, a random id of its process. A run that nobody has heard before is a restart, or a
second box with the same key: it takes over. A run that was replaced and speaks again is a second box for sure, since a process that
ended never does. It is refused, keeps everything, and takes over again when the other has been silent for LEASE_MS: so
what both would tell of one shop never counts twice.
"""

from dataclasses import dataclass, field

LEASE_MS = 15 * 60_000
MAX_REPLACED = 32
"""Runs remembered of one gateway: a restart each."""


@dataclass(slots=True)
class Identity:
    """heard_ms: when `run` was last heard, as far as this process knows."""

    run: str
    heard_ms: int
    replaced: list[str] = field(default_factory=list)


class Identities:
    """Of one store's gateways. The ledger keeps each take-over, so that every worker and every restart knows who speaks."""

    def __init__(self) -> None:
        self._by_gateway: dict[str, Identity] = {}

    def __getitem__(self, gateway: str) -> Identity:
        return self._by_gateway[gateway]

    def restore(self, gateway: str, identity: Identity) -> None:
        self._by_gateway[gateway] = identity

    def was_replaced(self, gateway: str, run: str | None) -> bool:
        """Whether `run` is a second box for sure: another one took over from it."""
        known = self._by_gateway.get(gateway)
        return known is not None and run != known.run and run in known.replaced

    def is_refused(self, gateway: str, run: str | None, now_ms: int, heard_ms: int = 0) -> bool:
        """Whether another box speaks for `gateway` now. A sender without a run (not ours) is never refused.

        heard_ms: when the one that speaks was last heard elsewhere, where somebody else may have heard it.
        """
        if run is None:
            return False
        known = self._by_gateway.get(gateway)
        if known is None:
            self._by_gateway[gateway] = Identity(run, now_ms)
            return False
        if self.was_replaced(gateway, run) and now_ms - max(known.heard_ms, heard_ms) < LEASE_MS:
            return True
        if run != known.run:
            known.replaced = [*(old for old in known.replaced if old != run), known.run][-MAX_REPLACED:]
            known.run = run
        known.heard_ms = now_ms
        return False

    def speaks_for(self, gateway: str) -> str | None:
        """The run that is heard."""
        known = self._by_gateway.get(gateway)
        return None if known is None else known.run

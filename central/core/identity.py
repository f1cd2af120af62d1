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
class _Identity:
    run: str
    heard_ms: int
    replaced: list[str] = field(default_factory=list)


class Identities:
    """In memory: after a restart of the centre whoever speaks first takes the identity, and the other takes over or is refused."""

    def __init__(self) -> None:
        self._by_gateway: dict[str, _Identity] = {}

    def is_refused(self, gateway: str, run: str | None, now_ms: int) -> bool:
        """Whether another box speaks for `gateway` now. A sender without a run (not ours) is never refused."""
        if run is None:
            return False
        known = self._by_gateway.setdefault(gateway, _Identity(run, now_ms))
        if run != known.run:
            if run in known.replaced and now_ms - known.heard_ms < LEASE_MS:
                return True
            known.replaced = [*(old for old in known.replaced if old != run), known.run][-MAX_REPLACED:]
            known.run = run
        known.heard_ms = now_ms
        return False

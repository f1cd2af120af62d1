"""What an outage leaves behind, and how it goes: trimmed while it grows, let out in turn, its room given back."""

import time

from edge.errors import DiskError
from edge.fork import leave_epoch
from edge.store import EdgeStore
from edge.store_trim import Trimmer
from edge.uplink import Forked, UplinkStatus
from runtime.logs import Log

log = Log("edge.backlog")

TRIM_AGAIN_S = 60.0
RECLAIM_AGAIN_S = 2.0
NEW_EPOCH_ROWS = 20_000
"""A backlog this long after an outage drains in its own epoch, so that live records do not wait behind it."""
FREEZE_ROWS, FREEZE_BELOW_ROWS = 5000, 4000
"""A draining epoch's rows get their final seq a few batches ahead of the uplink: another outage may still merge the rest."""


class Backlog:
    """The loop's part in the outbox's care, after each commit and in the loop's thread. uplink None: the shop works alone."""

    def __init__(self, store: EdgeStore, max_bytes: int, uplink: UplinkStatus | None) -> None:
        self._store, self._max_bytes, self._uplink = store, max_bytes, uplink
        self._trimmer = Trimmer(store, max_bytes)
        self._trim_again_s = self._reclaim_again_s = 0.0
        self.problem = ""

    def after_commit(self, at_ms: int, *, acked: bool) -> None:
        """Brings the outbox nearer to its limit if it is too large, and gives room back once rows are acknowledged."""
        if self._trimmer.is_due() and time.monotonic() >= self._trim_again_s:
            self._trim(at_ms)
        if acked and time.monotonic() >= self._reclaim_again_s:
            self._reclaim()

    def let_out(self) -> None:
        """What was held back during an outage may go now; a long backlog gets an epoch of its own, and drains in turn."""
        if self._uplink is None:
            return
        streams = self._store.streams
        try:
            if self._uplink.is_up:
                held_back = streams.live.last_seq - streams.live.frozen_through
                if held_back > NEW_EPOCH_ROWS:
                    self._store.open_epoch()
                elif held_back and streams.live.frozen_through - streams.live.acked_through < NEW_EPOCH_ROWS:
                    self._store.freeze()
            if len(streams.all()) > 1:
                self._drain()
        except DiskError as error:
            self.problem = str(error)  # the next full cycle tries again
        else:
            self.problem = ""

    def leave(self, forks: list[Forked], at_ms: int) -> None:
        """Epochs that somebody else writes, too, get no more rows of ours."""
        try:
            while forks:
                fresh = leave_epoch(self._store, forks[0].epoch, forks[0].through, at_ms)
                log.warning("epoch left", epoch=forks[0].epoch, new_epoch=fresh)
                forks.pop(0)
        except DiskError as error:
            self.problem = str(error)  # the epoch rests meanwhile; the next full cycle tries again

    def _drain(self) -> None:
        self._store.drop_drained()
        for stream in self._store.streams.all()[:-1][:1]:
            if stream.frozen_through - stream.acked_through < FREEZE_BELOW_ROWS:
                self._store.freeze(stream, FREEZE_ROWS)

    def _trim(self, at_ms: int) -> None:
        """Rows that may have been sent cannot give way; when only those are left, the disk is the limit."""
        try:
            while self._trimmer.step(at_ms):
                if self._store.outbox_bytes <= self._max_bytes:
                    return  # the rest with the next commits
        except DiskError as error:
            log.warning("the outbox could not be trimmed", reason=str(error))
        if self._trimmer.is_due():
            self._trim_again_s = time.monotonic() + TRIM_AGAIN_S

    def _reclaim(self) -> None:
        """A long outage's file would keep its size for ever; it shrinks a little at a time."""
        self._reclaim_again_s = time.monotonic() + RECLAIM_AGAIN_S
        try:
            self._store.reclaim()
        except DiskError as error:
            log.warning("the file keeps its size", reason=str(error))

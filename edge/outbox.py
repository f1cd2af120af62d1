"""Streams of records: each epoch is one ordered run of `seq`, frozen once it may have been sent."""

import secrets
import threading
from dataclasses import dataclass
from typing import NamedTuple


class OutboxRow(NamedTuple):
    seq: int
    kind: str
    text: str


@dataclass(slots=True)
class Stream:
    """One epoch. last_seq: the last given. acked_through: on the centre's disk. frozen_through: may have been sent.

    Rows up to `frozen_through` are without holes and never change; those after it may still be merged or dropped, which
    leaves `holes`, and get their final seq when they are frozen. is_known: whether the centre's position in this epoch was
    compared with ours since the start (edge.uplink); a new epoch has nothing to compare. opened_at: the last seq when the file
    was opened; what comes after it cannot be in a copy of the file.
    """

    epoch: str
    last_seq: int
    acked_through: int
    frozen_through: int
    holes: int = 0
    moved: int = 0
    """How often rows got other seqs than they had."""
    opened_at: int = 0
    is_known: bool = True
    had_twin: bool = False
    """Another gateway spoke in our name: what the centre has beyond what it acknowledged to us may be the other's."""
    is_left: bool = False
    """Somebody else writes this epoch, too: nothing is sent in it any more, until the loop has moved our rows."""

    @property
    def waiting(self) -> int:
        return self.last_seq - self.acked_through - self.holes


class Streams:
    """Where each epoch stands, shared by the loop (gives seqs, freezes, deletes) and the uplink (sends, gets acks).

    The live epoch is the last one; earlier ones drain beside it.
    """

    def __init__(self, streams: list[Stream]) -> None:
        self._streams = streams
        self._lock = threading.Lock()
        self.news = threading.Event()
        """Set when rows were committed, and to end a wait."""

    @property
    def live(self) -> Stream:
        return self._streams[-1]

    def all(self) -> tuple[Stream, ...]:
        with self._lock:
            return tuple(self._streams)

    def open_epoch(self, stream: Stream) -> None:
        with self._lock:
            self._streams.append(stream)

    def close_epoch(self, epoch: str) -> None:
        with self._lock:
            self._streams = [stream for stream in self._streams if stream.epoch != epoch]

    def waiting(self) -> int:
        return sum(stream.waiting for stream in self.all())


def new_epoch() -> str:
    """Random, so that no two databases ever share one."""
    return f"e{secrets.token_hex(8)}"


def new_run() -> str:
    """Random: this process's name towards the centre."""
    return f"r{secrets.token_hex(8)}"

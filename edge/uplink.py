"""Carries the outbox to the centre: one batch at a time, resent until it is acknowledged, live records first.

ok                      → acked_through, refused rows and newer documents go to the loop
400, 413, 422           → the batch as a whole makes no sense to the centre: halve it until one row is left; that row is
replaced by a declared gap, and its bytes go to quarantine, so it never blocks the rest
401, 403, 404           → an operator must act; keep trying, slowly, and say so
409                     → another gateway speaks in our name: keep everything, keep trying, slowly, and say so
everything else, none   → try again, 0.1 s to 5 s apart in real time

A centre that is further in an epoch than we ever sent knows it from somebody else: our file is an old copy, or has a twin.
So the centre's position is asked for before the first row of an epoch that was there at the start, and the epoch is left to
the other (`Forked`) when the positions contradict each other.
"""

import queue
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from contract.errors import MalformedMessageError
from edge.batch_reply import receipt_from
from edge.batch_rows import batch_body
from edge.core.messages import AlertNoted, BadInput, ConditionReported, DocumentArrived
from edge.errors import DamagedRowError
from edge.outbox import OutboxRow, Stream, Streams, new_run
from edge.outbox_reader import OutboxReader
from edge.pace import Pace
from edge.transport import Reply
from runtime.clock import Clock
from runtime.errors import RetryLaterError
from runtime.logs import Log, printable

log = Log("edge.uplink")

MAX_ROWS, MAX_BYTES = 2000, 2_000_000
BACKOFF_MIN_S, BACKOFF_MAX_S = 0.1, 5.0
REFUSED_STATUSES = frozenset({400, 413, 422})
OPERATOR_STATUSES = frozenset({401, 403, 404})
TWIN_STATUS = 409
KEY_REFUSED, CENTRE_AWAY = "centre-refuses", "centre-away"


@dataclass(frozen=True, slots=True)
class Acked:
    """The centre has everything of `epoch` up to `through`; `refused` rows are (seq, reason)."""

    epoch: str
    through: int
    refused: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Poisoned:
    """No batch may carry this row."""

    epoch: str
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Forked:
    """The centre has `epoch` through `through`, and not from us: nothing may be added to it any more."""

    epoch: str
    through: int


FromUplink: TypeAlias = (
    Acked | Poisoned | Forked | DocumentArrived | BadInput | ConditionReported | AlertNoted
)


class Transport(Protocol):
    def post(self, body: bytes) -> Reply: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class UplinkStatus:
    """For /status; written by the uplink's thread only, but for `documents_applied`, which is the loop's."""

    is_up: bool = False
    problem: str = ""
    batches: int = 0
    rows: int = 0
    resent: int = 0
    failures: int = 0
    damaged_rows: int = 0
    oldest_waiting_ms: int = 0
    documents_handed: int = 0
    documents_applied: int = 0
    last_ok_monotonic_s: float = field(default_factory=time.monotonic)


class TellsItself(Protocol):
    """What the gateway says of itself in a batch; see edge.self_state."""

    def next(self, oldest_waiting_ms: Callable[[], int], damaged_rows: int) -> dict[str, object] | None: ...

    def not_told(self) -> None: ...

    def refused(self) -> None: ...


class Uplink:
    """One thread's work: `run` until `stop` is set. What comes back goes into `inbox`, which is bounded."""

    def __init__(
        self,
        transport: Transport,
        streams: Streams,
        store_path: Path,
        clock: Clock,
        have: Callable[[], dict[str, int]],
        *,
        gateway: str,
        store: str,
        linger_s: float,
        poll_interval_s: float,
        is_stopping: Callable[[], bool],
        tells: TellsItself | None = None,
    ) -> None:
        self.inbox: queue.Queue[FromUplink] = queue.Queue(1000)
        self.status = UplinkStatus()
        self._transport, self._streams, self._store_path, self._clock = transport, streams, store_path, clock
        self._have, self._gateway, self._store = have, gateway, store
        self._linger_s, self._poll_s, self._is_stopping = linger_s, poll_interval_s, is_stopping
        self.tells = tells
        self._reader: OutboxReader | None = None
        self._limit, self._backlog = MAX_ROWS, Pace()
        self._run = new_run()
        self._backoff_s = BACKOFF_MIN_S
        self._last_post_s = self._last_live_post_s = -1e9
        self._sent: dict[str, int] = {}

    def run(self) -> None:
        reader = OutboxReader(self._store_path)
        try:
            while not self._is_stopping():
                self._streams.news.clear()
                if not self.cycle(reader):
                    self._streams.news.wait(self._wait_s())
        finally:
            reader.close()
            self._transport.close()

    def cycle(self, reader: OutboxReader) -> bool:
        """One batch or one question; False when there is nothing to do yet."""
        self._reader = reader
        live = self._streams.live
        draining = [stream for stream in self._streams.all() if stream is not live]
        sent = False
        for stream in [live, *draining[:1]]:
            if not stream.is_known and not stream.is_left:
                self._send(stream, [])
                sent = True
                continue
            if stream.is_left or stream.acked_through >= stream.frozen_through:
                continue
            if stream is live and self._linger_s and self._lingers(stream):
                continue
            rows = self._rows(reader, stream)
            if rows:
                self._send(stream, rows)
                sent = True
        if not sent and time.monotonic() - self._last_post_s >= self._poll_s:
            self._send(live, [])
            return False
        return sent

    def _rows(self, reader: OutboxReader, stream: Stream) -> list[OutboxRow]:
        limit = self._limit if stream is self._streams.live else min(self._limit, self._backlog.rows)
        try:
            return reader.rows(stream.epoch, stream.acked_through, stream.frozen_through, limit, MAX_BYTES)
        except DamagedRowError as error:
            self.status.damaged_rows += 1
            log.warning("a row is damaged on the disk", epoch=error.epoch, seq=error.seq)
            self.inbox.put(Poisoned(error.epoch, error.seq, "its bytes on the gateway's disk were damaged"))
            self._pause(BACKOFF_MIN_S)
            return []

    def _lingers(self, stream: Stream) -> bool:
        """Records wait for company, but not past the linger since the live lane's last post, whatever a backlog posts."""
        return (
            stream.frozen_through - stream.acked_through < self._limit
            and time.monotonic() - self._last_live_post_s < self._linger_s
        )

    def _wait_s(self) -> float:
        live = self._streams.live
        if live.acked_through < live.frozen_through:
            return min(self._linger_s, 0.05)
        return max(0.005, min(self._poll_s - (time.monotonic() - self._last_post_s), 0.5))

    def _send(self, stream: Stream, rows: list[OutboxRow]) -> None:
        state = self.tells.next(self.oldest_waiting_ms, self.status.damaged_rows) if self.tells else None
        body = batch_body(
            gateway=self._gateway, store=self._store, epoch=stream.epoch,
            sent_at_ms=self._clock.now_ms(), have=self._have(), rows=rows, run=self._run,
            state=state,
        )  # fmt: skip
        if rows and rows[0].seq <= self._sent.get(stream.epoch, 0):
            self.status.resent += 1
        if rows:
            self._sent[stream.epoch] = max(rows[-1].seq, self._sent.get(stream.epoch, 0))
        asked_s = time.monotonic()
        try:
            reply = self._transport.post(body)
        except RetryLaterError as error:
            if state is not None and self.tells:
                self.tells.not_told()
            self._failed(str(error))
            return
        finally:
            self._last_post_s = time.monotonic()
            if stream is self._streams.live:
                self._last_live_post_s = self._last_post_s
            elif rows:
                self._backlog.took(self._last_post_s - asked_s, len(rows))
        if state is not None and self.tells and reply.status != 200:
            self.tells.not_told()
            if reply.status in REFUSED_STATUSES:
                # No row is to blame before the batch was refused without the state: an older centre knows none.
                self.tells.refused()
                return
        if reply.status == 200:
            self._accepted(stream, rows, reply)
        elif reply.status in REFUSED_STATUSES and rows:
            self._refused(stream, rows, _reason_of(reply))
        elif reply.status == TWIN_STATUS:
            self._has_a_twin(_reason_of(reply))
        elif reply.status in OPERATOR_STATUSES:
            self._operator_must_act(f"the centre answers {reply.status}: {_reason_of(reply)}")
        else:
            self._failed(f"the centre answers {reply.status}: {_reason_of(reply)}", reply.retry_after_s)

    def oldest_waiting_ms(self) -> int:
        """How long the oldest record that the centre has not acknowledged has waited, by its own time."""
        waiting_ms = 0
        stream = next((stream for stream in self._streams.all() if stream.waiting > 0), None)
        if stream is not None and self._reader is not None:
            at_ms = self._reader.oldest_at_ms(stream.epoch, stream.acked_through)
            waiting_ms = 0 if at_ms is None else max(0, self._clock.now_ms() - at_ms)
        self.status.oldest_waiting_ms = waiting_ms
        return waiting_ms

    def _accepted(self, stream: Stream, rows: list[OutboxRow], reply: Reply) -> None:
        try:
            receipt, bad = receipt_from(reply.body)
        except MalformedMessageError as error:
            self._failed(f"the centre's reply makes no sense: {error}")
            return
        if receipt.epoch != stream.epoch or receipt.gateway != self._gateway:
            self._failed(f"the centre answered for {receipt.gateway} {receipt.epoch}")
            return
        self._is_well()
        self.status.batches += 1
        self.status.rows += len(rows)
        for item in bad:
            self.inbox.put(item)
        # Counted as pending from here until the loop has applied them, so that nobody sees a moment of false rest.
        self.status.documents_handed += len(receipt.documents)
        for document in receipt.documents:
            self.inbox.put(DocumentArrived(document))
        if self._is_forked(stream, receipt.acked_through):
            return
        through = min(receipt.acked_through, stream.frozen_through)
        refused = tuple((item.seq, item.reason) for item in receipt.rejected)
        if through > stream.acked_through or refused:
            self.inbox.put(Acked(stream.epoch, through, refused))
            stream.acked_through = max(stream.acked_through, through)
            self._limit = min(MAX_ROWS, self._limit * 2)
        elif rows:
            self._failed(f"the centre acknowledged only {receipt.acked_through} of {rows[-1].seq}")

    def _is_forked(self, stream: Stream, through: int) -> bool:
        """Whether the centre's position in our epoch cannot be our doing; the loop leaves the epoch then."""
        is_ours = through <= (stream.acked_through if stream.had_twin else stream.frozen_through)
        if is_ours:
            stream.is_known, stream.had_twin = True, False
            return False
        log.error(
            "the centre is further in our epoch than we are: our file is an old copy or has a twin; a new epoch begins",
            epoch=stream.epoch, centre_through=through, our_through=stream.frozen_through,
        )  # fmt: skip
        stream.is_left = True
        self.inbox.put(Forked(stream.epoch, through))
        return True

    def _has_a_twin(self, reason: str) -> None:
        """Whoever holds our name may write into our epochs: compare positions again before the next row."""
        for stream in self._streams.all():
            stream.is_known, stream.had_twin = False, stream.last_seq > 0
        self._operator_must_act(f"another gateway speaks in this one's name: {reason}")

    def _refused(self, stream: Stream, rows: list[OutboxRow], reason: str) -> None:
        self.status.failures += 1
        if len(rows) > 1:
            self._limit = max(1, len(rows) // 2)
            return
        log.warning("the centre refuses a row", epoch=stream.epoch, seq=rows[0].seq, reason=reason)
        self.inbox.put(Poisoned(stream.epoch, rows[0].seq, f"the centre refuses it: {reason}"))
        self._pause(BACKOFF_MIN_S if rows[0].kind != "gap" else BACKOFF_MAX_S)

    def _failed(self, why: str, wait_s: float | None = None) -> None:
        self.status.failures += 1
        if self.status.is_up or not self.status.problem:
            log.warning("the centre is away", reason=why)
        self.status.is_up, self.status.problem = False, why
        self._pause(self._backoff_s * random.uniform(0.8, 1.2) if wait_s is None else min(wait_s, 60.0))  # noqa: S311 - jitter
        self._backoff_s = min(self._backoff_s * 2, BACKOFF_MAX_S)

    def _operator_must_act(self, why: str) -> None:
        if self.status.problem != why:
            log.error(
                "the centre refuses this gateway; check key_file, gateway, central_url and other gateways",
                reason=why,
            )
            self.inbox.put(ConditionReported(KEY_REFUSED, self._gateway, active=True, text=why[:300]))
        self.status.failures += 1
        self.status.is_up, self.status.problem = False, why
        self._backoff_s = BACKOFF_MAX_S
        self._pause(self._backoff_s)

    def _is_well(self) -> None:
        if not self.status.is_up:
            log.info("the centre answers")
            self.inbox.put(ConditionReported(KEY_REFUSED, self._gateway, active=False, text="accepted again"))
        self.status.is_up, self.status.problem = True, ""
        self.status.last_ok_monotonic_s = time.monotonic()
        self._backoff_s = BACKOFF_MIN_S

    def _pause(self, wait_s: float) -> None:
        until_s = time.monotonic() + wait_s
        while not self._is_stopping() and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.1))


def _reason_of(reply: Reply) -> str:
    return printable(reply.body[:300], 200) or "no reason given"

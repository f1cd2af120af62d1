"""Takes batches into the ledger: facts, position, stock, decisions and outgoing events in one transaction."""

import json
from dataclasses import dataclass

from central import desired_state
from central.context import Work
from central.core.ingest import Verdict, judge_batch
from central.errors import ConflictError, ForbiddenError
from central.intake import Intake
from central.ledger import facts
from contract.batch import Batch, BatchRows, RejectedRecord


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway is told. documents: bodies of the desired state it lacks, as JSON."""

    acked_through: int
    rejected: tuple[RejectedRecord, ...]
    documents: tuple[bytes, ...]
    verdict: Verdict


def take_batch(work: Work, batch: Batch, read: BatchRows) -> Answer:
    """Applies what is new of `batch`. The same batch again gives the same answer and changes nothing."""
    if not work.store.exists:
        raise ForbiddenError(
            f"store {batch.store} is unknown; put it with PUT /v1/stores/{batch.store} first"
        )
    _require_speaker(work, batch)
    position = work.store.positions.get((batch.gateway, batch.epoch))
    verdict = judge_batch(
        position.through_seq if position else None, batch.seq_from, batch.seq_to,
        rows=len(read.rows) + len(read.rejected), kept_from_seq=batch.kept_from_seq,
    )  # fmt: skip
    work.memory.heard_ms[batch.gateway] = work.now_ms
    rejected = read.rejected
    if verdict.take_from is not None:
        rejected = Intake(work, batch, verdict).take(read)
    if work.supply_changed:
        desired_state.refresh_supply(work)
    return Answer(
        verdict.acked_through, rejected, desired_state.newer_than(work, batch.have), verdict.verdict
    )


def _require_speaker(work: Work, batch: Batch) -> None:
    """Raises ConflictError when another box speaks for the gateway. A take-over is written, for workers and restarts."""
    gateway, run, identities, now_ms = batch.gateway, batch.run, work.store.identities, work.now_ms
    heard_ms = work.memory.heard_ms.get(gateway, 0)
    if identities.was_replaced(gateway, run):
        heard_ms = max(heard_ms, facts.last_heard_ms(work.connection, gateway))
    spoke = identities.speaks_for(gateway)
    if identities.is_refused(gateway, run, now_ms, heard_ms):
        work.memory.watch.refused(gateway, run or "", batch.state, now_ms)
        raise ConflictError(
            f"another gateway speaks as {gateway}; stop one of the two, or add a gateway and give it the new key"
        )
    if run is not None and run != spoke:
        replaced = json.dumps(identities[gateway].replaced)
        facts.put_identity(work.connection, work.store.store, gateway, run, replaced, now_ms)
    work.memory.watch.note(gateway, batch.state, batch.sent_at_ms, now_ms)

"""POST /v1/gateways/{gateway}/batches: the reply goes out when the batch is on the disk."""

import asyncio

import zstandard
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from central.access import Scope
from central.api.gate import caller, the_centre_of
from central.core.ingest import Verdict
from central.errors import ForbiddenError
from central.ingestion import Answer, take_batch
from contract.batch import Batch, BatchReceipt, BatchRows
from contract.batch_reading import read_batch

router = APIRouter(tags=["gateways"])

MAX_INLINE_BYTES = 4096
"""A body so small is read in less time than a thread takes to wake; larger ones must not hold up other requests."""

MAX_INLINE_PLAIN_BYTES = 65_536
_READING = CapacityLimiter(4)
"""Large bodies read at a time: each may hold twenty times its bytes in memory while it is read."""


@router.post("/v1/gateways/{gateway}/batches", response_model=BatchReceipt)
async def post_batch(gateway: str, request: Request) -> Response:
    """Takes a batch (contract.batch), zstd or plain JSON. Asking again with the same batch is safe."""
    # The one busy route: it asks for caller and centre itself, since each declared dependency costs a tenth of it.
    principal, centre = caller(request), the_centre_of(request)
    principal.require(Scope.GATEWAY)
    if gateway != principal.gateway:
        raise ForbiddenError(
            f"this key is gateway {principal.gateway}'s; it cannot speak for {gateway[:48]!r}"
        )
    body = await request.body()
    encoding = request.headers.get("content-encoding", "")
    if is_small(body, encoding):
        batch, rows = _read(body, encoding)
    else:
        batch, rows = await to_thread.run_sync(_read, body, encoding, limiter=_READING)
    if (batch.gateway, batch.store) != (principal.gateway, principal.store):
        raise ForbiddenError(
            f"the batch says gateway {batch.gateway} of store {batch.store}; "
            f"the key is for {principal.gateway} of {principal.store}"
        )
    job = centre.store_job(batch.store, lambda work: (take_batch(work, batch, rows), work.now_ms))
    answer, now_ms = await asyncio.wrap_future(centre.writer.submit(job))
    centre.count("batches", int(answer.verdict is not Verdict.POLL))
    centre.count("duplicates", int(answer.verdict is Verdict.DUPLICATE))
    centre.count("rows", len(rows.rows) if answer.verdict in (Verdict.NEW, Verdict.OVERLAP) else 0)
    centre.count("rejected", len(answer.rejected))
    return Response(_reply(batch, answer, now_ms), media_type="application/json")


def is_small(body: bytes, encoding: str) -> bool:
    """Whether the body is small as it came and as it will be: 4 kB of zstd can hold the 8 MB that are allowed."""
    if len(body) > MAX_INLINE_BYTES:
        return False
    if not encoding.strip():
        return True
    try:
        return 0 <= zstandard.frame_content_size(body) <= MAX_INLINE_PLAIN_BYTES
    except zstandard.ZstdError:
        return True  # refused at its first byte


def _read(body: bytes, encoding: str) -> tuple[Batch, BatchRows]:
    return read_batch(body, encoding.strip().lower())


def _reply(batch: Batch, answer: Answer, now_ms: int) -> bytes:
    """A BatchReceipt. The documents are JSON already, and would cost more to parse than all the rest."""
    receipt = BatchReceipt(
        gateway=batch.gateway, epoch=batch.epoch, acked_through=answer.acked_through,
        rejected=list(answer.rejected), server_time_ms=now_ms,
    ).to_json()  # fmt: skip
    if not answer.documents:
        return receipt
    return receipt.replace(b'"documents":[]', b'"documents":[' + b",".join(answer.documents) + b"]", 1)

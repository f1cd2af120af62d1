"""POST /v1/gateways/{gateway}/batches: the reply goes out when the batch is on the disk."""

import asyncio
import re

import zstandard
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from central.access import Principal, Scope
from central.api.answers import Answer, Answers
from central.api.problems import answer_to
from central.centre import Centre
from central.core.ingest import Verdict
from central.errors import ForbiddenError
from central.ingestion import Answer as Taken
from central.ingestion import take_batch
from contract.batch import Batch, BatchReceipt, BatchRows
from contract.batch_reading import read_batch

router = APIRouter(tags=["gateways"])

ROUTE = "/v1/gateways/{gateway}/batches"
_PATH = re.compile(r"/v1/gateways/([^/]+)/batches")

MAX_INLINE_BYTES = 4096
"""A body so small is read in less time than a thread takes to wake; larger ones must not hold up other requests."""

MAX_INLINE_PLAIN_BYTES = 65_536
_READING = CapacityLimiter(4)
"""Large bodies read at a time: each may hold twenty times its bytes in memory while it is read."""


class BatchDoor:
    """The one busy route. The gate hands it what it let in, past the router: that would cost as much as all the rest of a batch."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._answers: Answers | None = None

    @staticmethod
    def gateway_of(scope: AsgiScope) -> str | None:
        """The gateway that the request is for; None when it is no batch, or one for the router to refuse: with a query."""
        if scope["method"] != "POST" or scope.get("query_string"):
            return None
        found = _PATH.fullmatch(scope["path"])
        return found[1] if found else None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send, gateway: str) -> None:
        """receive: that of a caller whom the gate knows, which raises when more comes than may."""
        try:
            require_speaker(scope["state"]["principal"], gateway)
            body = await _body_from(receive)
            if body is None:
                return  # nobody waits for an answer any more
            encoding = next((value for name, value in scope["headers"] if name == b"content-encoding"), b"")
            answer = await self.answer(scope["state"]["principal"], body, encoding.decode("latin-1"))
        except Exception as error:  # noqa: BLE001 - as at the top of any route
            await answer_to(error, self._centre, scope["path"], "POST", ROUTE)(scope, receive, send)
            return
        headers = [(b"content-length", str(len(answer)).encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def answer(self, principal: Principal, body: bytes, encoding: str) -> bytes:
        """The receipt, when the batch is on the disk."""
        centre = self._centre
        if is_small(body, encoding):
            batch, rows = _read(body, encoding)
        else:
            batch, rows = await to_thread.run_sync(_read, body, encoding, limiter=_READING)
        if (batch.gateway, batch.store) != (principal.gateway, principal.store):
            raise ForbiddenError(
                f"the batch says gateway {batch.gateway} of store {batch.store}; "
                f"the key is for {principal.gateway} of {principal.store}"
            )
        if months := centre.months.lacking(rows.rows):
            await to_thread.run_sync(centre.months.make, months, limiter=_READING)
        job = centre.store_job(
            batch.store, lambda work: (take_batch(work, batch, rows), work.now_ms), sums_may_wait=True,
            writes=bool(rows.rows),
        )  # fmt: skip
        waiting = self._expected()
        centre.writer.submit_to(job, waiting)
        answer, now_ms = await waiting.future
        centre.count("batches", int(answer.verdict is not Verdict.POLL))
        centre.count("duplicates", int(answer.verdict is Verdict.DUPLICATE))
        centre.count("rows", len(rows.rows) if answer.verdict in (Verdict.NEW, Verdict.OVERLAP) else 0)
        centre.count("rejected", len(answer.rejected))
        return _reply(batch, answer, now_ms)

    def _expected(self) -> Answer:
        loop = asyncio.get_running_loop()
        if self._answers is None or self._answers.loop is not loop:
            self._answers = Answers(loop)
        return Answer(self._answers)


def require_speaker(principal: Principal, gateway: str) -> None:
    """Raises ForbiddenError unless the key is this gateway's."""
    principal.require(Scope.GATEWAY)
    if gateway != principal.gateway:
        raise ForbiddenError(
            f"this key is gateway {principal.gateway}'s; it cannot speak for {gateway[:48]!r}"
        )


@router.post(ROUTE, response_model=BatchReceipt)
async def post_batch(gateway: str, request: Request) -> Response:
    """Takes a batch (contract.batch), zstd or plain JSON. Asking again with the same batch is safe."""
    # Here for the description: the gate goes to the door itself.
    principal, door = request.state.principal, BatchDoor(request.app.state.centre)
    require_speaker(principal, gateway)
    encoding = request.headers.get("content-encoding", "")
    answer = await door.answer(principal, await request.body(), encoding)
    return Response(answer, media_type="application/json")


async def _body_from(receive: Receive) -> bytes | None:
    """None when the sender went away before it was whole."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


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


def _reply(batch: Batch, answer: Taken, now_ms: int) -> bytes:
    """A BatchReceipt. The documents are JSON already, and would cost more to parse than all the rest."""
    receipt = BatchReceipt(
        gateway=batch.gateway, epoch=batch.epoch, acked_through=answer.acked_through,
        rejected=list(answer.rejected), server_time_ms=now_ms,
    ).to_json()  # fmt: skip
    if not answer.documents:
        return receipt
    return receipt.replace(b'"documents":[]', b'"documents":[' + b",".join(answer.documents) + b"]", 1)

"""A centre in memory, for the uplink's tests. tests/contracts holds it to what the real transport does."""

import json

from contract.batch import records_from_batch
from contract.codec import batch_from_bytes
from edge.transport import Reply


class Centre:
    """`script`: what to answer to each post; a callable, a status, or an exception. Empty: as it should."""

    def __init__(self):
        self.script, self.bodies = [], []
        self.extra = {}

    def post(self, body):
        batch = batch_from_bytes(body)
        records_from_batch(batch)  # raises when the run has holes
        self.bodies.append(batch)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        if isinstance(step, int):
            return Reply(step, b'{"title":"no"}', None)
        if callable(step):
            return step(batch)
        return self.accept(batch)

    def accept(self, batch, through=None, **more):
        answer = {
            "gateway": batch.gateway, "epoch": batch.epoch,
            "acked_through": batch.seq_to if through is None else through, "server_time_ms": 5, **self.extra, **more,
        }  # fmt: skip
        return Reply(200, json.dumps(answer).encode(), None)

    def close(self):
        pass

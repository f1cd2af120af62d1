"""One suite for whoever carries batches to the centre: HTTP on loopback, and the uplink tests' centre in memory."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge.batch_rows import batch_body
from edge.outbox import OutboxRow
from edge.transport import CentralTransport, Reply
from runtime.errors import RetryLaterError

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge"))
from edge_centre import Centre

ROW = '{"at_ms":1,"code":"x","subject":"y","severity":"info","cleared":false,"text":""}'


def served(centre):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            try:
                reply = centre.post(self.rfile.read(int(self.headers["Content-Length"])))
            except RetryLaterError:
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            if reply.retry_after_s is not None:
                self.send_header("Retry-After", str(reply.retry_after_s))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


@pytest.fixture
def centre():
    return Centre()


@pytest.fixture(params=["http", "memory"])
def transport(request, centre):
    if request.param == "memory":
        yield centre
        return
    server = served(centre)
    transport = CentralTransport(f"http://127.0.0.1:{server.server_address[1]}", "gw-1", "key")
    yield transport
    transport.close()
    server.shutdown()
    server.server_close()


def body_of(*seqs):
    rows = [OutboxRow(seq, "alert", ROW) for seq in seqs]
    return batch_body(gateway="gw-1", store="s-1", epoch="e1", sent_at_ms=1, have={"items": 2}, rows=rows)


def test_the_batch_arrives_as_it_was_and_its_receipt_comes_back(transport, centre):
    reply = transport.post(body_of(3, 4))
    [batch] = centre.bodies
    assert (batch.gateway, batch.epoch, batch.seq_from, batch.seq_to, batch.have) == (
        "gw-1", "e1", 3, 4, {"items": 2},
    )  # fmt: skip
    assert reply == centre.accept(batch)


def test_batches_arrive_in_the_order_of_the_posts(transport, centre):
    for seq in range(1, 20):
        transport.post(body_of(seq))
    assert [batch.seq_from for batch in centre.bodies] == list(range(1, 20))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429, 500, 503])
def test_an_answer_is_an_answer_whatever_its_status(transport, centre, status):
    centre.script = [status]
    assert transport.post(body_of(1)) == Reply(status, b'{"title":"no"}', None)


def test_the_wait_that_the_centre_asks_for_is_told(transport, centre):
    centre.script = [lambda _: Reply(503, b"", 7.0)]
    assert transport.post(body_of(1)).retry_after_s == 7.0


def test_no_answer_is_told_as_such_and_the_next_post_goes_through(transport, centre):
    centre.script = [RetryLaterError("away")]
    with pytest.raises(RetryLaterError):
        transport.post(body_of(1))
    assert transport.post(body_of(1)).status == 200
    assert len(centre.bodies) == 2


def test_closing_ends_nothing_for_good(transport):
    transport.close()
    transport.post(body_of(1))
    transport.close()
    transport.close()
    assert transport.post(body_of(2)).status == 200

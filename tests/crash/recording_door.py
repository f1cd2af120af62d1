"""Stands between a gateway and the centre: passes batches on, loses some, and remembers every row that went by."""

import http.client
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from contract.batch import records_from_batch
from contract.codec import batch_from_bytes, batch_receipt_from_bytes


class RecordingDoor:
    """rows: (epoch, seq) -> what it said. changed: rows that said something else when they came again."""

    def __init__(self, centre_port, seed):
        self.centre_port = centre_port
        self.rows, self.changed, self.acked, self.again = {}, [], {}, 0
        self.lose = 0.0
        self.is_open = True
        self._chance, self._lock = random.Random(seed), threading.Lock()
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) < int(self.headers["Content-Length"]):
                    self.close_connection = True  # its sender was killed between the head and the body
                    return
                status, answer = door.pass_on(self.path, dict(self.headers), body)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A gateway that died in the middle of its request."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def pass_on(self, path, headers, body):
        """(status, answer); status None: no answer at all."""
        fate = self._chance.random()
        if not self.is_open or fate < self.lose / 2:
            return None, b""
        batch = batch_from_bytes(body, headers["Content-Encoding"])
        self._record(batch)
        connection = http.client.HTTPConnection("127.0.0.1", self.centre_port, timeout=20)
        try:
            connection.request("POST", path, body, headers)
            reply = connection.getresponse()
            answer = reply.read()
        except (OSError, http.client.HTTPException):
            return None, b""
        finally:
            connection.close()
        if reply.status == 200:
            with self._lock:
                through = batch_receipt_from_bytes(answer).acked_through
                self.acked[batch.epoch] = max(through, self.acked.get(batch.epoch, 0))
        return (None, b"") if fate < self.lose else (reply.status, answer)

    def _record(self, batch):
        with self._lock:
            for row in records_from_batch(batch).rows:
                key, text = (batch.epoch, row.seq), row.model_dump_json()
                known = self.rows.setdefault(key, text)
                self.again += known is not text
                if known != text:
                    self.changed.append((key, known, text))

    def missing(self):
        """Seqs that were acknowledged and never went by."""
        return [
            (epoch, seq)
            for epoch, through in self.acked.items()
            for seq in range(1, through + 1)
            if (epoch, seq) not in self.rows
        ]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

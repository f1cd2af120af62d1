"""A centre that takes every batch and hands out a shop's documents: `python -m benchmarks.gateway_rig.sink SKUS`.

Prints its port; GET / tells what came: batches, rows by kind, bytes on the wire. It stores nothing, so that a measurement of
the gateway is none of the centre.
"""

import json
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.gateway_rig.shop import documents
from contract.codec import decompress

_LOCK = threading.Lock()


class Sink:
    def __init__(self, skus: int) -> None:
        self.documents = documents(skus)
        self.position: dict[str, int] = {}
        self.rows: Counter[str] = Counter()
        self.batches = self.bytes = self.duplicates = 0

    def take(self, body: bytes, encoding: str) -> dict[str, Any]:
        batch = json.loads(decompress(body) if encoding == "zstd" else body)
        epoch = batch["epoch"]
        before = self.position.get(epoch, 0)
        if batch["seq_to"]:
            self.batches += 1
            self.bytes += len(body)
            self.duplicates += max(0, before - batch["seq_from"] + 1)
            self.position[epoch] = max(before, batch["seq_to"])
            for kind, columns in batch["records"].items():
                self.rows[kind] += len(columns["seq"])
        have = batch["have"]
        return {
            "gateway": batch["gateway"], "epoch": epoch, "acked_through": self.position.get(epoch, 0), "rejected": [],
            "documents": [document for document in self.documents if have.get(document["kind"], 0) < document["version"]],
            "server_time_ms": batch["sent_at_ms"],
        }  # fmt: skip

    def told(self) -> dict[str, Any]:
        return {
            "batches": self.batches, "bytes": self.bytes, "rows": dict(self.rows), "duplicates": self.duplicates,
        }  # fmt: skip


def serve(sink: Sink, port: int = 0, host: str = "127.0.0.1") -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 65_536

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with _LOCK:
                answer = sink.take(body, self.headers.get("Content-Encoding", ""))
            self._answer(answer)

        def do_GET(self) -> None:
            with _LOCK:
                answer = sink.told()
            self._answer(answer)

        def _answer(self, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    return server


def main() -> int:
    server = serve(Sink(int(sys.argv[1])))
    print(server.server_address[1], flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())

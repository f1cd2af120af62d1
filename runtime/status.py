"""A process' status on a loopback port: `GET /status` as JSON, `GET /healthz` as 200 or 503."""

import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from runtime.errors import OperatorError


class StatusServer:
    """Serves what `status` returns. `backlog` in it is the work not yet passed on; `problems` (a list) makes /healthz 503."""

    def __init__(
        self, port: int, status: Callable[[], Mapping[str, object]], host: str = "127.0.0.1"
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One segment an answer: header and body in two would wait 40 ms for the reader's delayed ACK.
            disable_nagle_algorithm = True
            wbufsize = 65_536

            def do_GET(self) -> None:
                if self.path not in ("/status", "/healthz"):
                    self._answer(404, {"error": "ask for /status or /healthz"})
                    return
                report = status()
                unhealthy = self.path == "/healthz" and report.get("problems")
                self._answer(503 if unhealthy else 200, report)

            def _answer(self, code: int, report: Mapping[str, object]) -> None:
                body = json.dumps(report).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Requests for status are no events."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise OperatorError(
                f"status_port {port} on {host}: {error.strerror}; choose a free port, 0 picks one"
            ) from None
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def serve(self) -> None:
        """Blocks until `close`. Run it in a supervised thread."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

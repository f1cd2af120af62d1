"""The loopback HTTP door of a system outside: its webhook, and what the demo may ask of it."""

import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

MAX_BODY_BYTES = 256_000

Get = Callable[[dict[str, str]], object]
Webhook = Callable[[bytes, dict[str, str]], tuple[int, object]]
"""(body, headers) -> (HTTP status, JSON)."""


class Door:
    """POST /webhook goes to `webhook`; GET of a path in `gets` is answered with its JSON."""

    def __init__(self, port: int, webhook: Webhook, gets: Mapping[str, Get]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = 65_536

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                get = gets.get(parts.path)
                if get is None:
                    self._answer(404, {"error": f"ask for one of {', '.join(sorted(gets))}"})
                    return
                try:
                    self._answer(200, get(dict(parse_qsl(parts.query))))
                except ValueError as error:
                    self._answer(400, {"error": str(error)})

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if self.path != "/webhook" or not 0 < length <= MAX_BODY_BYTES:
                    self.close_connection = True
                    self._answer(400, {"error": f"POST /webhook takes 1 to {MAX_BODY_BYTES} bytes"})
                    return
                body = self.rfile.read(length)
                if len(body) < length:  # its sender ended between the head and the body: it will come again
                    self.close_connection = True
                    return
                self._answer(*webhook(body, dict(self.headers.items())))

            def _answer(self, code: int, report: object) -> None:
                body = json.dumps(report).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """What matters is in the notebook."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.5)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

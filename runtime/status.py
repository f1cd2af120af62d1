"""A process' status over HTTP: `GET /status` as JSON, `GET /healthz` as 200 or 503, and pages that it adds."""

import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

from runtime.errors import OperatorError
from runtime.logs import Log

log = Log("runtime.status")

MAX_CONNECTIONS = 32
"""Each has a thread of its own; who comes when all are taken is sent away."""
IDLE_LIMIT_S = 60.0


MAX_ACT_BYTES = 4096

Act = Callable[[Mapping[str, object]], Mapping[str, object]]


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """The act is not done; `code` is the HTTP status of the answer."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Page:
    content_type: str
    body: bytes


class StatusServer:
    """Serves what `status` returns. `backlog` in it is the work not yet passed on; `problems` (a list) makes /healthz 503.

    pages: path -> what is there; called for each request, in the request's thread.
    acts: path -> what a POST of a JSON object does there; from this machine only, whatever `host` is.
    """

    def __init__(
        self,
        port: int,
        status: Callable[[], Mapping[str, object]],
        host: str = "127.0.0.1",
        pages: Mapping[str, Callable[[], Page]] | None = None,
        acts: Mapping[str, Act] | None = None,
    ) -> None:
        others, deeds = dict(pages or {}), dict(acts or {})
        known = ", ".join(["/status", "/healthz", *others])

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One segment an answer: header and body in two would wait 40 ms for the reader's delayed ACK.
            disable_nagle_algorithm = True
            wbufsize = 65_536
            timeout = IDLE_LIMIT_S

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path in others:
                    self._answer(200, others[path]())
                elif path in ("/status", "/healthz"):
                    report = status()
                    unhealthy = path == "/healthz" and report.get("problems")
                    self._answer(503 if unhealthy else 200, _json_page(report))
                else:
                    self._answer(404, _json_page({"error": f"ask for one of {known}"}))

            def do_POST(self) -> None:
                self.close_connection = True  # a body that nobody read must not be taken for the next request
                act = deeds.get(self.path.partition("?")[0])
                if act is None:
                    known = ", ".join(deeds) or "none"
                    self._answer(404, _json_page({"error": f"nothing is done there; known are {known}"}))
                    return
                try:
                    done = act(self._body())
                except Refusal as refusal:
                    self._answer(refusal.code, _json_page({"error": str(refusal)}))
                else:
                    self._answer(200, _json_page(done))

            def _body(self) -> Mapping[str, object]:
                if not ip_address(self.client_address[0].partition("%")[0]).is_loopback:
                    raise Refusal(403, "only from the gateway itself")
                # A browser sends this type across sites only after asking, which is never granted here.
                if self.headers.get("Content-Type") != "application/json":
                    raise Refusal(415, "send application/json")
                size = self.headers.get("Content-Length", "")
                if not size.isdigit() or int(size) > MAX_ACT_BYTES:
                    raise Refusal(413, f"send at most {MAX_ACT_BYTES} bytes, with their length")
                try:
                    value = json.loads(self.rfile.read(int(size)))
                except (ValueError, RecursionError):
                    raise Refusal(400, "the body is no JSON") from None
                if not isinstance(value, dict):
                    raise Refusal(400, "send a JSON object")
                return value

            def _answer(self, code: int, page: Page) -> None:
                self.send_response(code)
                self.send_header("Content-Type", page.content_type)
                self.send_header("Content-Length", str(len(page.body)))
                self.send_header("Cache-Control", "no-store")
                if page.content_type.startswith("text/html"):
                    self.send_header(
                        "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"
                    )
                self.end_headers()
                self.wfile.write(page.body)

            def log_message(self, *_: object) -> None:
                """Requests for status are no events."""

        try:
            self._server = _BoundedServer((host, port), Handler)
        except OSError as error:
            raise OperatorError(
                f"status_port {port} on {host}: {error.strerror}; choose a free port, 0 picks one"
            ) from None
        self.port: int = self._server.server_address[1]

    def serve(self) -> None:
        """Blocks until `close`. Run it in a supervised thread."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _BoundedServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: object, client_address: object) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]  # a socket, as the base class knows it
            return
        try:
            super().process_request(request, client_address)  # type: ignore[arg-type]
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class' signature
        """A client that went away is no event of ours; a page that cannot be made is."""
        if not isinstance(sys.exception(), OSError):
            log.exception("a status page could not be made")  # noqa: LOG004 - the base class calls this in its handler


def _json_page(report: Mapping[str, object]) -> Page:
    return Page("application/json", json.dumps(report).encode())

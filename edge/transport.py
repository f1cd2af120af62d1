"""One kept-alive HTTP connection to the centre. The standard library's client: it costs a third of the memory and time."""

import http.client
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from contract.codec import ZSTD
from runtime.errors import OperatorError, RetryLaterError, reason_of

TIMEOUT_S = 15.0
MAX_REPLY_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    retry_after_s: float | None


class CentralTransport:
    """Raises OperatorError when the URL or the CA file is no good."""

    def __init__(self, url: str, gateway: str, key: str, ca_file: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OperatorError(
                f"central_url {url!r}: must look like https://central.example or http://host:port"
            )
        self._host, self._tls = parts.hostname, parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._path = f"{parts.path.rstrip('/')}/v1/gateways/{gateway}/batches"
        self._headers = {
            "Content-Type": "application/json",
            "Content-Encoding": ZSTD,
            "Accept": "application/json",
        }
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._context: ssl.SSLContext | None = None
        if self._tls:
            try:
                self._context = ssl.create_default_context(cafile=ca_file or None)
            except (OSError, ssl.SSLError) as error:
                raise OperatorError(
                    f"central_ca_file {ca_file}: {reason_of(error)}; give the CA's certificate"
                ) from None
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> Reply:
        """The centre's answer, whatever its status. Raises RetryLaterError when there is none."""
        kept = self._connection is not None
        try:
            return self._post(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not kept:
                raise RetryLaterError(f"centre {self._host}:{self._port}: {_why(error)}") from None
        # A kept connection may have been closed by the other side while it idled: that says nothing about the centre.
        try:
            return self._post(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise RetryLaterError(f"centre {self._host}:{self._port}: {_why(error)}") from None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes) -> Reply:
        if self._connection is None:
            self._connection = (
                http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=self._context)
                if self._tls
                else http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
            )
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read(MAX_REPLY_BYTES + 1)
        if len(answer) > MAX_REPLY_BYTES:
            raise http.client.HTTPException(f"reply of more than {MAX_REPLY_BYTES} bytes")
        if response.will_close:
            self.close()
        return Reply(response.status, answer, _seconds(response.getheader("Retry-After")))


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__

"""Asks a process on loopback how it is, over one connection that is kept.

A demo asks some hundred thousand times, so this speaks just the HTTP that such pages need: the standard library's client
spends most of its time on headers that nobody reads.
"""

import json
import socket
from typing import Any

ANSWER_LIMIT_S = 5.0
READ_BYTES = 65_536
LENGTH = b"content-length:"


class StatusClient:
    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._port = port
        self._socket: socket.socket | None = None

    def get(self, path: str = "/status") -> dict[str, Any] | None:
        """The answer, None while the process is not there (it may be starting again)."""
        for fresh in (False, True):
            try:
                status, body = self._ask(path)
            except (OSError, ValueError):
                # A kept connection is dead after a restart of the other side: one fresh try.
                self.close()
                if fresh:
                    return None
                continue
            found = json.loads(body) if status == b"200" else None
            return found if isinstance(found, dict) else None
        return None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, path: str) -> tuple[bytes, bytes]:
        """(status, body). Raises ValueError for an answer without a length, OSError for a broken connection."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_LIMIT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._more(self._socket)
        length = _length_from_head(answer[:end])
        while len(answer) < end + 4 + length:
            answer += self._more(self._socket)
        return answer.split(b" ", 2)[1], answer[end + 4 :]

    @staticmethod
    def _more(connection: socket.socket) -> bytes:
        piece = connection.recv(READ_BYTES)
        if not piece:
            raise ConnectionResetError("the other side closed the connection")
        return piece


def _length_from_head(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(LENGTH)
    if at < 0:
        raise ValueError("an answer without Content-Length")
    return int(lower[at + len(LENGTH) :].split(b"\r\n", 1)[0])

"""Asks a process on loopback how it is, over one connection that is kept."""

import http.client
import json
from typing import Any

ANSWER_LIMIT_S = 5.0


class StatusClient:
    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_LIMIT_S)

    def get(self, path: str = "/status") -> dict[str, Any] | None:
        """The answer, None while the process is not there (it may be starting again)."""
        for fresh in (False, True):
            try:
                self._http.request("GET", path)
                reply = self._http.getresponse()
                body = reply.read()
            except (OSError, http.client.HTTPException):
                # A kept connection is dead after a restart of the other side: one fresh try.
                self._http.close()
                if fresh:
                    return None
                continue
            found = json.loads(body) if reply.status == 200 else None
            return found if isinstance(found, dict) else None
        return None

    def close(self) -> None:
        self._http.close()

"""Calls of the centre's API that the demo makes for people: who sets up shops, changes prices, reads the books."""

import time
from typing import Any

import httpx


class CentreAdminError(Exception):
    """The centre refused, or did not answer in time; the message says to what and why."""


class CentreAdmin:
    """limit_s: how long a centre that is not there (it may be starting again) is asked again."""

    def __init__(self, url: str, token: str, limit_s: float = 30.0) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60.0)
        self._limit_s = limit_s

    def get(self, path: str, **query: str | int) -> Any:
        return self._ask("GET", path, params=query)

    def put(self, path: str, body: object) -> Any:
        return self._ask("PUT", path, json=body)

    def post(self, path: str, body: object) -> Any:
        return self._ask("POST", path, json=body)

    def rows(self, path: str, **query: str | int) -> list[dict[str, Any]]:
        """All rows of a paged list."""
        rows: list[dict[str, Any]] = []
        page = self.get(path, **query)
        rows.extend(page["rows"])
        while page["next"] is not None:
            page = self.get(path, **{**query, "after": page["next"]})
            rows.extend(page["rows"])
        return rows

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        deadline_s = time.monotonic() + self._limit_s
        while True:
            problem = ""
            try:
                reply = self._http.request(method, path, **how)
                if reply.is_success:
                    return reply.json() if reply.content else None
                problem = f"{reply.status_code} {reply.text[:400]}"
                if reply.status_code < 500:
                    break
            except httpx.HTTPError as error:
                problem = repr(error)
            if time.monotonic() > deadline_s:
                break
            time.sleep(0.1)
        raise CentreAdminError(f"the centre answered {method} {path}: {problem}")

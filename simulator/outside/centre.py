"""The centre's public API, as a client sees it that has nothing but the documentation."""

from typing import Any

import httpx


class CentreError(Exception):
    """The centre did not answer, or refused. retry: whether asking again can help."""

    def __init__(self, what: str, *, retry: bool) -> None:
        super().__init__(what)
        self.retry = retry


class Centre:
    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10.0)

    def get(self, path: str, **query: str | int) -> Any:
        return self._answer("GET", path, params=query)

    def post(self, path: str, body: object) -> Any:
        return self._answer("POST", path, json=body)

    def delete(self, path: str) -> Any:
        return self._answer("DELETE", path)

    def close(self) -> None:
        self._http.close()

    def _answer(self, method: str, path: str, **how: Any) -> Any:
        try:
            reply = self._http.request(method, path, **how)
        except httpx.HTTPError as error:
            raise CentreError(f"{method} {path}: {error!r}", retry=True) from error
        if reply.is_success:
            return reply.json() if reply.content else None
        busy = reply.status_code in (408, 425, 429) or reply.status_code >= 500
        raise CentreError(f"{method} {path}: {reply.status_code} {reply.text[:300]}", retry=busy)

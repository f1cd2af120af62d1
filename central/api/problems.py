"""Every error as `application/problem+json` (RFC 9457): what, which, the limit and the next step."""

import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from central.centre import Centre
from central.errors import CentralError, TooManyError
from contract.api import Problem
from contract.errors import ContractError
from contract.message import VALUE_ERROR
from runtime.logs import Log, printable

log = Log("central.api")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "1"
MAX_SAID = 5
"""Mistakes that one answer names; more are counted."""


def problem_of(error: CentralError) -> Response:
    """The answer to `error`."""
    retry_after_s = error.retry_after_s if isinstance(error, TooManyError) else None
    return problem_response(error.status, error.title, error.detail, retry_after_s)


def problem_response(status: int, title: str, detail: str, retry_after_s: float | None = None) -> Response:
    body = Problem(title=title, status=status, detail=detail).model_dump_json().encode()
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = RETRY_AFTER_S
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(math.ceil(retry_after_s), 1))
    return Response(body, status, headers, MEDIA_TYPE)


def count_refusal(centre: Centre, status: int, path: str) -> None:
    """Counts what was turned away at the door: HQ shows it. Other statuses are the ordinary pace of an API."""
    if status in (401, 403):
        centre.count("refused_tokens")
    elif status == 429:
        centre.count("slowed_requests")
    elif status in (400, 413, 422):
        centre.count("bad_batches" if path.endswith("/batches") else "bad_requests")


def install(app: FastAPI) -> None:
    """Makes each error that a route can raise one problem."""
    app.add_exception_handler(CentralError, _raised)
    app.add_exception_handler(ContractError, _raised)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _raised)


def answer_to(error: Exception, centre: Centre, path: str, method: str, route: str) -> Response:
    """The answer to what a route raised, counted and logged. route: the template, since paths name members."""
    if isinstance(error, CentralError):
        count_refusal(centre, error.status, path)
        return problem_of(error)
    if isinstance(error, ContractError):
        count_refusal(centre, 422, path)
        return problem_response(422, "The message makes no sense", str(error))
    log.error("request failed", method=method, route=route, error=repr(error))
    return problem_response(500, "The centre failed", "it was our fault; the log says more. Send again later")


def _refusal(request: Request, status: int, title: str, detail: str) -> Response:
    count_refusal(request.app.state.centre, status, request.url.path)
    return problem_response(status, title, detail)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    said = "; ".join(_said(problem) for problem in problems[:MAX_SAID])
    more = f" (and {len(problems) - MAX_SAID} more)" if len(problems) > MAX_SAID else ""
    route = getattr(request.scope.get("route"), "path", "")
    where = f"; /openapi.json says what {request.method} {route} takes" if route else ""
    return _refusal(request, 422, "The request makes no sense", f"{said}{more}{where}")


def _said(problem: Mapping[str, Any]) -> str:
    """Which part, what is wrong with it, and what it was."""
    place = [str(part) for part in problem["loc"]]
    if not place or place[0] not in ("query", "path", "body", "header"):
        place.insert(0, "body")  # of a body that was read by its model alone
    what = problem["msg"].removeprefix(VALUE_ERROR)
    if problem.get("type") == "missing":
        return f"{'.'.join(place)}: {what}"
    return f"{'.'.join(place)}: {what}, got {printable(repr(problem.get('input')), 60)}"


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, CentralError):
        # A body that grew too large while the framework read it, which calls that an error of parsing.
        return await _raised(request, error.__cause__)
    detail, asked = str(error.detail), f"{request.method} {printable(request.url.path, 80)}"
    if error.status_code == 404:
        detail = f"there is no route {asked}; /openapi.json lists those that are"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "others")
        detail = f"{asked} is not possible there, only {allowed}; /openapi.json says what each does"
    elif error.status_code == 400:
        detail = f"{detail}: the body of {asked} is no JSON text of UTF-8; send it with Content-Type application/json"
    return _refusal(request, error.status_code, str(error.detail), detail)


async def _raised(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "no route")
    return answer_to(error, request.app.state.centre, request.url.path, request.method, route)

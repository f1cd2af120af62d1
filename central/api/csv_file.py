"""A CSV file as a request's body: read as it is, parsed, and taken beside the loop."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from central.core.masters import BadFileError, Read
from central.errors import SenderError

CSV = "text/csv"
Found = TypeVar("Found", bound=Read[Any])
Report = TypeVar("Report")


def takes_csv(columns: tuple[str, ...], example: str) -> dict[str, Any]:
    """What the API's description says of the body."""
    schema = {
        "type": "string",
        "description": f"UTF-8; line 1 names the columns: {', '.join(columns)}",
        "example": example,
    }
    return {"requestBody": {"required": True, "content": {CSV: {"schema": schema}}}}


async def take_csv(
    request: Request, parse: Callable[[str], Found], take: Callable[[Found], Report]
) -> Report:
    """What `take` makes of the parsed file. Raises SenderError for a body that is no such file."""
    text = await _text(request)
    return await run_in_threadpool(lambda: take(_read(parse, text)))


async def _text(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != CSV:
        raise SenderError(
            f"Content-Type must be {CSV}, got {kind[:60]!r}; send the file as it is, with that header"
        )
    body = await request.body()
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise SenderError(f"line {line} is not UTF-8; save the file as UTF-8 and send it again") from None


def _read(parse: Callable[[str], Found], text: str) -> Found:
    try:
        return parse(text)
    except BadFileError as error:
        raise SenderError(str(error)) from None

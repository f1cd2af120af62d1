"""Cursors of lists: `after` is what the last page gave as `next`."""

from typing import Annotated

from fastapi import Query

from central.errors import SenderError

MAX_SKIP = 1_000_000
Limit = Annotated[int, Query(ge=1, le=500)]
After = Annotated[str, Query(max_length=120)]
StoreFilter = Annotated[str, Query(max_length=48)]


def skip_from(after: str) -> int:
    """Rows to pass by. Raises SenderError when `after` is no cursor of ours."""
    if not after:
        return 0
    if not after.isascii() or not after.isdigit() or int(after) > MAX_SKIP:
        raise SenderError(f"after {after[:20]!r} is no cursor; give the `next` of the page before")
    return int(after)


def next_after(skip: int, limit: int, total: int) -> str | None:
    return str(skip + limit) if skip + limit < total else None


def next_if_full(skip: int, limit: int, found: int) -> str | None:
    return str(skip + limit) if found == limit else None

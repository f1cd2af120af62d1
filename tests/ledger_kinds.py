"""The databases that a ledger may stand on: tests of the centre run over each."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from local_postgresql import drop_ledger, new_ledger_url, why_absent

SQLITE, POSTGRESQL = "sqlite", "postgresql"

_SKIP = [pytest.mark.skipif(bool(why_absent()), reason=why_absent())]
KINDS = (
    SQLITE,
    pytest.param(POSTGRESQL, marks=_SKIP),
)
MOSTLY_SQLITE = (SQLITE, pytest.param(POSTGRESQL, marks=[pytest.mark.soak, *_SKIP]))
"""For a suite that takes its time: `make soak` runs it over both."""
on_both = pytest.mark.parametrize("kind", KINDS)
"""For a test with an argument `kind`."""


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The `database_url` of an empty ledger: "" for SQLite's file in the state folder."""
    url = new_ledger_url() if kind == POSTGRESQL else ""
    try:
        yield url
    finally:
        drop_ledger(url)

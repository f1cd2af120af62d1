"""`make soak`: more seeds, more examples, and a tally of what was done."""

import os
from collections import Counter

import pytest

IS_SOAK = bool(os.environ.get("SHELFLOOP_SOAK"))
EXAMPLES_FACTOR = 20

_done: Counter[str] = Counter()


def seeds(few: int, many: int) -> list[object]:
    """1..few for every run, the rest up to `many` for the soak only. The parameter's name must be `seed`."""
    return [pytest.param(seed, marks=[pytest.mark.soak] if seed > few else []) for seed in range(1, many + 1)]


def tell(what: str, count: int = 1) -> None:
    """Counts one of `what`, or more, for the tally, in the test that runs now."""
    _done[what] += count


def tell_longest(what: str, value: int) -> None:
    """Of these values the tally has the largest; `what` begins with "longest"."""
    _done[what] = max(value, _done[what])


def take_done() -> Counter[str]:
    """What was told since the last call."""
    done = Counter(_done)
    _done.clear()
    return done

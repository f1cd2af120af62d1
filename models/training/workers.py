"""Who computes the parts of a training run: this process, one after another, or a cluster (ray_workers)."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Workers(Protocol):
    """Runs one function over many arguments. Parts must not depend on where or in which order they run."""

    def map(self, function: Callable[..., Any], items: Sequence[tuple[Any, ...]]) -> list[Any]:
        """function(*item) for each item, in order."""

    def shared(self, value: object) -> Any:
        """What to pass in items instead of `value`, so that it travels once."""


class ThisProcess:
    def map(self, function: Callable[..., Any], items: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [function(*item) for item in items]

    def shared(self, value: object) -> Any:
        return value

"""Keyed state of one kind that knows which of its rows are not saved yet: what a snapshot costs is what changed."""

from typing import Generic, TypeAlias, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

Row: TypeAlias = tuple[str, str, str | None]
"""(kind, key, JSON), None in place of JSON to delete the row."""


class Rows(Generic[T]):
    """A dict of state values, each saved as one row. Whoever changes a value in place calls `touch`."""

    def __init__(self, kind: str, adapter: TypeAdapter[T]) -> None:
        self.kind = kind
        self.by_key: dict[str, T] = {}
        self._adapter = adapter
        self._unsaved: set[str] = set()

    def put(self, key: str, value: T) -> None:
        self.by_key[key] = value
        self._unsaved.add(key)

    def get(self, key: str) -> T | None:
        return self.by_key.get(key)

    def touch(self, key: str) -> None:
        self._unsaved.add(key)

    def drop(self, key: str) -> None:
        if self.by_key.pop(key, None) is not None:
            self._unsaved.add(key)

    def changed(self) -> list[Row]:
        """The rows to save since the last call, in order of key so that equal runs give equal rows."""
        rows: list[Row] = []
        for key in sorted(self._unsaved):
            value = self.by_key.get(key)
            rows.append((self.kind, key, None if value is None else self._adapter.dump_json(value).decode()))
        self._unsaved.clear()
        return rows

    def restore(self, key: str, text: str) -> None:
        self.by_key[key] = self._adapter.validate_json(text)

"""Named whole numbers that must survive: counters that only grow, and marks of how far time-driven work has come."""

from pydantic import TypeAdapter

from edge.core.rows import Row, Rows

_INT: TypeAdapter[int] = TypeAdapter(int)
_TABLE: TypeAdapter[dict[str, int]] = TypeAdapter(dict[str, int])


class Marks:
    """`at` gives 0 for a mark that was never set."""

    def __init__(self) -> None:
        self.rows: Rows[int] = Rows("mark", _INT)

    def at(self, name: str) -> int:
        return self.rows.by_key.get(name, 0)

    def set(self, name: str, value: int) -> None:
        if self.rows.by_key.get(name) != value:
            self.rows.put(name, value)

    def changed(self) -> list[Row]:
        return self.rows.changed()


class Tally:
    """Counters since the epoch began, saved as one row in the transaction of what they count."""

    def __init__(self) -> None:
        self.rows: Rows[dict[str, int]] = Rows("tally", _TABLE)
        self._is_changed = False

    @property
    def counters(self) -> dict[str, int]:
        return self.rows.by_key.setdefault("all", {})

    def add(self, name: str, amount: int = 1) -> None:
        if amount:
            counters = self.rows.by_key.get("all")
            if counters is None:
                counters = self.counters
            counters[name] = counters.get(name, 0) + amount
            self._is_changed = True

    def changed(self) -> list[Row]:
        if self._is_changed:
            self._is_changed = False
            self.rows.touch("all")
        return self.rows.changed()

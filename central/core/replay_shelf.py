"""The stock of one SKU in a replay: by the day on which it came, the oldest sold first, thrown away when its life is over."""

from collections import deque

Aged = tuple[tuple[float | None, float], ...]
"""(days until it expires, units); None: it keeps, or nobody knows since when it is here."""


class PlayedShelf:
    """Days are ordinals. life_days: None, the goods keep."""

    def __init__(self, parts: list[tuple[int, int]], life_days: int | None) -> None:
        """parts: (day on which they came, units) of the opening stock."""
        self._life = life_days
        self._parts = deque(sorted((day, units) for day, units in parts if units > 0))
        self.units = sum(units for _, units in self._parts)

    def arrive(self, day: int, units: int) -> None:
        if units > 0:
            self._parts.append((day, units))
            self.units += units

    def take(self, units: int) -> int:
        """Takes the oldest first; returns how many there were."""
        taken = 0
        while self._parts and taken < units:
            day, there = self._parts.popleft()
            part = min(there, units - taken)
            taken += part
            if there > part:
                self._parts.appendleft((day, there - part))
        self.units -= taken
        return taken

    def throw_away(self, today: int) -> int:
        """What serves no more from this morning on. A unit serves `life_days` days, that of its arrival included."""
        if self._life is None:
            return 0
        wasted = 0
        while self._parts and today - self._parts[0][0] >= self._life:
            wasted += self._parts.popleft()[1]
        self.units -= wasted
        return wasted

    def aged(self, today: int, share_left: float) -> Aged:
        """What is on hand by when it expires, in days of demand from now."""
        if self._life is None:
            return ((None, float(self.units)),)
        return tuple(
            (max(0.0, day + self._life - today - 1 + share_left), float(units)) for day, units in self._parts
        )

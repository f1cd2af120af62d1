"""How many rows of a backlog go up at once: what a live record may have to wait behind.

A centre that is busy, or at the end of a thin line, takes seconds for what another takes in a tenth of one. So the number follows the time
that the last batch took: halved when it was too long, doubled when there was room.
"""

MAX_ROWS, MIN_ROWS = 500, 50
WITHIN_S = 0.5
"""Of the two seconds in which a receipt's order is to reach its consumer."""


class Pace:
    """rows: of the next batch of a backlog."""

    def __init__(self) -> None:
        self.rows = MAX_ROWS

    def took(self, seconds: float, rows: int) -> None:
        """The last batch had `rows` rows and its answer came after `seconds`, or did not come within them."""
        if seconds > WITHIN_S:
            self.rows = max(MIN_ROWS, min(self.rows, rows) // 2)
        elif seconds < WITHIN_S / 2 and rows >= self.rows:
            self.rows = min(MAX_ROWS, self.rows * 2)

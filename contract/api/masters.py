"""Item and supplier masters as CSV: the answer to a file, row by row."""

from contract.api.common import ApiModel

MAX_ROWS = 50_000
MAX_PROBLEMS = 500
"""Of so many bad rows the answer tells each problem; `rejected_total` counts the others, too."""


class RowProblem(ApiModel):
    """line: of the file, the header is line 1. column: "" when it is about the whole row. what: the limit, and what was there."""

    line: int
    column: str
    what: str


class ImportReport(ApiModel):
    """What became of a file. Its good rows are taken, whatever the others are; the same file again changes nothing.

    version: of the items document, where the file was about items.
    """

    rows: int
    added: int
    changed: int
    unchanged: int
    rejected_total: int
    rejected: list[RowProblem]
    version: int | None = None

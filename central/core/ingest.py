"""What a batch is to the centre: new, known already, or ahead of what it has.

stored through 5 |                seq_from..seq_to
                 |  3..5          DUPLICATE  nothing to do, the same answer again
                 |  4..8          OVERLAP    6..8 are new
                 |  6..9          NEW
                 |  8..9          AHEAD      6..7 are missing: answer "through 5", the gateway sends 6 next
                 |  8..9 kept 8   LOST       the gateway has no 6..7 any more: a declared gap, then take 8..9
"""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    POLL = "poll"
    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    NEW = "new"
    AHEAD = "ahead"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class BatchVerdict:
    """take_from: the first seq that has an effect, None for none. missing: (first, last) seq declared lost."""

    verdict: Verdict
    acked_through: int
    take_from: int | None = None
    missing: tuple[int, int] | None = None


def judge_batch(
    through_seq: int | None, seq_from: int, seq_to: int, *, rows: int, kept_from_seq: int | None
) -> BatchVerdict:
    """through_seq: the last stored seq of this epoch, None for an epoch never heard of.

    kept_from_seq: the lowest seq that the gateway can still send; None says that it can send all that is missing.
    """
    stored = through_seq or 0
    if rows == 0:
        return BatchVerdict(Verdict.POLL, stored)
    if seq_to <= stored:
        return BatchVerdict(Verdict.DUPLICATE, stored)
    if seq_from <= stored:
        return BatchVerdict(Verdict.OVERLAP, seq_to, take_from=stored + 1)
    if seq_from == stored + 1:
        return BatchVerdict(Verdict.NEW, seq_to, take_from=seq_from)
    if kept_from_seq is not None and kept_from_seq >= seq_from:
        return BatchVerdict(Verdict.LOST, seq_to, take_from=seq_from, missing=(stored + 1, seq_from - 1))
    return BatchVerdict(Verdict.AHEAD, stored)


def is_live(ordinal: int, newest_ordinal: int) -> bool:
    """Whether an epoch's records may decide: only the newest epoch's; an older one drains its backlog as history."""
    return ordinal >= newest_ordinal

"""docs/glossary.md: every word of the design is there, once."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "glossary.md"
WORDS = re.findall(r"^- \*\*(.+?)\*\*: \S", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
OF_THE_DESIGN = {
    "gateway", "device", "cell", "facing", "reading", "pick", "put-back", "refill", "unresolved", "on-hand",
    "on-order", "stock position", "stock-out seconds", "window", "watermark", "epoch", "outbox", "receipt",
    "BatchReceipt", "proposal", "trigger", "bundle", "campaign", "offer", "coupon", "holdout", "cell id",
}  # fmt: skip


def test_each_word_is_defined_once() -> None:
    lowered = [word.lower() for word in WORDS]
    assert sorted({word for word in lowered if lowered.count(word) > 1}) == []


def test_every_word_of_the_design_is_defined() -> None:
    assert set(WORDS) >= OF_THE_DESIGN


def test_words_stand_in_alphabetical_order() -> None:
    assert sorted(WORDS, key=lambda word: word.lower().replace("-", " ")) == WORDS


def test_every_entry_is_a_definition() -> None:
    entries = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    assert len(entries) == len(WORDS)

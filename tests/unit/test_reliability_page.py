"""docs/reliability.md promises tests by name and file: each is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))
    written: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        written |= set(
            re.findall(r"^def (test_[a-z0-9_]+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
        )
    assert len(named) > 30
    assert named - written == set()


def test_every_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+\.py)`", PAGE))
    assert named
    assert named - {path.name for path in (ROOT / "tests").rglob("test_*.py")} == set()

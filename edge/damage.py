"""What a running gateway notices of a damaged file is written down, so that the next start sets the file aside.

A start checks the file's structure, but SQLite may stumble later over a page that passed; without a note the gateway would
start, stumble and end for ever.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge.errors import CorruptStoreError


def _note_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.damage")


def read_damage(path: Path) -> str:
    """What was noted of the file at `path`, "" when nothing was."""
    try:
        return _note_path(path).read_text(encoding="utf-8", errors="replace")[:200]
    except OSError:
        return ""


def note_damage(path: Path, what: str) -> None:
    # On a disk that takes nothing any more the damage is met, and noted, again.
    with contextlib.suppress(OSError):
        _note_path(path).write_text(what, encoding="utf-8")


def forget_damage(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        _note_path(path).unlink()


@contextlib.contextmanager
def noticing_damage(path: Path) -> Iterator[None]:
    """Raises CorruptStoreError, after noting it, where SQLite finds the file damaged; other errors pass."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        # Its subclasses are a full or slow disk, which may heal, or a fault of ours; but an IntegrityError is a seq that is
        # free by our books and taken in the file.
        if type(error) is not sqlite3.DatabaseError and not isinstance(error, sqlite3.IntegrityError):
            raise
        note_damage(path, str(error))
        raise CorruptStoreError(
            f"{path}: {error}; the gateway ends, and sets the file aside when it starts again"
        ) from error

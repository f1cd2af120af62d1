"""The last epoch, kept in a file beside the database, so that the database's loss is noticed."""

import os
from pathlib import Path


def _marker_path(path: Path) -> Path:
    return path.with_name("epoch")


def read_marker(path: Path) -> str:
    """The epoch, "" when there is none."""
    try:
        return _marker_path(path).read_text(encoding="ascii").strip()[:48]
    except (OSError, UnicodeDecodeError):
        return ""


def write_marker(path: Path, epoch: str) -> None:
    """Raises OSError when the disk refuses; the old marker stands then."""
    part = _marker_path(path).with_suffix(".part")
    with part.open("w", encoding="ascii") as file:
        file.write(epoch)
        file.flush()
        os.fsync(file.fileno())
    part.replace(_marker_path(path))
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

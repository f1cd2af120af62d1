"""The last epoch, kept in a file beside the database, so that the database's loss is noticed."""

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
    part = _marker_path(path).with_suffix(".part")
    part.write_text(epoch, encoding="ascii")
    part.replace(_marker_path(path))

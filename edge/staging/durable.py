"""Files that are whole or not there, whenever the power goes: write aside, sync, rename, sync the folder."""

import os
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """The file's new content, at once. Raises OSError when the disk refuses; the old content then stays."""
    part = path.with_name(f"{path.name}.part")
    write_synced(part, content)
    part.replace(path)
    sync_folder(path.parent)


def write_synced(path: Path, content: bytes) -> None:
    """A file whose bytes are on the disk; its name is only after `sync_folder`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

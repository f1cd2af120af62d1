"""Counters in a mapped file: they outlive a SIGKILL of the process (not a power cut), so that accounts balance."""

import json
import mmap
import struct
from pathlib import Path

_SLOT = struct.Struct("<Q")


class Counters:
    """Named counters that only grow. One writer thread; the file is made when absent and extended by new names."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        names_path = path.with_suffix(".names.json")
        old = tuple(json.loads(names_path.read_text())) if names_path.exists() and path.exists() else ()
        self._slots = {
            name: place for place, name in enumerate([*old, *(name for name in names if name not in old)])
        }
        names_path.write_text(json.dumps(list(self._slots)))
        size = max(len(self._slots), 1) * _SLOT.size
        with path.open("ab") as file:
            file.write(b"\0" * max(0, size - file.tell()))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)

    def add(self, name: str, amount: int = 1) -> None:
        place = self._slots[name] * _SLOT.size
        _SLOT.pack_into(self._map, place, _SLOT.unpack_from(self._map, place)[0] + amount)

    def values(self) -> dict[str, int]:
        return {
            name: _SLOT.unpack_from(self._map, place * _SLOT.size)[0] for name, place in self._slots.items()
        }

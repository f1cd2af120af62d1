"""Finds commits in SQLite's write-ahead log that are unreadable, which SQLite itself passes over in silence.

SQLite recovers a log up to the first frame whose checksum fails, and takes the rest for a write that a power cut tore. One
transaction may be torn: each commit is synced before the next begins. If two or more commits stand in or after the bad
frame, synced ones are lost, and the file is older than what the gateway has acknowledged. Damage to the very last commit
looks like a torn write and cannot be told from one here; the centre's position tells it where its rows were sent (edge.uplink).

Source: the file format of SQLite, section 4, "The Write-Ahead Log".
"""

import sqlite3
import struct
from pathlib import Path

MAGIC = 0x377F0682
HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24


def log_commits(path: Path, page_bytes: int) -> list[int]:
    """The places (1, 2, 3 …) of the commit frames in the log beside `path`, sound or not. Ask before SQLite opens it."""
    try:
        log = path.with_name(path.name + "-wal").read_bytes()
    except FileNotFoundError:
        return []
    step = FRAME_HEADER_BYTES + page_bytes
    if len(log) < HEADER_BYTES + step:
        return []
    is_header_good = struct.unpack_from(">I", log)[0] & ~1 == MAGIC
    salts = log[16:24] if is_header_good else log[HEADER_BYTES + 8 : HEADER_BYTES + 16]
    commits = []
    for place, start in enumerate(range(HEADER_BYTES, len(log) - step + 1, step), 1):
        is_ours = log[start + 8 : start + 16] == salts
        # A frame of an earlier round of the log ends this one, unless it is this frame's own header that broke.
        if not is_ours and log[start + step + 8 : start + step + 16] != salts:
            break
        if is_ours and struct.unpack_from(">I", log, start + 4)[0]:
            commits.append(place)
    return commits


def lost_commits(commits: list[int], connection: sqlite3.Connection) -> int:
    """How many of `commits` SQLite has passed over though they had been synced. Ask before anything is written."""
    frames = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    lost = sum(place > frames for place in commits)
    return lost if lost > 1 else 0

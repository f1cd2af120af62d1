"""Ports for servers that a test starts, stops and starts again: nobody else gets them meanwhile.

A port that the system gives (bind to 0) is free only until it is let go: until the server binds it, and while a test keeps
the server dead, another test or an outgoing connection may take it. So these lie below the range that the system gives
from and below the demo's (simulator/orchestrator/ports.py), and each test process has a block of its own, by a lock that
ends with the process.
"""

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO

FIRST, BLOCK, BLOCKS = 10_300, 300, 32  # up to 19,899; the demo's begin at 20,000, Linux gives from 32,768 on
_locks: list[IO[bytes]] = []
"""Open for as long as the process lives."""


def free_port() -> int:
    """On 127.0.0.1, of this process's block; the same one comes again only when all others have come."""
    for _ in range(BLOCK):
        port = next(_ports(os.getpid()))
        if _is_free(port):
            return port
    raise AssertionError(f"{BLOCK} ports are all taken: something leaves servers behind")


@cache
def _ports(pid: int) -> Iterator[int]:
    first = FIRST + BLOCK * _block()
    return itertools.cycle(range(first, first + BLOCK))


def _block() -> int:
    folder = Path(tempfile.gettempdir()) / f"shelfloop-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for number in range(BLOCKS):
        lock = (folder / f"{number}").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _locks.append(lock)
        return number
    raise AssertionError(f"{BLOCKS} test processes hold a lock in {folder}: end some")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

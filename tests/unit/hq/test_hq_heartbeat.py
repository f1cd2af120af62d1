"""HQ tells systemd that it is there by the loop that makes its pages, and that loop alone feeds the watchdog."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hq.heartbeat import keep_telling
from runtime.systemd_notify import ServiceNotifier

PERIOD_S, LIMIT_S = 0.2, 30.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """systemd's side."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.setblocking(False)
        yield made


def heard(manager: socket.socket) -> list[bytes]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(manager.recv(1000))
    return found


def test_the_loop_says_ready_and_feeds_the_watchdog_unless_it_hangs(manager: socket.socket) -> None:
    notifier = ServiceNotifier(
        {"NOTIFY_SOCKET": str(manager.getsockname()), "WATCHDOG_USEC": str(int(PERIOD_S * 1e6))}
    )

    async def serve() -> list[bytes]:
        telling = asyncio.create_task(keep_telling(notifier))
        said: list[bytes] = []
        limit = time.monotonic() + LIMIT_S
        while said.count(b"WATCHDOG=1") < 3:
            assert time.monotonic() < limit, said
            await asyncio.sleep(0.01)
            said += heard(manager)
        time.sleep(2 * PERIOD_S)  # noqa: ASYNC251 - a page that blocks the loop
        assert heard(manager) == []
        telling.cancel()
        return said

    assert asyncio.run(serve())[0] == b"READY=1"

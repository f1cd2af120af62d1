"""The fake centre on a real loopback port."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fake_app import fake_app
from fake_central import FakeCentral


@contextmanager
def serving(fake: FakeCentral, port: int = 0) -> Iterator[str]:
    """The fake's address while the block runs."""
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(
        uvicorn.Config(fake_app(fake), log_level="error", timeout_graceful_shutdown=1, timeout_keep_alive=75)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listening.close()

"""A real Mosquitto on a free loopback port, for tests of several rooms."""

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from free_ports import free_port

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
START_S = 60.0


@dataclass
class LocalBroker:
    """A Mosquitto that a test may stop, kill and start again on the same port."""

    folder: Path
    extra_lines: tuple[str, ...] = ("allow_anonymous true",)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.folder / f"mosquitto-{self.port}.conf"
        config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *self.extra_lines, ""]))
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(
            f"{MOSQUITTO} did not open port {self.port}; install it: apt-get install mosquitto"
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

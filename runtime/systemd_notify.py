"""What a process tells the service manager: ready, alive, ending. Silent where nobody listens (sd_notify(3))."""

import os
import socket
import time
from collections.abc import Mapping

from runtime.logs import Log, printable

log = Log("runtime.systemd_notify")

MAX_STATUS_CHARS = 200
FEEDS_A_PERIOD = 4
"""sd_watchdog_enabled(3) asks for half the period at most; a quarter leaves room for one slow commit."""


class ServiceNotifier:
    """`progress` is called by the loop that does the work, each time it has done some: the first one says READY=1, later
    ones feed the watchdog. No timer feeds it: a loop that hangs is ended and started again by systemd.

    environ: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID as systemd sets them.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._address = _address_from(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environ)
        self._socket: socket.socket | None = None
        self._is_ready = False
        self._told = ""
        self._fed_s = 0.0
        self._progress_s = time.monotonic()

    def progress(self) -> None:
        """The loop has done its round. Cheap: a system call only when a message is due."""
        self._progress_s = now_s = time.monotonic()
        if not self._is_ready:
            self._is_ready, self._fed_s = True, now_s
            self._send("READY=1")
        elif self.watchdog_s and now_s - self._fed_s >= self.watchdog_s / FEEDS_A_PERIOD:
            self._fed_s = now_s
            self._send("WATCHDOG=1")

    def silent_s(self) -> float:
        """Seconds since the last progress."""
        return time.monotonic() - self._progress_s

    def say(self, status: str) -> None:
        """One line for `systemctl status`; sent when it changes."""
        if status != self._told:
            self._told = status
            self._send(f"STATUS={printable(status, MAX_STATUS_CHARS)}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            # The next one may get through; when none does, the watchdog says so louder than we could.
            log.warning("the service manager took no message", message=message, reason=str(error))


def _address_from(text: str) -> str | None:
    """An abstract name begins with "@" here and with a zero byte there; other families are not ours to speak."""
    if text.startswith("@"):
        return f"\0{text[1:]}"
    return text if text.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """0.0 when there is no watchdog, or it waits for another process."""
    period, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not period.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(period) / 1e6

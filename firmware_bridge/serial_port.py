"""One open serial line. The only file that knows pyserial, so that another library can take its place."""

import contextlib
import errno
import os
import select
import termios
from collections.abc import Iterator

import serial

from runtime.errors import RetryLaterError

READ_BYTES = 4096
MAX_UNWRITTEN_BYTES = 65_536
"""A device that takes nothing for this long is treated as unplugged."""

_HINTS = {
    errno.ENOENT: "; plug the device in, or correct the path",
    errno.EACCES: "; let this user open it (on Debian: the group dialout)",
    errno.EIO: "; the device went away",
    errno.EAGAIN: "; another program has the port open",
}


class PortLostError(RetryLaterError):
    """The line cannot be opened, or went away. `reason` is short and without the path."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"port {path}: {reason}")
        self.reason = reason


class SerialPort:
    """Reads and writes never block longer than asked; `wake` ends a wait from any thread. Use `open_port`."""

    def __init__(self, path: str, line: serial.SerialBase) -> None:
        self._path = path
        self._line = line
        self._fd: int = line.fileno()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._unwritten = bytearray()

    def write(self, data: bytes) -> None:
        """Takes `data`; what the line does not take now goes out during `read`. Raises PortLostError."""
        self._unwritten += data
        if len(self._unwritten) > MAX_UNWRITTEN_BYTES:
            raise PortLostError(self._path, f"{len(self._unwritten)} bytes wait and the device takes none")
        with self._losses():
            self._write_some(timeout_s=0)

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, b"" after the timeout or a `wake`. Raises PortLostError."""
        with self._losses():
            writers = [self._fd] if self._unwritten else []
            readable, writable, _ = select.select(
                [self._fd, self._wake_read], writers, [], max(0.0, timeout_s)
            )
            if self._wake_read in readable:
                os.read(self._wake_read, READ_BYTES)
            if writable:
                self._write_some(timeout_s=0)
            # Ready without data is how a vanished line reads: pyserial raises then.
            return bytes(self._line.read(READ_BYTES)) if self._fd in readable else b""
        raise AssertionError("unreachable")

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # full: a wake is due already; closed: nobody waits
            os.write(self._wake_write, b"!")

    def close(self) -> None:
        with contextlib.suppress(OSError, serial.SerialException, termios.error):
            self._line.close()
        for end in (self._wake_read, self._wake_write):
            with contextlib.suppress(OSError):
                os.close(end)

    def _write_some(self, timeout_s: float) -> None:
        while self._unwritten and select.select([], [self._fd], [], timeout_s)[1]:
            count = self._line.write(bytes(self._unwritten[:READ_BYTES]))
            del self._unwritten[: count or 0]

    @contextlib.contextmanager
    def _losses(self) -> Iterator[None]:
        try:
            yield
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            raise PortLostError(self._path, _reason_from(error)) from error


@contextlib.contextmanager
def open_port(path: str, baud: int) -> Iterator[SerialPort]:
    """The line at `path` (a device or socket://host:port), closed at the end. Raises PortLostError."""
    try:
        line = _line_at(path, baud)
    except (serial.SerialException, OSError, ValueError, termios.error) as error:
        raise PortLostError(path, _reason_from(error)) from error
    port = SerialPort(path, line)
    try:
        yield port
    finally:
        port.close()


def _reason_from(error: Exception) -> str:
    """What went wrong and what to do, without the path, which the caller names."""
    number = getattr(error, "errno", None)
    if not isinstance(number, int):
        return str(error) or type(error).__name__
    hint = _HINTS.get(number, "")
    return f"{os.strerror(number)}{hint}"


def _line_at(path: str, baud: int) -> serial.SerialBase:
    if "://" in path:
        return serial.serial_for_url(path, baudrate=baud, timeout=0, write_timeout=0)
    line = serial.Serial(path, baudrate=baud, timeout=0, write_timeout=0, exclusive=True)
    _leave_running_at_close(line.fileno())
    return line


def _leave_running_at_close(fd: int) -> None:
    """Without HUPCL the kernel leaves DTR alone at close, so that opening again does not reset the board."""
    attributes = termios.tcgetattr(fd)
    attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(fd, termios.TCSANOW, attributes)

"""Log lines for systemd's journal, with every field under its own name: `journalctl SHELFLOOP_DEVICE=till-1`.

Source: systemd's "Native Journal Protocol": one datagram a line, `NAME=value`, or a length where a value has line breaks.
"""

import logging
import os
import re
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping

IDENTIFIER = "shelfloop"
SOCKET = "/run/systemd/journal/socket"
PREFIX = "SHELFLOOP_"
"""Our fields' names can never be mistaken for the journal's own (UNIT, PRIORITY, …)."""
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
MAX_VALUE_BYTES = 16_384
MAX_FIELDS = 32
SEND_LIMIT_S = 1.0
_NOT_IN_A_NAME = re.compile(r"[^A-Z0-9_]")


def is_journal(environ: Mapping[str, str] | None = None, stream: int | None = None) -> bool:
    """Whether `stream` (standard error) goes to the journal: systemd names its device and inode in JOURNAL_STREAM."""
    named = (os.environ if environ is None else environ).get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(sys.stderr.fileno() if stream is None else stream)
    except (OSError, ValueError):
        return False
    return named == f"{found.st_dev}:{found.st_ino}"


class JournalHandler(logging.Handler):
    """Sends records to journald; while it is away, to `fallback`.

    message_of: the line without time and level, which the journal keeps itself. clean: makes a field's value printable.
    """

    def __init__(
        self,
        fallback: logging.Handler,
        message_of: Callable[[logging.LogRecord], str],
        clean: Callable[[str], str],
        path: str = SOCKET,
    ) -> None:
        super().__init__()
        self._fallback, self._path = fallback, path
        self._message_of, self._clean = message_of, clean
        self._socket: socket.socket | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.settimeout(SEND_LIMIT_S)
            self._socket.sendto(self._datagram(record), self._path)
        except OSError:
            self._fallback.emit(record)

    def _datagram(self, record: logging.LogRecord) -> bytes:
        return b"".join(_field(name, value) for name, value in self._fields(record))

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, str]]:
        event = record.getMessage()
        fields = getattr(record, "fields", {})
        yield "MESSAGE", self._message(record)
        yield "PRIORITY", str(PRIORITIES.get(record.levelno, 5))
        yield "SYSLOG_IDENTIFIER", IDENTIFIER
        yield f"{PREFIX}LOGGER", record.name
        yield f"{PREFIX}EVENT", event
        for name, value in list(fields.items())[:MAX_FIELDS]:
            yield f"{PREFIX}{_NOT_IN_A_NAME.sub('_', name.upper())}", self._clean(str(value))

    def _message(self, record: logging.LogRecord) -> str:
        line = self._message_of(record)
        if record.exc_info:
            return f"{line}\n{''.join(traceback.format_exception(*record.exc_info))}"
        return line


def _field(name: str, value: str) -> bytes:
    content = value.encode("utf-8", "backslashreplace")[:MAX_VALUE_BYTES]
    if b"\n" in content:
        return name.encode() + b"\n" + struct.pack("<Q", len(content)) + content + b"\n"
    return name.encode() + b"=" + content + b"\n"

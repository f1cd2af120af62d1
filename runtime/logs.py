"""Logs: one line an event, constant text plus fields; what comes from a device is shortened and made printable."""

import json
import logging
import sys
from typing import Any

from runtime.journald import JournalHandler, is_journal

MAX_FIELD_CHARS = 200


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')} {record.levelname.lower():8} {self.message_of(record)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    @staticmethod
    def message_of(record: logging.LogRecord) -> str:
        """Logger, event and fields: the line without its time and level."""
        fields = getattr(record, "fields", {})
        tail = "".join(f" {name}={_shown(value)}" for name, value in fields.items())
        return f"{record.name}: {record.getMessage()}{tail}"


def start_logging(level: str = "INFO") -> None:
    """Sends this process' log lines to standard error, or to systemd's journal with their fields where that is the same."""
    lines = _LineFormatter()
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines)
    if is_journal():
        handler = JournalHandler(handler, lines.message_of, printable)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


class Log:
    """A logger whose calls take fields by name: `log.info("link up", port=path)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, **fields: Any) -> None:
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Any) -> None:
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, **fields: Any) -> None:
        self._logger.error(event, extra={"fields": fields})

    def exception(self, event: str, **fields: Any) -> None:
        self._logger.error(event, exc_info=True, extra={"fields": fields})  # noqa: LOG014 - callers stand in a handler


def printable(text: str | bytes, max_chars: int = MAX_FIELD_CHARS) -> str:
    """`text` without control characters, at most `max_chars` long: safe in a log, a page or a quarantine row."""
    plain = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    clean = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in plain[: max_chars + 1])
    return clean if len(clean) <= max_chars else f"{clean[: max_chars - 1]}…"


def _shown(value: object) -> str:
    if isinstance(value, int | float | bool) or value is None:
        return json.dumps(value)
    text = printable(str(value))
    return text if text and " " not in text else json.dumps(text, ensure_ascii=False)

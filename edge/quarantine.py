"""Looks into the quarantine, and sends what was put aside through the broker again."""

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contract.ids import ID_PATTERN
from contract.topics import stream_topic
from edge.settings import EdgeSettings
from runtime.errors import OperatorError
from runtime.mqtt_link import MqttLink

ANSWER_WITHIN_S = 10.0
_ID = re.compile(ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Quarantined:
    row_id: int
    at_ms: int
    source: str
    stream: str
    reason: str
    payload: bytes

    def to_line(self) -> str:
        return json.dumps(
            {
                "id": self.row_id,
                "at_ms": self.at_ms,
                "source": self.source,
                "stream": self.stream,
                "reason": self.reason,
                "payload": self.payload.decode("utf-8", "backslashreplace"),
            }
        )


def quarantined(state_dir: Path) -> Iterator[Quarantined]:
    """The quarantine's rows, oldest first. Raises OperatorError when there is no database."""
    path = state_dir / "edge.sqlite"
    if not path.exists():
        raise OperatorError(f"state_dir {state_dir}: no edge.sqlite there; has the gateway run yet?")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        query = "SELECT id, at_ms, source, stream, reason, payload FROM quarantine ORDER BY id"
        for row in connection.execute(query):
            yield Quarantined(*row)
    finally:
        connection.close()


def replay(settings: EdgeSettings, ids: set[int]) -> int:
    """Publishes device messages of the quarantine again, all or those with `ids`; how many. The rows stay.

    Worth it after an update that understands them: what was admitted once is known by its seq, so what the gateway has
    dealt with is sent under a fresh boot id.
    """
    from edge.process import broker_address  # noqa: PLC0415 - needs the settings' secrets

    rows = [
        row
        for row in quarantined(Path(settings.state_dir))
        if (not ids or row.row_id in ids) and _ID.match(row.source) and row.stream
    ]
    if not rows:
        return 0
    published = threading.Semaphore(0)
    link = MqttLink(
        broker_address(settings),
        f"shelfloop-replay-{settings.gateway}",
        persistent=False,
        on_published=lambda _mid: published.release(),
    )
    thread = threading.Thread(target=link.run, name="replay", daemon=True)
    thread.start()
    try:
        if not link.connected.wait(ANSWER_WITHIN_S):
            raise OperatorError(f"no broker answers on {settings.broker_host}:{settings.broker_port}")
        for row in rows:
            link.publish(stream_topic(row.source, row.stream), _fresh(row))
        for _ in rows:
            if not published.acquire(timeout=ANSWER_WITHIN_S):
                raise OperatorError("the broker took not all messages; try again")
    finally:
        link.close()
        thread.join(5.0)
    return len(rows)


def _fresh(row: Quarantined) -> bytes:
    try:
        value = json.loads(row.payload)
    except ValueError:
        return row.payload
    if not isinstance(value, dict):
        return row.payload
    value.update(boot_id=f"replay-{row.row_id}", seq=1, kept_from_seq=None)
    return json.dumps(value).encode()

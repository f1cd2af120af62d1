"""Looks into the quarantine, and sends what was put aside through the broker again."""

import json
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contract.devices import EVENT_BY_STREAM, Rejected
from contract.ids import ID_PATTERN
from contract.topics import stream_topic
from edge.core.intake import TOO_MANY_DEVICES
from edge.settings import EdgeSettings
from runtime.errors import OperatorError
from runtime.logs import printable
from runtime.mqtt_link import MqttLink

ANSWER_WITHIN_S = 10.0
REPLAY_BOOT, ROWS_A_BOOT = "replay", 1500
"""Boots of replays, of so many rows each: few enough to push no boot of the device's own out of memory (16 are kept), and
small enough to be known whole (2000 seqs above a hole are)."""
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


def summary_of(rows: Iterable[Quarantined]) -> Iterator[str]:
    """One line for each source, stream and reason, the most frequent first."""
    counted = Counter((row.source, row.stream, row.reason) for row in rows)
    for (source, stream, reason), number in counted.most_common():
        yield f"{number:6}  {printable(source)}  {printable(stream)}  {printable(reason)}"


@dataclass(frozen=True, slots=True)
class Redrive:
    """What a replay sends, as (topic, payload), and what it leaves out: why -> how many."""

    messages: list[tuple[str, bytes]]
    left_out: dict[str, int]


def plan_replay(rows: Iterable[Quarantined], ids: Collection[int] = ()) -> Redrive:
    """The device messages among `rows` (the whole quarantine, oldest first), all or those with `ids`.

    Each counts once, however often it is replayed: its seq is the row's number, under a boot id that only replays use. The
    same bytes kept twice (a device that resent them after a restart of ours) go out once.
    """
    messages: list[tuple[str, bytes]] = []
    left_out: Counter[str] = Counter()
    seen: set[tuple[str, str, bytes]] = set()
    for row in rows:
        key = (row.source, row.stream, row.payload)
        is_repeat = key in seen
        seen.add(key)
        if ids and row.row_id not in ids:
            continue
        if row.source.startswith("outbox "):
            left_out["the centre refused it and shows it as such"] += 1
        elif row.stream not in EVENT_BY_STREAM or not _ID.match(row.source):
            left_out["no device's message"] += 1
        elif row.stream == Rejected.stream:
            left_out["a bridge's report: the message itself stayed with its device"] += 1
        elif is_repeat:
            left_out["kept twice, sent once"] += 1
        else:
            messages.append((stream_topic(row.source, row.stream), _fresh(row)))
    return Redrive(messages, dict(left_out))


def replay(settings: EdgeSettings, ids: set[int]) -> Redrive:
    """Publishes device messages of the quarantine again; what was sent. The rows stay, and count once all the same.

    Worth it after an update that understands them. Raises OperatorError when the broker does not take all of them.
    """
    from edge.process import broker_address  # noqa: PLC0415 - needs the settings' secrets

    planned = plan_replay(quarantined(Path(settings.state_dir)), ids)
    if not planned.messages:
        return planned
    published = threading.Semaphore(0)
    link = MqttLink(
        broker_address(settings),
        f"shelfloop-replay-{settings.gateway}",
        persistent=False,
        on_published=lambda _mid: published.release(),
        max_queued=len(planned.messages) + 1,
    )
    thread = threading.Thread(target=link.run, name="replay", daemon=True)
    thread.start()
    try:
        if not link.connected.wait(ANSWER_WITHIN_S):
            raise OperatorError(f"no broker answers on {settings.broker_host}:{settings.broker_port}")
        for topic, payload in planned.messages:
            link.publish(topic, payload)
        for _ in planned.messages:
            if not published.acquire(timeout=ANSWER_WITHIN_S):
                raise OperatorError("the broker took not all messages; run it again: each counts once")
        if link.refused_publishes:
            raise OperatorError(
                f"the broker refused {link.refused_publishes} of {len(planned.messages)} messages: its ACL must let user "
                f"{settings.broker_username!r} write shelfloop/1/+/+ (deploy/mosquitto/shelfloop.acl does)"
            )
    finally:
        link.close()
        thread.join(5.0)
    return planned


def _fresh(row: Quarantined) -> bytes:
    if row.reason == TOO_MANY_DEVICES:
        return row.payload  # never dealt with: its device may still send it, under the identity that it has
    try:
        value = json.loads(row.payload)
    except (ValueError, RecursionError):
        return row.payload
    if not isinstance(value, dict):
        return row.payload
    boot_id = f"{REPLAY_BOOT}-{row.row_id // ROWS_A_BOOT}"
    value.update(boot_id=boot_id, seq=row.row_id, kept_from_seq=1)
    return json.dumps(value).encode()

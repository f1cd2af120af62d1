"""Publishes the outgoing events to an MQTT broker, beside feed and webhooks: from a cursor in the ledger, QoS 1.

The cursor moves when the broker has acknowledged: what a kill or a lost line interrupts is published again, with the same
event id. Where several processes share a ledger, the one that sends webhooks publishes.
"""

import queue
import secrets
import threading

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.centre import Centre
from central.errors import CentralError
from central.ledger import outgoing
from central.ledger.writer import Transaction
from central.settings import CentralSettings
from runtime.logs import Log
from runtime.mqtt_link import BrokerAddress, MqttLink
from runtime.settings import secret_from_file

log = Log("central.mqtt")

AT_ONCE = 50
"""Events between two moves of the cursor: so many may be published twice after a kill."""
CONTENT_TYPE = "application/cloudevents+json"
LONGEST_WAIT_S, ACK_WAIT_S, REFUSED_WAIT_S = 5.0, 60.0, 30.0
_CURSOR = sa.text("SELECT value FROM meta WHERE key = 'mqtt_position'")
_SET_CURSOR = sa.text(
    """INSERT INTO meta (key, value) VALUES ('mqtt_position', :position)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
)


def link_of(settings: CentralSettings) -> MqttLink:
    """To the broker of the settings. Raises OperatorError for a password or certificate that cannot be read."""
    address = BrokerAddress(
        settings.mqtt_host,
        settings.mqtt_port,
        username=settings.mqtt_username,
        password=secret_from_file(settings.mqtt_password_file, "mqtt_password_file"),
        tls_ca_file=settings.mqtt_tls_ca_file,
        protocol=settings.mqtt_protocol,
    )
    # A name of its own: processes that share a ledger are all connected, and one of them publishes.
    return MqttLink(address, f"shelfloop-central-{secrets.token_hex(4)}", persistent=False)


class EventPublisher:
    """`run` in a supervised thread, beside the link's own."""

    def __init__(self, centre: Centre, link: MqttLink) -> None:
        self._centre, self.link = centre, link
        self._topic, self._types = centre.settings.mqtt_topic, tuple(centre.settings.mqtt_types)
        self._wake = threading.Event()
        self._acked: queue.SimpleQueue[int] = queue.SimpleQueue()
        link.listen_published(self._acked.put)
        centre.on_placed.append(self.wake)
        centre.count("mqtt_published", 0)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._wake.clear()
            wait_s = LONGEST_WAIT_S
            try:
                if self._centre.sends.is_mine() and self.link.connected.is_set():
                    wait_s = self._publish_lot(stop)
            except CentralError as error:
                log.warning("events wait for the ledger", reason=error.detail)
                wait_s = 1.0
            except sa.exc.OperationalError as error:
                if not self._centre.ledger.is_shared:
                    raise
                log.warning("events wait for the ledger", reason=str(error.orig)[:200])
                wait_s = 1.0
            if wait_s:
                self._wake.wait(wait_s)

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        """After `stop` is set: both threads end."""
        self.link.close()
        self.wake()

    def _publish_lot(self, stop: threading.Event) -> float:
        """Seconds after which to look again."""
        with self._centre.ledger.read.connect() as connection:
            cursor = _cursor(connection)
            rows = [] if cursor is None else outgoing.rows_after(connection, cursor, AT_ONCE, self._types)
        if cursor is None:
            self._centre.writer.call(_begin)
            return 0.0
        if not rows:
            return LONGEST_WAIT_S
        refused = self.link.refused_publishes
        try:
            waiting = {
                self.link.publish(
                    f"{self._topic}/{row.store}/{row.type}", row.body.encode(), content_type=CONTENT_TYPE
                )
                for row in rows
            }
        except queue.Full:
            return LONGEST_WAIT_S  # lots of before, which wait for a broker that comes and goes
        if not self._all_acked(waiting, stop):
            return 1.0  # published again from the cursor: at least once
        if self.link.refused_publishes != refused:
            return REFUSED_WAIT_S  # the link has said why
        position = rows[-1].position
        self._centre.writer.call(lambda transaction: _move(transaction, position))
        self._centre.count("mqtt_published", len(rows))
        return 0.0

    def _all_acked(self, waiting: set[int], stop: threading.Event) -> bool:
        """Whether the broker has acknowledged all before it, or we, went away. An old message's acknowledgement is passed by."""
        waited_s = 0.0
        while waiting and waited_s < ACK_WAIT_S and not stop.is_set():
            try:
                waiting.discard(self._acked.get(timeout=1.0))
            except queue.Empty:
                waited_s += 1.0
        return not waiting


def _cursor(connection: Connection) -> int | None:
    found = connection.execute(_CURSOR).scalar()
    return None if found is None else int(found)


def _begin(transaction: Transaction) -> None:
    """Switched on for the first time: what is placed from now on is published; the feed has what was before."""
    if _cursor(transaction.connection) is None:
        _move(transaction, outgoing.last_position(transaction.connection))


def _move(transaction: Transaction, position: int) -> None:
    transaction.connection.execute(_SET_CURSOR, {"position": str(position)})

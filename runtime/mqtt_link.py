"""One MQTT connection, kept up in a supervised thread.

Measured with paho 2.2: an exception in `on_message` kills its network thread while `is_connected()` stays true,
and automatic acknowledgement acks what failed. So the callback only enqueues, acknowledgement is manual and follows
the commit, and the subscription is renewed on every CONNACK (a broker may come back without its sessions).
"""

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from runtime.errors import OperatorError, reason_of
from runtime.logs import Log

log = Log("runtime.mqtt_link")

KEEPALIVE_S = 30
"""Never 0: rumqttd drops such clients."""
SESSION_EXPIRY_S = 7 * 86_400
RECONNECT_MIN_S, RECONNECT_MAX_S = 1, 5


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """protocol: 5, or 4 (MQTT 3.1.1) for brokers that have no 5. tls_ca_file "": no TLS."""

    host: str = "127.0.0.1"
    port: int = 1883
    protocol: int = 5
    username: str = ""
    password: str = ""
    tls_ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Will:
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """A message in the inbox. `ack()` lets the broker forget it; call it only after the commit that holds it."""

    topic: str
    payload: bytes
    retained: bool
    ack: Callable[[], None]


class MqttLink:
    """A connection with a bounded inbox.

    The broker's in-flight window bounds what is unacknowledged: `inbox_size` is announced as Receive Maximum (MQTT 5).
    on_connected: called in the network thread after each CONNACK, for retained births and the like.
    on_published: called in the network thread with the `mid` of each PUBACK.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        subscriptions: Sequence[str] = (),
        *,
        will: Will | None = None,
        inbox_size: int = 1000,
        on_connected: Callable[[], None] | None = None,
        on_published: Callable[[int], None] | None = None,
        persistent: bool = True,
        max_queued: int = 10_000,
    ) -> None:
        self.inbox: queue.Queue[MqttMessage] = queue.Queue(inbox_size)
        self.connected = threading.Event()
        self.refused_publishes = 0
        """Messages that an MQTT 5 broker's ACL kept from everyone; 3.1.1 has no word for it."""
        self._address, self._client_id = address, client_id
        self._subscriptions, self._persistent = tuple(subscriptions), persistent
        self._on_connected, self._on_published = on_connected, on_published
        self._connection = 0
        self._unacked: dict[int, bool] = {}
        """QoS 1 messages of this connection that the broker still holds, in order of arrival; True: dealt with."""
        self._ack_lock = threading.Lock()
        self._stopping = False
        self._five = address.protocol == MQTTProtocolVersion.MQTTv5
        protocol = MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=protocol,
            manual_ack=True,
            clean_session=None if self._five else not persistent,
        )
        self._client.max_queued_messages_set(max_queued)
        self._client.max_inflight_messages_set(100)
        self._client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        if address.username:
            self._client.username_pw_set(address.username, address.password)
        if address.tls_ca_file:
            try:
                self._client.tls_set(ca_certs=address.tls_ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
            except (OSError, ssl.SSLError) as error:
                raise OperatorError(
                    f"tls_ca_file {address.tls_ca_file}: {reason_of(error)}; give the CA's certificate"
                ) from error
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        self._client.on_connect = self._handle_connect
        self._client.on_disconnect = self._handle_disconnect
        self._client.on_message = self._handle_message
        self._client.on_publish = self._handle_publish
        self._client.on_socket_open = _without_nagle

    def run(self) -> None:
        """Connects and serves until `close`; reconnects for ever. Run it in a supervised thread."""
        properties = None
        if self._five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = min(self.inbox.maxsize, 65_535)
            properties.SessionExpiryInterval = SESSION_EXPIRY_S if self._persistent else 0
        self._client.connect_async(
            self._address.host,
            self._address.port,
            keepalive=KEEPALIVE_S,
            clean_start=not self._persistent if self._five else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )
        while not self._stopping:
            self._client.loop_forever(retry_first_connection=True)

    def listen_published(self, on_published: Callable[[int], None]) -> None:
        """As the argument of the same name: for an owner that is made after its link. Call it before `run`."""
        self._on_published = on_published

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, content_type: str = ""
    ) -> int:
        """The message's mid; paho holds it until PUBACK, over reconnects, but not over our own death.

        content_type: told to brokers of MQTT 5 alone.
        Raises queue.Full when `max_queued` messages wait: the caller must slow its source down.
        """
        properties = None
        if content_type and self._five:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = content_type
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc == mqtt.MQTT_ERR_QUEUE_SIZE:
            raise queue.Full
        return info.mid

    def subscribe(self, topic: str) -> None:
        """Adds a subscription now and for every later connection."""
        if topic not in self._subscriptions:
            self._subscriptions = (*self._subscriptions, topic)
        if self.connected.is_set():
            self._client.subscribe(topic, qos=1)

    def close(self) -> None:
        self._stopping = True
        self._client.disconnect()

    def _handle_connect(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _p: object,
    ) -> None:
        if reason.is_failure:
            log.warning(
                "broker refused the connection",
                host=self._address.host,
                port=self._address.port,
                reason=str(reason),
            )
            return
        with self._ack_lock:
            self._connection += 1
            self._unacked.clear()
        if self._subscriptions:
            client.subscribe([(topic, 1) for topic in self._subscriptions])
        self.connected.set()
        log.info("broker connected", host=self._address.host, port=self._address.port, client=self._client_id)
        if self._on_connected is not None:
            self._on_connected()

    def _handle_disconnect(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _p: object,
    ) -> None:
        if self.connected.is_set() and not self._stopping:
            log.warning(
                "broker connection lost", host=self._address.host, port=self._address.port, reason=str(reason)
            )
        self.connected.clear()

    def _handle_message(self, client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        connection, mid, qos = self._connection, message.mid, message.qos
        if qos:
            with self._ack_lock:
                self._unacked[mid] = False

        def ack() -> None:
            if qos:
                self._ack_in_order(client, connection, mid)

        # Blocks at most while the owner commits: the Receive Maximum keeps QoS 1 within the inbox.
        self.inbox.put(MqttMessage(message.topic, bytes(message.payload), message.retain, ack))

    def _ack_in_order(self, client: mqtt.Client, connection: int, mid: int) -> None:
        """PUBACKs leave in the order of arrival (MQTT 5, MQTT-4.6.0-2): rumqttd ends a connection that does otherwise."""
        with self._ack_lock:
            if connection != self._connection or mid not in self._unacked:
                # An old connection's mid may name another message by now; the broker will send ours again.
                return
            self._unacked[mid] = True
            while self._unacked:
                oldest = next(iter(self._unacked))
                if not self._unacked[oldest]:
                    return
                del self._unacked[oldest]
                client.ack(oldest, 1)

    def _handle_publish(
        self, _client: mqtt.Client, _userdata: object, mid: int, reason: ReasonCode, _p: object
    ) -> None:
        if reason.is_failure:
            self.refused_publishes += 1
            if self.refused_publishes == 1:
                log.warning("the broker refuses what we publish; look at its ACL", reason=str(reason))
        if self._on_published is not None:
            self._on_published(mid)


def _without_nagle(_client: mqtt.Client, _userdata: object, opened: object) -> None:
    """Small messages back and forth: Nagle and delayed acknowledgements together cost 40 ms a turn (measured)."""
    if isinstance(opened, socket.socket):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

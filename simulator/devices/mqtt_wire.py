"""A device on MQTT, driven by the shop's own selector loop: QoS 1, a journal, `stored`, a last will."""

import contextlib
import socket
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from contract.devices import DeviceEvent, DeviceState, Stored
from contract.errors import MalformedMessageError
from contract.topics import STATE, STORED, all_commands_topic, command_from_text, stream_topic
from simulator.devices.journal import Journal
from simulator.shop_protocol import Transmissions

KEEPALIVE_S = 30
RECONNECT_MS = 300
MISC_MS = 1000
MAX_UNCONFIRMED = 20
"""Mosquitto's default for messages in flight a client."""

CommandHandler = Callable[[str, bytes], None]


class MqttWire:
    """A new client for every connection: what the old one had under way is sent again from the journal, and counted."""

    def __init__(self, host: str, port: int, protocol: int, journal: Journal) -> None:
        self.device = journal.device
        self.journal = journal
        self._host, self._port = host, port
        self._protocol = MQTTProtocolVersion.MQTTv5 if protocol == 5 else MQTTProtocolVersion.MQTTv311
        self._client: mqtt.Client | None = None
        self._up = False
        self._unconfirmed: set[int] = set()
        self._connect_at_ms = 0
        self._misc_at_ms = 0
        self._now_ms = 0
        self._new_socket = False
        self.publishes = 0
        self.connections = 0

    @property
    def fd(self) -> int | None:
        """The socket to watch now, None without a connection."""
        sock = self._client.socket() if self._client is not None else None
        return sock.fileno() if sock is not None else None

    def take_new_socket(self) -> bool:
        """True once for each connection: its descriptor may have the number of the one before."""
        fresh, self._new_socket = self._new_socket, False
        return fresh

    @property
    def wants_write(self) -> bool:
        return self._client is not None and self._client.want_write()

    @property
    def pending(self) -> int:
        return max(self.journal.kept, len(self._unconfirmed))

    @property
    def transmissions(self) -> Transmissions:
        return Transmissions(
            events=self.journal.events_made, resends=self.journal.resends, dropped=self.journal.dropped,
            publishes=self.publishes, sessions=self.connections,
        )  # fmt: skip

    @property
    def next_timeout_ms(self) -> int | None:
        if self._client is None:
            return self._connect_at_ms
        times = [self._misc_at_ms, self.journal.resend_at_ms if self._up else None]
        return min(time for time in times if time is not None)

    def open(self, now_ms: int) -> None:
        self.on_time(now_ms)

    def close(self) -> None:
        if self._client is not None:
            self._client.on_disconnect = None
            if self._up:
                # An orderly end sends no last will; say so ourselves.
                self._client.publish(
                    stream_topic(self.device, STATE), DeviceState(state="offline").to_json(), 1, retain=True
                )
            self._client.disconnect()
            self._client = None

    def on_readable(self, now_ms: int) -> None:
        self._now_ms = now_ms
        if self._client is not None:
            self._check(self._client.loop_read(MAX_UNCONFIRMED))
        self.pump(now_ms)

    def on_writable(self) -> None:
        if self._client is not None:
            self._check(self._client.loop_write())

    def on_time(self, now_ms: int) -> None:
        self._now_ms = now_ms
        if self._client is None:
            if now_ms >= self._connect_at_ms:
                self._connect()
            return
        if now_ms >= self._misc_at_ms:
            self._misc_at_ms = now_ms + MISC_MS
            self._check(self._client.loop_misc())
        if self._up:
            self.journal.on_time(now_ms)
        self.pump(now_ms)

    def pump(self, now_ms: int) -> None:
        self._now_ms = now_ms
        while (
            self._up
            and self._client is not None
            and len(self._unconfirmed) < MAX_UNCONFIRMED
            and self.journal.has_next()
        ):
            self._publish(self._client, self.journal.take(now_ms))

    def _publish(self, client: mqtt.Client, event: DeviceEvent) -> None:
        self.publishes += 1
        info = client.publish(stream_topic(self.device, event.stream), event.to_json(), qos=1)
        # Writing may have found the connection dead: the journal is rewound then, and nobody confirms this one.
        if self._client is client:
            self._unconfirmed.add(info.mid)

    def _connect(self) -> None:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"device-{self.device}",
            protocol=self._protocol,
            clean_session=None if self._protocol == MQTTProtocolVersion.MQTTv5 else True,
        )
        client.will_set(
            stream_topic(self.device, STATE), DeviceState(state="offline").to_json(), qos=1, retain=True
        )
        client.on_connect = self._handle_connect
        client.on_disconnect = self._handle_disconnect
        client.on_message = self._handle_message
        client.on_publish = self._handle_publish
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        properties = Properties(PacketTypes.CONNECT) if five else None  # type: ignore[no-untyped-call]
        self._connect_at_ms = self._now_ms + RECONNECT_MS
        try:
            client.connect(
                self._host,
                self._port,
                keepalive=KEEPALIVE_S,
                clean_start=True if five else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
            )
        except OSError:
            return  # the broker is down: the next try comes
        sock = client.socket()
        if isinstance(sock, socket.socket):
            # Small messages back and forth: without this, Nagle and delayed acknowledgements cost 40 ms a turn.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._new_socket = True
        self._misc_at_ms = self._now_ms + MISC_MS

    def _check(self, code: int) -> None:
        if code != mqtt.MQTT_ERR_SUCCESS:
            self._lost()

    def _lost(self) -> None:
        client, self._client = self._client, None
        self._up = False
        self._unconfirmed.clear()
        self.journal.rewind()
        self._connect_at_ms = self._now_ms + RECONNECT_MS
        if client is not None:
            client.on_disconnect = None
            with contextlib.suppress(OSError, ValueError):
                client.disconnect()

    def _handle_connect(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _p: object,
    ) -> None:
        if reason.is_failure:
            return
        self.connections += 1
        self._up = True
        client.subscribe(all_commands_topic(self.device), qos=1)
        client.publish(
            stream_topic(self.device, STATE), DeviceState(state="online").to_json(), qos=1, retain=True
        )
        self.journal.rewind()

    def _handle_disconnect(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.DisconnectFlags,
        _reason: ReasonCode,
        _p: object,
    ) -> None:
        self._lost()

    def _handle_message(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        with contextlib.suppress(MalformedMessageError):
            _, name = command_from_text(message.topic)
            if name == STORED:
                stored = Stored.from_json(bytes(message.payload))
                self.journal.stored(stored.boot_id, stored.through_seq, self._now_ms)

    def _handle_publish(
        self, _client: mqtt.Client, _userdata: object, mid: int, _reason: ReasonCode, _p: object
    ) -> None:
        self._unconfirmed.discard(mid)

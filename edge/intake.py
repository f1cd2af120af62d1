"""What devices say, from the broker to the loop: one connection that only receives, and a bounded inbox behind it.

The link's thread alone touches the socket. It cuts what came into messages and puts them into the inbox a read at a time; the
loop takes what is there and, once it is committed, hands the ids back in the order of arrival. While the inbox is full nothing is
read: the broker's in-flight window, then TCP, hold the rest back, and pings go on.

A general client costs 41 µs of CPU a message (paho 2.2, measured); this one costs 3. Commands go out by `MqttLink`.
"""

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable

from contract.devices import EslStatus, Heartbeat, Weight
from edge.inbox import Arrival, Inbox
from edge.intake_wire import (
    CONNACK,
    DISCONNECT,
    GOODBYE,
    PING,
    PINGRESP,
    SUBACK,
    ProtocolError,
    Splitter,
    connect_packet,
    puback_packets,
    refusal_of,
    subscribe_packet,
)
from runtime.errors import OperatorError, reason_of
from runtime.logs import Log
from runtime.mqtt_link import KEEPALIVE_S, RECONNECT_MAX_S, RECONNECT_MIN_S, SESSION_EXPIRY_S, BrokerAddress

log = Log("edge.intake")

READ_BYTES = 65_536
CONNECT_WITHIN_S, GOODBYE_WITHIN_S = 10.0, 2.0
PING_AFTER_S = KEEPALIVE_S / 2
SILENT_AFTER_S = KEEPALIVE_S * 1.5
PATIENT_STREAMS = frozenset({Weight.stream, Heartbeat.stream, EslStatus.stream})
"""State that heals itself may wait for company in a commit; whatever else comes does not."""


class IntakeLink:
    """A receiving connection, kept up for ever by `run` in a supervised thread of its own.

    receive_maximum bounds what the broker may send unacknowledged (MQTT 5; with 3.1.1 the broker's own limit does).
    """

    def __init__(self, address: BrokerAddress, client_id: str, topic: str, *, receive_maximum: int) -> None:
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self.inbox = Inbox(receive_maximum, self._wake)
        self.connected = threading.Event()
        """Set while the broker holds our subscription."""
        self._address, self._client_id, self._topic = address, client_id, topic
        self._receive_maximum = receive_maximum
        self._tls = _tls_from(address)
        self._connection = 0
        self._acks: deque[tuple[int, bytes]] = deque()
        """(connection, PUBACK packets) that the link's thread is to send."""
        self._stopping = threading.Event()
        self._problem = ""

    def run(self) -> None:
        """Receives until `close`; connects again for ever."""
        wait_s = float(RECONNECT_MIN_S)
        while not self._stopping.is_set():
            try:
                opened = self._open()
            except (OSError, ProtocolError) as error:
                self._tell("broker cannot be reached", error)
            else:
                was_connected = self._serve(opened)
                if was_connected:
                    wait_s = float(RECONNECT_MIN_S)
            self._stopping.wait(wait_s)
            wait_s = min(wait_s * 2, float(RECONNECT_MAX_S))

    def ack(self, messages: Iterable[Arrival]) -> None:
        """Lets the broker forget them. Call after the commit that holds them, in the order of arrival."""
        connection = self._connection
        # An old connection's id may name another message by now; the broker sends ours again.
        mids = [mid for _, _, mid, of in messages if mid and of == connection]
        if mids:
            self._acks.append((connection, puback_packets(mids)))
            self._wake()

    def close(self) -> None:
        """Acknowledgements under way still leave."""
        self._stopping.set()
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of wakes: it will wake
            os.write(self._wake_write, b".")

    def _open(self) -> socket.socket:
        address = self._address
        plain = socket.create_connection((address.host, address.port), CONNECT_WITHIN_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened = self._tls.wrap_socket(plain, server_hostname=address.host) if self._tls else plain
            opened.sendall(
                connect_packet(
                    self._client_id, address.protocol, keepalive_s=KEEPALIVE_S,
                    receive_maximum=min(self._receive_maximum, 65_535), session_expiry_s=SESSION_EXPIRY_S,
                    username=address.username, password=address.password,
                )
            )  # fmt: skip
        except BaseException:
            plain.close()
            raise
        opened.setblocking(False)
        return opened

    def _serve(self, opened: socket.socket) -> bool:
        """Until the connection ends; whether it ever was one."""
        self._connection += 1
        conversation = _Conversation(opened, self._address.protocol, self._topic)
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        try:
            while True:
                is_last = self._stopping.is_set()  # asked first: what was acknowledged before still leaves
                while self._acks:
                    connection, packets = self._acks.popleft()
                    if connection == self._connection:
                        conversation.outgoing += packets
                if is_last:
                    conversation.say_goodbye()
                    return self.connected.is_set()
                conversation.keep_alive()
                conversation.flush()
                self._wait(poll, opened, conversation)
                if self.inbox.is_full():
                    conversation.is_paused()
                else:
                    self._receive(conversation)
        except (OSError, ProtocolError) as error:
            if not self._stopping.is_set():
                self._tell("broker connection lost", error)
            return self.connected.is_set()
        finally:
            self.connected.clear()
            opened.close()

    def _wait(self, poll: select.poll, opened: socket.socket, conversation: "_Conversation") -> None:
        events = 0 if self.inbox.is_full() else select.POLLIN
        if conversation.outgoing:
            events |= select.POLLOUT
        if conversation.has_more() and events & select.POLLIN:
            return  # decrypted already: the socket will not say so
        poll.register(opened, events)
        for descriptor, _ in poll.poll(1000):
            if descriptor == self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)

    def _receive(self, conversation: "_Conversation") -> None:
        messages = conversation.receive()
        if messages:
            connection = self._connection
            urgent = conversation.urgent_among(messages)
            self.inbox.put(
                [(topic, payload, mid, connection) for topic, payload, mid in messages], urgent=urgent
            )
        if conversation.is_subscribed and not self.connected.is_set():
            self._problem = ""
            self.connected.set()
            log.info(
                "broker connected", host=self._address.host, port=self._address.port, client=self._client_id
            )

    def _tell(self, what: str, error: Exception) -> None:
        """A change of state once, not every try."""
        reason = str(error) or type(error).__name__
        if reason != self._problem:
            self._problem = reason
            log.warning(what, host=self._address.host, port=self._address.port, reason=reason)


class _Conversation:
    """One connection's life: what it sends, what it has heard, when it must ping."""

    def __init__(self, opened: socket.socket, protocol: int, topic: str) -> None:
        self._socket, self._protocol, self._topic = opened, protocol, topic
        self._splitter = Splitter(protocol)
        self._urgent_by_topic: dict[str, bool] = {}
        self.outgoing = b""
        self.is_subscribed = False
        self._heard_s = self._sent_s = time.monotonic()

    def keep_alive(self) -> None:
        """Raises ProtocolError when the broker has been silent for too long."""
        now_s = time.monotonic()
        if now_s - self._sent_s >= PING_AFTER_S:
            self.outgoing += PING
            self._sent_s = now_s
        if now_s - self._heard_s >= SILENT_AFTER_S:
            raise ProtocolError(f"nothing heard for {SILENT_AFTER_S:.0f} s")

    def is_paused(self) -> None:
        """Nothing is read for now, so silence says nothing of the broker."""
        self._heard_s = time.monotonic()

    def flush(self) -> None:
        if self.outgoing:
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self.outgoing = self.outgoing[self._socket.send(self.outgoing) :]
                self._sent_s = time.monotonic()

    def say_goodbye(self) -> None:
        """Sends what is left and waits until the broker hangs up: closed earlier, it may never read our last words."""
        until_s = time.monotonic() + GOODBYE_WITHIN_S
        self._socket.settimeout(GOODBYE_WITHIN_S)
        with contextlib.suppress(OSError):
            self._socket.sendall(self.outgoing + GOODBYE)
            while time.monotonic() < until_s and self._socket.recv(READ_BYTES):
                pass

    def has_more(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def receive(self) -> list[tuple[str, bytes, int]]:
        """The messages that have come. Raises OSError, ProtocolError when the connection is over."""
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return []
        if not data:
            raise ProtocolError("the broker closed it")
        self._heard_s = time.monotonic()
        messages = self._splitter.feed(data)
        if self._splitter.answers:
            self._take_answers()
        return messages

    def urgent_among(self, messages: list[tuple[str, bytes, int]]) -> bool:
        known = self._urgent_by_topic
        urgent = False
        for topic in {message[0] for message in messages}:
            if topic not in known:
                if len(known) > 20_000:
                    known.clear()
                known[topic] = topic.rpartition("/")[2] not in PATIENT_STREAMS
            urgent |= known[topic]
        return urgent

    def _take_answers(self) -> None:
        answers, self._splitter.answers = self._splitter.answers, []
        for answer in answers:
            if answer.kind in (CONNACK, SUBACK) and (refusal := refusal_of(answer)):
                raise ProtocolError(refusal)
            if answer.kind == CONNACK:
                # Anew at each connection: a broker may come back without its sessions.
                self.outgoing += subscribe_packet(self._topic, self._protocol)
            elif answer.kind == SUBACK:
                self.is_subscribed = True
            elif answer.kind == DISCONNECT:
                raise ProtocolError(f"the broker says goodbye: {answer.body[:1].hex() or '00'}")
            elif answer.kind != PINGRESP:
                raise ProtocolError(f"a packet of kind {answer.kind:#x}, which nobody asked for")


def _tls_from(address: BrokerAddress) -> ssl.SSLContext | None:
    if not address.tls_ca_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(address.tls_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(
            f"tls_ca_file {address.tls_ca_file}: {reason_of(error)}; give the CA's certificate"
        ) from error
    return context

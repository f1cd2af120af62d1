"""An MQTT 3.1.1 publisher on bare sockets, QoS 1, in a process of its own: it must never be what a measurement waits for.

    python -m benchmarks.gateway_rig.publisher < spec.json

The packets are rendered first; "ready" is printed, a line is read, then they leave, several connections at once, each with a
bounded number of unacknowledged messages. At the end one JSON line says what happened. Spec: see `Spec`.
"""

import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

CONNACK, PUBACK, PINGREQ = 0x20, 0x40, b"\xc0\x00"
CHUNK_PACKETS = 20
SLICE_S = 0.01


@dataclass(frozen=True, slots=True)
class Spec:
    """rate: messages a second over all connections, 0 is as fast as the broker acknowledges.

    topics: what each connection's messages are called; payloads: of each connection, in order. window: unacknowledged
    messages a connection may have.
    """

    port: int
    host: str = "127.0.0.1"
    username: str = ""
    password: str = ""
    client: str = "bench"
    rate: float = 0.0
    window: int = 200
    workload: str = "single"
    connections: int = 4
    messages: int = 10_000
    boot_id: str = "b-1"
    seed: int = 1


def connect_packet(client_id: str, username: str = "", password: str = "", keepalive_s: int = 600) -> bytes:
    flags = 0x02 | (0x80 if username else 0) | (0x40 if password else 0)
    body = b"\x00\x04MQTT\x04" + bytes([flags]) + struct.pack(">H", keepalive_s) + _text(client_id)
    for part in (username, password):
        if part:
            body += _text(part)
    return b"\x10" + remaining_length(len(body)) + body


def publish_packet(topic: str, payload: bytes, mid: int, qos: int = 1) -> bytes:
    head = _text(topic) + (struct.pack(">H", mid) if qos else b"")
    return bytes([0x30 | qos << 1]) + remaining_length(len(head) + len(payload)) + head + payload


def subscribe_packet(topic: str, qos: int = 0) -> bytes:
    body = b"\x00\x01" + _text(topic) + bytes([qos])
    return b"\x82" + remaining_length(len(body)) + body


def remaining_length(number: int) -> bytes:
    found = bytearray()
    while True:
        number, low = divmod(number, 128)
        found.append(low | (0x80 if number else 0))
        if not number:
            return bytes(found)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


class Packets:
    """Splits what a broker sends into (first byte, body)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        data = self._rest + data
        place, size = 0, len(data)
        while place + 2 <= size:
            length, shift, at = 0, 0, place + 1
            while at < size:
                byte = data[at]
                at += 1
                length |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            else:
                break
            if at + length > size:
                break
            yield data[place], data[at : at + length]
            place = at + length
        self._rest = data[place:]


def connect(
    host: str, port: int, client_id: str, username: str = "", password: str = "", within_s: float = 10.0
) -> socket.socket:
    """A connected socket, CONNACK read. Raises OSError when the broker refuses."""
    opened = socket.create_connection((host, port), within_s)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.sendall(connect_packet(client_id, username, password))
    answer = b""
    while len(answer) < 4:
        part = opened.recv(4 - len(answer))
        if not part:
            raise ConnectionError("the broker closed the connection")
        answer += part
    if answer[0] != CONNACK or answer[3] != 0:
        raise ConnectionError(f"the broker refuses: CONNACK {answer[3]}; see --broker")
    return opened


class Connection:
    """One publisher: its packets still to go, and how many of the broker's answers it waits for."""

    def __init__(self, opened: socket.socket, packets: list[bytes], window: int) -> None:
        self.socket, self._packets, self._window = opened, packets, window
        self._packets_of = Packets()
        self.sent = self.acked = 0
        opened.setblocking(False)
        self._pending = b""

    @property
    def done(self) -> bool:
        return self.acked >= len(self._packets)

    def pump(self, allowed: int) -> int:
        """Sends up to `allowed` more; the number sent."""
        if self._pending:
            self._flush()
            if self._pending:
                return 0
        room = min(self._window - (self.sent - self.acked), allowed, len(self._packets) - self.sent)
        if room <= 0:
            return 0
        room = min(room, CHUNK_PACKETS)
        self._pending = b"".join(self._packets[self.sent : self.sent + room])
        self.sent += room
        self._flush()
        return room

    def read(self) -> None:
        try:
            data = self.socket.recv(65_536)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError("the broker closed a publisher's connection")
        self.acked += sum(first == PUBACK for first, _ in self._packets_of.feed(data))

    def _flush(self) -> None:
        try:
            self._pending = self._pending[self.socket.send(self._pending) :]
        except BlockingIOError:
            return


def publish_all(connections: list[Connection], rate: float) -> tuple[float, float]:
    """(start, end) on the monotonic clock: the first send and the last PUBACK."""
    selector = selectors.DefaultSelector()
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    started = time.monotonic()
    sent = 0
    while not all(connection.done for connection in connections):
        budget = 10**9 if not rate else int((time.monotonic() - started) * rate) - sent
        moved = 0
        for connection in connections:
            if budget > moved:
                moved += connection.pump(budget - moved)
        sent += moved
        wait_s = 0.0 if moved and not rate else SLICE_S
        for key, _ in selector.select(wait_s):
            key.data.read()
        if rate and not moved:
            time.sleep(SLICE_S / 4)
    return started, time.monotonic()


def packets_from(events: Iterable[tuple[str, bytes]]) -> list[bytes]:
    return [publish_packet(topic, payload, 1 + n % 65_000) for n, (topic, payload) in enumerate(events)]


def main() -> int:
    from benchmarks.gateway_rig.shop import workload_events

    spec = Spec(**json.loads(sys.stdin.readline()))
    per_connection = workload_events(
        spec.workload, spec.messages, spec.connections, boot_id=spec.boot_id, seed=spec.seed
    )
    connections = [
        Connection(
            connect(spec.host, spec.port, f"{spec.client}-{number}", spec.username, spec.password),
            packets_from(events),
            spec.window,
        )
        for number, events in enumerate(per_connection)
    ]
    print("ready", flush=True)
    sys.stdin.readline()
    started, ended = publish_all(connections, spec.rate)
    used = time.process_time()
    print(json.dumps({"started_s": started, "ended_s": ended, "cpu_s": used, **asdict(spec)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

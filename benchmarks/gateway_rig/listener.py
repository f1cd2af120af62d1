"""Hears the gateway's `stored`: the moment at which what a device said is on the disk, as any device sees it."""

import json
import threading
import time

from benchmarks.gateway_rig.publisher import Packets, connect, subscribe_packet

TOPIC = "shelfloop/1/+/cmd/stored"


class StoredListener:
    """`through` is what each device was last told; `wait_all` waits for given seqs. A thread reads until `close`."""

    def __init__(self, host: str, port: int, boot_id: str, username: str = "", password: str = "") -> None:
        self._boot_id = boot_id
        self.through: dict[str, int] = {}
        self.told_s: dict[str, list[tuple[int, float]]] = {}
        self._news = threading.Condition()
        self._socket = connect(host, port, f"bench-listener-{boot_id}", username, password)
        self._socket.settimeout(None)
        self._socket.sendall(subscribe_packet(TOPIC))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def wait_all(self, seqs: dict[str, int], within_s: float) -> float:
        """The monotonic moment at which every device has been told its seq. Raises SystemExit in time's absence."""
        with self._news:
            if not self._news.wait_for(lambda: self._has(seqs), within_s):
                late = {
                    name: self.through.get(name, 0)
                    for name, seq in seqs.items()
                    if self.through.get(name, 0) < seq
                }
                raise SystemExit(f"not stored within {within_s:.0f} s: {late} of {seqs}")
        return max(
            next(at_s for seq, at_s in self.told_s[device] if seq >= wanted)
            for device, wanted in seqs.items()
        )

    def close(self) -> None:
        self._socket.close()

    def _has(self, seqs: dict[str, int]) -> bool:
        return all(self.through.get(device, 0) >= seq for device, seq in seqs.items())

    def _read(self) -> None:
        packets = Packets()
        while True:
            try:
                data = self._socket.recv(65_536)
            except OSError:
                return
            if not data:
                return
            at_s = time.monotonic()
            with self._news:
                for first, body in packets.feed(data):
                    if first >> 4 == 3:
                        self._told(body, at_s)
                self._news.notify_all()

    def _told(self, body: bytes, at_s: float) -> None:
        size = int.from_bytes(body[:2], "big")
        device = body[2 : 2 + size].split(b"/")[2].decode()
        stored = json.loads(body[2 + size :])
        if stored["boot_id"] == self._boot_id:
            through = stored["through_seq"]
            self.through[device] = max(through, self.through.get(device, 0))
            self.told_s.setdefault(device, []).append((through, at_s))

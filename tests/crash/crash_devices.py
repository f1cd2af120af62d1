"""Devices that keep what they said until the gateway says `stored`, whatever dies meanwhile."""

import json
import threading
import time

import paho.mqtt.client as mqtt
from edge_rig import gtin, receipt

RESEND_AFTER_S = 1.0
UNIT_G, CELL_UNITS = 250.0, 2500


class Device:
    """Numbers its events, keeps them, sends them again until they are stored; over reconnects, for ever."""

    def __init__(self, broker_port, name):
        self.name, self.boot, self.seq = name, "boot-1", 0
        self.journal = {}
        self.stored_s = time.monotonic()
        self._progress_s = 0.0
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(f"shelfloop/1/{name}/cmd/stored", 1)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker_port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._resend, daemon=True)
        self._thread.start()

    def send(self, stream, at_ms, **fields):
        with self._lock:
            self.seq += 1
            event = {
                "device": self.name, "boot_id": self.boot, "seq": self.seq, "t_device_ms": self.seq * 10,
                "t_event_ms": at_ms, "clock_quality": "synced", **fields,
            }  # fmt: skip
            self.journal[self.seq] = (stream, event)
            self._publish(self.seq)

    def stop(self):
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, seq):
        stream, event = self.journal[seq]
        body = {**event, "kept_from_seq": min(self.journal)}
        self._client.publish(f"shelfloop/1/{self.name}/{stream}", json.dumps(body), qos=1)

    def _on_message(self, _client, _userdata, message):
        body = json.loads(message.payload)
        if body["boot_id"] != self.boot:
            return
        with self._lock:
            gone = [seq for seq in self.journal if seq <= body["through_seq"]]
            for seq in gone:
                del self.journal[seq]
            if gone:
                self.stored_s = self._progress_s = time.monotonic()

    def _resend(self):
        while not self._stop.wait(0.1):
            with self._lock:
                if not self.journal or time.monotonic() - self._progress_s < RESEND_AFTER_S:
                    continue
                self._progress_s = time.monotonic()
                for seq in sorted(self.journal)[:500]:
                    self._publish(seq)


class Till(Device):
    def __init__(self, broker_port, name="till-1"):
        super().__init__(broker_port, name)
        self.sold = {}

    def sell(self, at_ms, units):
        number = max(self.sold, default=0) + 1
        self.sold[number] = units
        lines = [(gtin(1 + number % 3), units, 100)]
        self.send("receipt", at_ms, **receipt(number, lines, register=self.name))


class Shelf(Device):
    """One shelf of three deep cells. What is taken must come out of the windows, unit by unit.

    Nothing is put there: readings that come again behind newer ones are no news, and a refill between them would hide picks.
    """

    def __init__(self, broker_port, name="shelf-1"):
        super().__init__(broker_port, name)
        self.units = dict.fromkeys((1, 2, 3), CELL_UNITS)
        self.taken = 0

    def weigh(self, at_ms):
        readings = [
            {"cell": f"c-{cell}", "weight_g": units * UNIT_G + 1, "stable": True, "sd_g": 1.0}
            for cell, units in self.units.items()
        ]
        self.send("weight", at_ms, readings=readings)

    def take(self, at_ms, cell, units):
        self.taken += units
        self.units[cell] -= units
        self.weigh(at_ms)

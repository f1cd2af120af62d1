"""The floor: paho and SQLite in one loop, parse → persist → acknowledge, nothing decided and nothing sent on.

    python -m benchmarks.gateway_rig.floor PORT FOLDER MESSAGES

Prints "ready" when subscribed, then a JSON line once MESSAGES are committed.
"""

import json
import queue
import sqlite3
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.gateway_rig.processes import cost_of

BATCH, LINGER_S = 500, 0.25


def main() -> int:
    port, folder, wanted = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    inbox: queue.Queue[mqtt.MQTTMessage] = queue.Queue(2000)
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id="floor",
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=True,
    )
    client.on_connect = lambda client, *_: client.subscribe("shelfloop/1/+/+", 1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = lambda _client, _data, message: inbox.put(message)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = 2000
    client.connect("127.0.0.1", port, properties=properties)
    threading.Thread(target=client.loop_forever, daemon=True).start()

    db = sqlite3.connect(folder / "floor.sqlite", isolation_level=None)
    for pragma in ("page_size=4096", "journal_mode=WAL", "synchronous=FULL"):
        db.execute(f"PRAGMA {pragma}")
    db.execute(
        "CREATE TABLE reading (id INTEGER PRIMARY KEY, device TEXT, seq INTEGER, cell TEXT, weight_g REAL)"
    )
    done = 0
    while done < wanted:
        batch = [inbox.get()]
        until_s = time.monotonic() + LINGER_S
        while len(batch) < BATCH and (left_s := until_s - time.monotonic()) > 0:
            try:
                batch.append(inbox.get(timeout=min(left_s, 0.002)))
            except queue.Empty:
                break
        rows: list[tuple[str, int, str, float]] = []
        for message in batch:
            value = json.loads(message.payload)
            rows.extend(
                (value["device"], value["seq"], reading["cell"], reading["weight_g"])
                for reading in value.get("readings", ())
            )
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO reading VALUES (NULL, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
        for message in batch:
            client.ack(message.mid, message.qos)
        done += len(batch)
    at_s = time.monotonic()
    import os

    cost = cost_of(os.getpid())
    print(
        json.dumps(
            {"done_s": at_s, "cpu_s": cost.cpu_s, "rss_mb": cost.rss_mb, "written": cost.written_bytes}
        ),
        flush=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a gateway says of itself: a short report for whoever asks often, the whole one for the shop's page, and conditions."""

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from edge.core.clockwork import EMPTY
from edge.core.devices import QUIET_DEVICE_MS, SHELF_KIND, SILENT_AFTER_MS, DeviceRow
from edge.core.level_news import LOW_STOCK
from edge.core.step import EdgeCore
from edge.loop import EdgeLoop
from edge.settings import EdgeSettings
from edge.store import EdgeStore
from edge.uplink import Uplink
from runtime.clock import Clock
from runtime.systemd_notify import ServiceNotifier
from runtime.time_sync import is_synchronised

UNSET_CLOCK_MS = 1_262_304_000_000
"""2010: a clock before it was never set (a Raspberry Pi without network time starts in 1970)."""
STALLED_AFTER_S = 10.0
OUTBOX_NEARLY_FULL = 0.9
MAX_ALERTS = 200
STOCK_CODES = frozenset({EMPTY, LOW_STOCK})


class _Sized(Protocol):
    def qsize(self) -> int: ...


class BrokerLink(Protocol):
    """The connection that brings messages: whether it stands, and how many wait."""

    @property
    def connected(self) -> threading.Event: ...

    @property
    def inbox(self) -> _Sized: ...


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Read from any thread; the loop's own thread changes what it reads, so every table is copied before it is walked."""

    settings: EdgeSettings
    core: EdgeCore
    store: EdgeStore
    loop: EdgeLoop
    link: BrokerLink
    uplink: Uplink | None
    clock: Clock
    notifier: ServiceNotifier
    version: str
    started_s: float

    def conditions(self) -> dict[str, str]:
        """What is wrong with the gateway now, by code; empty when nothing is."""
        settings, found = self.settings, dict[str, str]()
        if not self.link.connected.is_set():
            found["broker"] = f"no connection to the broker {settings.broker_host}:{settings.broker_port}"
        if self.uplink is not None and self.uplink.status.problem:
            found["centre"] = self.uplink.status.problem
        if self.loop.disk_problem or self.loop.bundle_problem:
            found["disk"] = self.loop.disk_problem or self.loop.bundle_problem
        if self.clock.now_ms() < UNSET_CLOCK_MS:
            found["clock"] = "the clock was never set; give the gateway network time or a clock of its own"
        if self.notifier.silent_s() > STALLED_AFTER_S:
            found["loop"] = (
                f"nothing has been worked off for {self.notifier.silent_s():.0f} s; the disk may hang"
            )
        if self.store.outbox_bytes > OUTBOX_NEARLY_FULL * settings.outbox_max_bytes:
            found["outbox"] = (
                f"{self.store.outbox_bytes:,} of {settings.outbox_max_bytes:,} bytes (outbox_max_bytes) wait for the centre: "
                "older windows get coarser"
            )
        return found

    def short(self) -> Mapping[str, object]:
        """For /status and /healthz. backlog: what was accepted and is not yet with the centre."""
        # The time first: what it brought is in the backlog before it is told.
        ticked_ms = self.loop.ticked_ms
        store, loop, uplink = self.store, self.loop, self.uplink
        waiting = store.streams.waiting() if uplink else 0
        pending = 0
        if uplink is not None:
            handed, applied = uplink.status.documents_handed, uplink.status.documents_applied
            pending = max(0, handed - applied) + uplink.inbox.qsize()
        return {
            "backlog": self.link.inbox.qsize() + loop.uncommitted + waiting + pending + loop.pending_jobs,
            "now_ms": ticked_ms,
            "gateway": self.settings.gateway,
            "epoch": store.streams.live.epoch,
            "outbox_rows": store.streams.waiting(),
            "outbox_bytes": store.outbox_bytes,
            "quarantine_rows": store.quarantine_rows(),
            "documents": loop.have,
            "bundle": loop.bundle,
            "uplink": self._uplink(),
            "devices": {
                device: _device(row) for device, row in list(self.core.state.devices.rows.by_key.items())
            },
            "counters": {**self.core.state.tally.counters, "commits_total": loop.commits},
            "problems": list(self.conditions().values()),
        }

    def whole(self) -> dict[str, object]:
        """`short`, and what a person in the shop looks for: alarms, clock, versions. For /report and the page."""
        now_ms, state = self.clock.now_ms(), self.core.state
        alerts = self.open_alerts()
        devices = {
            device: {**_device(row), "state": device_state(row, now_ms)}
            for device, row in list(state.devices.rows.by_key.items())
        }
        document = state.documents.store
        return {
            **self.short(),
            "store": self.settings.store,
            "store_name": document.name if document is not None else "",
            "timezone": document.timezone if document is not None else "UTC",
            "version": self.version,
            "uptime_s": round(time.monotonic() - self.started_s),
            "clock": {
                "now_ms": now_ms,
                "is_simulated": bool(self.settings.clock_file),
                "is_synchronised": is_synchronised(),
            },
            "broker": {
                "address": f"{self.settings.broker_host}:{self.settings.broker_port}",
                "is_connected": self.link.connected.is_set(),
                "has_tls": bool(self.settings.tls_ca_file),
            },
            "central_url": self.settings.central_url,
            "outbox_max_bytes": self.settings.outbox_max_bytes,
            "slowest_commit_ms": self.loop.pace.slowest_ms(),
            "devices": devices,
            "items": len(state.documents.item_by_sku),
            "alerts_open": len(alerts),
            "alerts": alerts[:MAX_ALERTS],
            "conditions": self.conditions(),
            "order_graph": self.loop.has_order_graph,
            "drift": {name: asdict(drift) for name, drift in self.loop.drift().items()},
        }

    def open_alerts(self) -> list[dict[str, object]]:
        """Those that nobody noted first, and the newest of them."""
        rows = list(self.core.state.alerts.rows.by_key.items())
        found: list[dict[str, object]] = []
        for key, row in sorted(rows, key=lambda item: (bool(item[1].acknowledged_by), -item[1].since_ms)):
            code, _, subject = key.partition("|")
            found.append(
                {
                    "code": code, "subject": subject, "severity": row.severity.value, "since_ms": row.since_ms,
                    "text": row.text, "is_stock": code in STOCK_CODES, "acknowledged_by": row.acknowledged_by,
                }
            )  # fmt: skip
        return found

    def absent_devices(self) -> dict[str, str]:
        """Devices that are offline or silent, each with that word."""
        now_ms = self.clock.now_ms()
        states = {
            device: device_state(row, now_ms)
            for device, row in list(self.core.state.devices.rows.by_key.items())
        }
        return {device: state for device, state in states.items() if state != "online"}

    def _uplink(self) -> Mapping[str, object] | None:
        if self.uplink is None:
            return None
        status = self.uplink.status
        return {
            "is_up": status.is_up,
            "batches": status.batches,
            "rows": status.rows,
            "resent_batches": status.resent,
            "failures": status.failures,
            "oldest_waiting_ms": status.oldest_waiting_ms,
            "silent_s": round(time.monotonic() - status.last_ok_monotonic_s, 1),
        }


def device_state(row: DeviceRow, now_ms: int) -> str:
    """online, offline (it said so, or its last will did) or silent (it should have spoken by now)."""
    if row.online is False:
        return "offline"
    limit_ms = SILENT_AFTER_MS if row.kind == SHELF_KIND else QUIET_DEVICE_MS
    return "silent" if now_ms - row.last_heard_ms > limit_ms else "online"


def _device(row: DeviceRow) -> dict[str, object]:
    return {
        "kind": row.kind,
        "online": row.online,
        "last_heard_ms": row.last_heard_ms,
        "accepted": row.accepted,
        "duplicates": row.duplicates,
        "rejected": row.rejected,
    }

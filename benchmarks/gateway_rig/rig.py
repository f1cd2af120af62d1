"""Broker, sink, gateway and a load between them: ours, or one that runs elsewhere."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.gateway_rig.listener import StoredListener
from benchmarks.gateway_rig.outside import OutsideGateway
from benchmarks.gateway_rig.processes import Broker, Cost, Gateway, Load, SinkCentre, folder_for
from benchmarks.gateway_rig.shop import HOT_SKUS, last_seqs


@dataclass
class Rig:
    """gateway: None when it runs elsewhere."""

    host: str
    port: int
    username: str
    password: str
    gateway: Gateway | None
    outside: OutsideGateway | None
    sink: SinkCentre | None

    def cost(self) -> Cost | None:
        if self.gateway is not None:
            return self.gateway.cost()
        return self.outside.cost() if self.outside else None

    def load(self, workload: str, messages: int, boot_id: str, **more: Any) -> Load:
        return Load(
            self.port, workload, messages, host=self.host, username=self.username, password=self.password,
            boot_id=boot_id, client=f"bench-{boot_id}", **more,
        )  # fmt: skip

    def listen(self, boot_id: str) -> StoredListener:
        return StoredListener(self.host, self.port, boot_id, self.username, self.password)


@contextlib.contextmanager
def rig_of(name: str, outside: OutsideGateway | None, skus: int = HOT_SKUS, **settings: Any) -> Iterator[Rig]:
    if outside is not None:
        yield Rig(outside.host, outside.port, outside.username, outside.password, None, outside, None)
        return
    folder = folder_for(name)
    broker = Broker(folder)
    sink = SinkCentre(skus)
    gateway = Gateway(folder, broker.port, sink.url, **settings)
    try:
        gateway.start()
        yield Rig("127.0.0.1", broker.port, "", "", gateway, None, sink)
    finally:
        gateway.stop()
        sink.stop()
        broker.stop()


@dataclass(frozen=True, slots=True)
class Run:
    """messages_per_s: from the first publish to the moment at which the last one is known to be on the gateway's disk."""

    messages: int
    messages_per_s: float
    before: Cost | None
    after: Cost | None

    @property
    def cpu_s_per_100k(self) -> float:
        return (
            (self.after.cpu_s - self.before.cpu_s) / self.messages * 1e5
            if self.after and self.before
            else 0.0
        )

    @property
    def bytes_per_message(self) -> float:
        if not self.after or not self.before:
            return 0.0
        return (self.after.written_bytes - self.before.written_bytes) / self.messages


def new_boot() -> str:
    return f"b-{secrets.token_hex(4)}"


def run_load(rig: Rig, workload: str, messages: int, *, rate: float = 0.0, within_s: float = 300.0) -> Run:
    boot_id = new_boot()
    listener = rig.listen(boot_id)
    try:
        load = rig.load(workload, messages, boot_id, rate=rate)
        before = rig.cost()
        began_s = load.go()
        stored_s = listener.wait_all(last_seqs(messages), within_s)
        time.sleep(0.3)
        after = rig.cost()
        load.result()
    finally:
        listener.close()
    return Run(messages, messages / (stored_s - began_s), before, after)

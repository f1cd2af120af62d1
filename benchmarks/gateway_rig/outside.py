"""A gateway that runs already, and one that is held ready for somebody else's load and sink."""

import argparse
import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway_rig.processes import Broker, Cost, Gateway, SinkCentre, cost_of, folder_for
from benchmarks.gateway_rig.shop import HOT_SKUS
from benchmarks.gateway_rig.sink import Sink, serve


@dataclass
class OutsideGateway:
    """Reached over its broker only. `sink`: our answering centre, when it was asked for."""

    host: str
    port: int
    username: str
    password: str
    pid: int | None
    sink: Sink | None

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> "OutsideGateway":
        host, _, port = options.broker.partition(":")
        password = options.password_file.read_text().strip() if options.password_file else ""
        sink = None
        if options.upstream:
            sink = Sink(HOT_SKUS)
            server = serve(sink, int(options.upstream), "0.0.0.0")
            threading.Thread(target=server.serve_forever, daemon=True).start()
            print(
                f"the sink answers on port {options.upstream}; give the gateway central_url = http://THIS-MACHINE:{options.upstream}"
            )
        return cls(host, int(port or 1883), options.user, password, options.pid, sink)

    def cost(self) -> Cost | None:
        return cost_of(self.pid) if self.pid else None

    def close(self) -> None:
        if self.sink is not None:
            print(f"the sink was sent: {self.sink.told()}")


def hold(upstream: str | None, key_file: Path | None) -> int:
    """Broker and gateway until Ctrl-C or SIGTERM, either of which ends them too."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as processes:
        folder = folder_for("serve")
        broker = Broker(folder)
        processes.callback(broker.stop)
        url = upstream or ""
        if not url:
            sink = SinkCentre(HOT_SKUS)
            processes.callback(sink.stop)
            url = sink.url
        gateway = Gateway(folder, broker.port, url, key_file.read_text().strip() if key_file else "slg_bench")
        processes.callback(gateway.stop)
        gateway.start(documents=0)
        print(
            f"broker    127.0.0.1:{broker.port}\nstatus    http://127.0.0.1:{gateway.status_port}/status\n"
            f"centre    {url}\ngateway   pid {gateway.pid}, settings {gateway.config}\n"
            "Ctrl-C ends all of it.",
            flush=True,
        )
        ended.wait()
    return 0

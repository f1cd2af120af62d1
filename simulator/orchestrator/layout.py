"""Where a demo keeps its files and which ports its processes have."""

from dataclasses import dataclass
from pathlib import Path

from simulator.orchestrator.ports import free_ports, port_is_free

DEFAULT_HQ_PORT = 8090
PORTS_PER_SHOP = 3
CENTRAL_NAME, HQ_NAME, REPLENISHER_NAME, MEMBER_APP_NAME = "central", "hq", "replenisher", "member-app"


@dataclass(frozen=True, slots=True)
class ShopPlace:
    """One shop's folder, names and ports. `store` is its id at the centre, `gateway` that of its edge."""

    store: str
    gateway: str
    folder: Path
    file: Path
    broker_port: int
    bridge_port: int
    edge_port: int

    @property
    def key_file(self) -> Path:
        return self.folder / "gateway.key"

    def name(self, kind: str) -> str:
        """The process' name: `edge-1` for the first shop."""
        return f"{kind}-{self.store.rpartition('-')[2]}"


@dataclass(frozen=True, slots=True)
class Layout:
    root: Path
    shops: tuple[ShopPlace, ...]
    central_port: int
    central_status_port: int
    hq_port: int
    hq_status_port: int
    replenisher_port: int
    member_app_port: int

    @property
    def clock_file(self) -> Path:
        return self.root / "clock"

    @property
    def link_file(self) -> Path:
        """The code that lets one browser into HQ's pages."""
        return self.root / "hq.link"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def central_url(self) -> str:
        return f"http://127.0.0.1:{self.central_port}"

    @property
    def hq_url(self) -> str:
        return f"http://127.0.0.1:{self.hq_port}/"

    def folder(self, name: str) -> Path:
        return self.root / name

    def token_file(self, scope: str) -> Path:
        return self.root / "tokens" / scope

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"


def layout_for(root: Path, shops: int, hq_port: int | None, *, watched: bool = True) -> Layout:
    """Ports are free ones; HQ's is `hq_port`, without one the usual where it is free and somebody watches. Makes the folders."""
    ports = iter(free_ports(PORTS_PER_SHOP * shops + 6))
    places = tuple(
        ShopPlace(
            store=f"shop-{number}",
            gateway=f"gw-{number}",
            folder=root / f"shop-{number}",
            file=root / "goods" / f"shop-{number}.sqlite",
            broker_port=next(ports),
            bridge_port=next(ports),
            edge_port=next(ports),
        )
        for number in range(1, shops + 1)
    )
    spare = next(ports)
    usual = DEFAULT_HQ_PORT if watched and port_is_free(DEFAULT_HQ_PORT) else spare
    layout = Layout(
        root=root,
        shops=places,
        central_port=next(ports),
        central_status_port=next(ports),
        hq_port=hq_port if hq_port is not None else usual,
        hq_status_port=next(ports),
        replenisher_port=next(ports),
        member_app_port=next(ports),
    )
    for folder in (layout.logs, root / "tokens", root / "goods", *(place.folder for place in places)):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "tokens").chmod(0o700)
    return layout

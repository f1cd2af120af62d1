"""A real centre and a real gateway that trust one key for bundles."""

import sys
from contextlib import ExitStack
from pathlib import Path

from central_rig import CentreProcess, kill_leftover
from edge_rig import Broker, Gateway
from test_central_loop import set_up_store

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "edge"))

from edge_bundles import PUBLIC


def centre_and_gateway(
    stack: ExitStack, folder: Path, *, store: dict[str, int], **settings: str
) -> tuple[CentreProcess, Gateway, Broker]:
    """Both run until `stack` ends. store: of `set_up_store`. settings: more of the gateway's."""
    key = folder / "public.pem"
    key.write_bytes(PUBLIC)
    centre = CentreProcess(folder, bundle_public_key_file=str(key))
    stack.callback(lambda: kill_leftover(centre.process))
    centre.command("init")
    centre.start()
    set_up_store(centre.client(), **store)
    shop = folder / "gateway"
    shop.mkdir()
    broker = Broker(shop)
    stack.callback(broker.stop)
    gateway = Gateway(
        shop, broker.port, centre.port, clock_file=centre.clock.path, key=centre.add_gateway(),
        bundle_public_key_file=str(key), **settings,
    )  # fmt: skip
    stack.callback(gateway.stop)
    gateway.start()
    return centre, gateway, broker

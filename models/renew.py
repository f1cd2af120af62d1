"""`shelfloop models renew-orders`: gives a bundle the order graph of this release; what it forecasts stays as it was trained."""

import argparse
from collections.abc import Callable
from pathlib import Path


def add_renew_orders(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", run: Callable[[argparse.Namespace], int]
) -> None:
    """run: what renews it; the command line has it, for it needs the trainer's packages."""
    renew = commands.add_parser(
        "renew-orders",
        help="put this release's order graph into a bundle and sign it again",
        description="Puts this release's order graph and its golden examples into a bundle and signs it again, under a version"
        " of its own. Nothing is trained: forecasts stay as they were.",
    )
    renew.add_argument("folder", type=Path, help="the bundle")
    renew.add_argument("--key", type=Path, required=True, help="private key")
    renew.set_defaults(run=run)

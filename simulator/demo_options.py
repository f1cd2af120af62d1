"""The words of `shelfloop demo`, checked before anything starts."""

import argparse
from collections.abc import Callable
from pathlib import Path

from simulator.orchestrator.chaos import MIN_KILLS

DEFAULT_DAYS, DEFAULT_STORES, DEFAULT_SPEED = 28, 3, 600.0
MAX_DAYS, MAX_STORES = 100, 5


def demo_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop demo",
        description="Runs whole shops on this machine: tills, shelves and labels on real wires, gateways, the centre, a"
        " replenishment system, a members' app and HQ's page. Replays real receipts (Complete Journey).",
    )
    parser.add_argument(
        "--days",
        type=_whole(1, MAX_DAYS),
        default=DEFAULT_DAYS,
        help=f"days to replay, 1 to {MAX_DAYS} (default {DEFAULT_DAYS})",
    )
    parser.add_argument(
        "--stores",
        type=_whole(1, MAX_STORES),
        default=DEFAULT_STORES,
        help=f"shops, 1 to {MAX_STORES} (default {DEFAULT_STORES})",
    )
    parser.add_argument(
        "--speed", type=_speed, default=DEFAULT_SPEED, metavar="X|max",
        help=f"shop seconds a second, or max: as fast as every process follows (default {DEFAULT_SPEED:.0f}: a day in about two and a half minutes)",
    )  # fmt: skip
    parser.add_argument(
        "--exit", action="store_true", help="end after the last day instead of keeping HQ's page up"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the accounting there as JSON")
    parser.add_argument(
        "--chaos",
        type=int,
        metavar="SEED",
        help="kill processes at seeded points of the run; needs --speed max",
    )
    parser.add_argument(
        "--kills",
        type=_whole(1, 500),
        default=MIN_KILLS,
        help=f"how many kills with --chaos (default {MIN_KILLS}); the books do not balance when the run ends before the last",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep all files (settings, logs, databases) in this new folder",
    )
    parser.add_argument(
        "--port", type=_whole(1024, 65_535), help="loopback port of HQ's page (default 8090, or a free one)"
    )
    parser.add_argument(
        "--broker",
        choices=("auto", "iotcore"),
        default="auto",
        help="auto: Mosquitto where it is installed, else iotcore, which pip brings (default auto)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of what is left to chance in the shops (default 1)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open HQ's page in a browser")
    return parser


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor `max`") from None
    if not 1 <= speed <= 100_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 100000")
    return speed


def _whole(least: int, most: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return whole

"""`shelfloop simulate`: the demo's parts one by one, for whoever wants to drive a gateway or a centre of their own."""

import importlib
import sys

PARTS = {
    "receipts": ("journey", "make shop files from real receipts (Complete Journey)"),
    "shop": (
        "shop_process",
        "play a shop file on real wires: ptys for a bridge, MQTT for a broker; JSON lines drive it",
    ),
    "fleet": ("fleet_command", "let many gateways send to a centre, and print how long it takes to answer"),
}
"""name -> (module, what it does): a part imports only what it needs."""


def main(argv: list[str] | None = None) -> int:
    """The exit status: that of the part; 2 when there is no such part."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if arguments else 2
    if arguments[0] not in PARTS:
        print(f"shelfloop simulate: no part {arguments[0]!r}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    module, _ = PARTS[arguments[0]]
    return int(importlib.import_module(f"simulator.{module}").main(arguments[1:]))


def _help() -> str:
    parts = "\n".join(f"  {name:<10} {summary}" for name, (_, summary) in PARTS.items())
    return (
        "usage: shelfloop simulate PART …\n\nThe demo's parts one by one, to drive a gateway or a centre of your own.\n\n"
        f"{parts}\n\n`shelfloop simulate PART --help` says more; `shelfloop demo` runs everything together."
    )

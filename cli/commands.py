"""The table of sub-commands: which module answers, what one line says of it, which extra brings what it needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """module: has `main(argv: list[str] | None) -> int`. extra: of the distribution, "" when the base suffices."""

    name: str
    module: str
    summary: str
    extra: str = ""


COMMANDS = (
    Command("demo", "simulator.demo", "run whole shops on this machine and open HQ's page", "demo"),
    Command(
        "simulate", "simulator.simulate", "run parts of the demo alone: receipts, a shop, a fleet", "demo"
    ),
    Command(
        "bridge", "firmware_bridge.__main__", "pass serial devices on to the local MQTT broker", "bridge"
    ),
    Command("edge", "edge.__main__", "run a shop's gateway", "edge"),
    Command("central", "central.__main__", "run the centre: ledger, orders, offers, API", "central"),
    Command("hq", "hq.__main__", "serve HQ's pages", "hq"),
    Command("models", "models.__main__", "train, evaluate, sign and verify model bundles", "train"),
    Command("ca", "cli.ca", "make a certificate authority and certificates for shops' brokers", "edge"),
    Command("doctor", "cli.doctor", "say in plain words what is wrong with a gateway or a centre"),
    Command("docs", "cli.settings_docs", "print reference pages: settings, the centre's API, all messages"),
)
COMMAND_BY_NAME = {command.name: command for command in COMMANDS}


def install_advice(extra: str) -> str:
    """How to get what `extra` brings, at the pinned versions where there is a clone."""
    return f"in a clone: pip install -c constraints.txt '.[{extra}]' (from a package index: pip install 'shelfloop[{extra}]')"


OUR_PACKAGES = frozenset(
    {"contract", "runtime", "firmware_bridge", "edge", "central", "models", "hq", "cli", "simulator"}
)

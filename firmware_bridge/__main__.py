"""`shelfloop bridge run | check | dump`."""

import argparse
import os
import sys
from pathlib import Path

from firmware_bridge.bridge import Bridge, broker_from_settings, state_dir_from_setting
from firmware_bridge.discovery import is_glob, matching_ports
from firmware_bridge.dump import Dump
from firmware_bridge.settings import BridgeSettings
from runtime.clock import clock_from_setting
from runtime.errors import EXIT_BAD_CONFIG, EXIT_FAULT, EXIT_OK, OperatorError
from runtime.logs import start_logging


def main(argv: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 a fault, 78 a bad setting (the message names it)."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "run":
            return _run(arguments.config)
        if arguments.command == "check":
            return _check(arguments.config)
        return _dump(arguments.capture)
    except OperatorError as error:
        print(f"shelfloop bridge: {error}", file=sys.stderr)
        return EXIT_BAD_CONFIG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop bridge",
        description="Joins serial devices (shelves, tills, label bases) to the store's MQTT broker.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="serve the ports of the settings until SIGTERM")
    check = commands.add_parser(
        "check", help="say whether the settings work, and which ports are there; starts nothing"
    )
    for command in (run, check):
        command.add_argument("--config", type=Path, required=True, help="TOML file, see docs/settings.md")
    dump = commands.add_parser("dump", help="print a raw capture of a serial line as text")
    dump.add_argument("capture", type=Path, help="file with the bytes of one direction")
    return parser


def _run(config: Path) -> int:
    os.umask(0o077)  # the counters are nobody else's to read
    settings = BridgeSettings.load(config)
    start_logging(settings.log_level)
    Bridge(settings).run()
    return EXIT_OK


def _check(config: Path) -> int:
    settings = BridgeSettings.load(config)
    broker = broker_from_settings(settings)
    clock_from_setting(settings.clock_file)
    state_dir_from_setting(settings.state_dir)
    if settings.tls_ca_file and not Path(settings.tls_ca_file).is_file():
        raise OperatorError(f"tls_ca_file {settings.tls_ca_file}: no such file; give the CA's certificate")
    print(f"bridge {settings.bridge}: broker {broker.host}:{broker.port}, {len(settings.devices)} devices")
    for port in settings.ports:
        found = [match.path for match in matching_ports([port])]
        there = is_glob(port.path) or "://" in port.path or Path(port.path).exists()
        state = ", ".join(found) if is_glob(port.path) else "there" if there else "not there now"
        print(f"port {port.path}: {state or 'nothing there now'}")
    print("settings are good")
    return EXIT_OK


def _dump(capture: Path) -> int:
    dump = Dump()
    try:
        with capture.open("rb") as file:
            while piece := file.read(65_536):
                for line in dump.lines(piece):
                    print(line)
    except OSError as error:
        print(f"capture {capture}: {error.strerror}; give a readable file", file=sys.stderr)
        return EXIT_FAULT
    print(dump.summary())
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())

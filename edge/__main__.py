"""`shelfloop edge`: run a gateway, check its settings, ask for its status, look into its quarantine."""

import argparse
import json
import os
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

from runtime.deferred import defer

defer("asyncio")  # 3.4 MB that pydantic-settings imports for commands of its own

from edge.errors import DiskError  # noqa: E402
from edge.settings import EdgeSettings  # noqa: E402
from runtime.errors import EXIT_BAD_CONFIG, EXIT_FAULT, EXIT_OK, OperatorError, reason_of  # noqa: E402

CONFIG = Path("/etc/shelfloop/edge.toml")
"""Where deploy/gateway/install.sh puts it."""


def main(argv: list[str] | None = None) -> int:
    """The exit status: 0 well, 1 a fault, 78 a bad setting."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except OperatorError as error:
        print(f"shelfloop edge: {error}", file=sys.stderr)
        return EXIT_BAD_CONFIG
    except DiskError as error:
        # Room or time may heal it, so the service manager is to start us again.
        print(f"shelfloop edge: {error}", file=sys.stderr)
        return EXIT_FAULT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shelfloop edge", description="The gateway of a store.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, text in (
        ("run", _run, "run the gateway until SIGTERM or Ctrl-C"),
        ("check", _check, "check the settings, key, bundle and database, then end"),
        ("status", _status, "how the running gateway is: devices, alerts, what waits, clock, versions"),
        ("acknowledge", _acknowledge, "take note of an open alert; HQ sees who did"),
        ("dump", _dump, "print the quarantine, one JSON object a line"),
        ("replay", _replay, "send quarantined device messages through the broker again"),
    ):
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument(
            "--config", type=Path, default=CONFIG, metavar="FILE",
            help="the settings, see docs/settings.md (default: %(default)s)",
        )  # fmt: skip
        if name == "replay":
            sub.add_argument(
                "--id", type=int, action="append", metavar="N", help="only this row; may be repeated"
            )
        if name == "dump":
            sub.add_argument("--source", metavar="DEVICE", help="only what came from this device")
            sub.add_argument("--summary", action="store_true", help="how many of what, in place of each")
        if name == "status":
            sub.add_argument("--port", type=int, help="status port; needs no settings then")
            sub.add_argument("--json", action="store_true", help="the whole report as JSON")
        if name == "acknowledge":
            sub.add_argument(
                "code", help="which alert, such as cold-chain; `status --json` lists the open ones"
            )
            sub.add_argument("subject", help="of which device, cell, SKU or label")
            sub.add_argument("--who", required=True, help="your name")
        sub.set_defaults(command=command)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from edge.process import run_gateway  # noqa: PLC0415 - `--help` and `check` need no models

    os.umask(0o077)  # receipts and members' tokens are nobody else's to read
    return run_gateway(EdgeSettings.load(arguments.config))


def _check(arguments: argparse.Namespace) -> int:
    from edge.process import check_gateway  # noqa: PLC0415

    for line in check_gateway(EdgeSettings.load(arguments.config)):
        print(line)
    return EXIT_OK


def _status(arguments: argparse.Namespace) -> int:
    """Asks the process over loopback: nothing of it needs the centre."""
    from edge.status_text import text_from  # noqa: PLC0415 - no other command shows it
    from edge.status_view import view_from  # noqa: PLC0415

    host, port = "127.0.0.1", arguments.port
    if not port:
        settings = EdgeSettings.load(arguments.config)
        host, port = settings.status_host, settings.status_port
    if not port:
        raise OperatorError(
            "status_port is 0, so it was picked at the start: give the one in the log as --port"
        )
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/report", timeout=5) as reply:
            report = json.load(reply)
    except OSError as error:
        print(
            f"shelfloop edge: no gateway answers on {host} port {port}: {reason_of(error)}; is it running? "
            "systemctl status shelfloop-edge",
            file=sys.stderr,
        )
        return EXIT_FAULT
    print(json.dumps(report, indent=2) if arguments.json else text_from(view_from(report)))
    return EXIT_OK


def _acknowledge(arguments: argparse.Namespace) -> int:
    from edge.acknowledge import send  # noqa: PLC0415

    settings = EdgeSettings.load(arguments.config)
    host = "127.0.0.1" if settings.status_host in ("0.0.0.0", "::") else settings.status_host  # noqa: S104 - compared
    problem = send(host, settings.status_port, arguments.code, arguments.subject, arguments.who)
    if problem:
        print(f"shelfloop edge: {problem}", file=sys.stderr)
        return EXIT_FAULT
    print(f"{arguments.code} of {arguments.subject}: noted")
    return EXIT_OK


def _dump(arguments: argparse.Namespace) -> int:
    from edge.quarantine import quarantined, summary_of  # noqa: PLC0415

    rows = quarantined(Path(EdgeSettings.load(arguments.config).state_dir))
    wanted = (row for row in rows if not arguments.source or row.source == arguments.source)
    for line in summary_of(wanted) if arguments.summary else (row.to_line() for row in wanted):
        print(line)
    return EXIT_OK


def _replay(arguments: argparse.Namespace) -> int:
    from edge.quarantine import replay  # noqa: PLC0415

    settings = EdgeSettings.load(arguments.config)
    sent = replay(settings, set(arguments.id or ()))
    for why, number in sent.left_out.items():
        print(f"left out {number}: {why}")
    print(f"sent {len(sent.messages)} messages again; what is still wrong comes back to the quarantine")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())

"""`shelfloop central`: run the centre, make its folder, keys and tokens, and look at it."""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from central.settings import CentralSettings
from runtime.errors import EXIT_BAD_CONFIG, EXIT_FAULT, EXIT_OK, OperatorError

OWNER_ONLY = 0o077
"""The umask: the ledger holds members' pseudonyms and coupon codes."""


def main(argv: Sequence[str] | None = None) -> int:
    """The process' exit status: 0, 1 when something failed, 78 when a person must change a setting."""
    arguments = _parser().parse_args(argv)
    try:
        settings = CentralSettings.load(arguments.config)
        return int(arguments.run(settings, arguments))
    except OperatorError as error:
        print(f"shelfloop central: {error}", file=sys.stderr)
        return EXIT_BAD_CONFIG


def _run(settings: CentralSettings, _: argparse.Namespace) -> int:
    os.umask(OWNER_ONLY)
    from central.process import run_centre  # noqa: PLC0415 - `check` and `token` need no web framework

    return run_centre(settings)


def _check(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.ledger.engine import checked_url  # noqa: PLC0415

    checked_url(settings.url)
    print(f"{arguments.config}: settings are good; the ledger is {settings.url.split('@')[-1]}")
    return EXIT_OK


def _init(settings: CentralSettings, _: argparse.Namespace) -> int:
    os.umask(OWNER_ONLY)
    from central.setup import init_state  # noqa: PLC0415

    init_state(settings)
    print(f"ledger ready in {settings.state_dir}; next: `gateway add` and `token create`")
    return EXIT_OK


def _gateway_add(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.setup import add_gateway  # noqa: PLC0415

    _show_secret(add_gateway(settings, arguments.store, arguments.gateway), arguments.key_file)
    return EXIT_OK


def _token_create(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.setup import create_token  # noqa: PLC0415

    _show_secret(create_token(settings, arguments.scope, arguments.name), arguments.token_file)
    return EXIT_OK


def _token_revoke(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.setup import revoke_token  # noqa: PLC0415

    count = revoke_token(settings, arguments.name)
    print(f"{count} token(s) named {arguments.name} revoked; they stop working within 5 seconds")
    return EXIT_OK if count else EXIT_FAULT


def _rebuild(settings: CentralSettings, _: argparse.Namespace) -> int:
    from central.setup import rebuild_rollups  # noqa: PLC0415

    for store, rows in rebuild_rollups(settings):
        print(f"store {store}: {rows} sums made again from the facts")
    return EXIT_OK


def _status(settings: CentralSettings, _: argparse.Namespace) -> int:
    url = f"http://127.0.0.1:{settings.status_port}/status"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            print(json.dumps(json.load(answer), indent=2))
    except (urllib.error.URLError, OSError) as error:
        print(f"shelfloop central: no answer at {url}: {error}; is it running?", file=sys.stderr)
        return EXIT_FAULT
    return EXIT_OK


def _show_secret(secret: str, path: Path | None) -> None:
    """Prints the secret once, or writes it to a file that only its owner can read."""
    if path is None:
        print(secret)
        return
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secret + "\n")
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}; the secret was not shown, make a new one") from None
    print(f"written to {path} (readable for its owner only)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop central",
        description="The centre: takes gateways' batches, keeps the ledger, decides orders and offers, serves the API.",
        epilog="First: init --config FILE; then gateway add, token create, run.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, metavar="FILE", help="settings file (docs/settings.md)")

    def command(
        of: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str, run: object
    ) -> argparse.ArgumentParser:
        made = of.add_parser(name, help=text, description=text, parents=[common])
        made.set_defaults(run=run)
        return made

    command(commands, "run", "Run the centre until it is told to stop.", _run)
    command(commands, "check", "Check the settings and say what is wrong.", _check)
    command(commands, "init", "Make the state folder and the ledger; safe to repeat.", _init)
    command(commands, "status", "Show the running centre's status.", _status)
    command(
        commands,
        "rebuild-rollups",
        "Make the time series again from the facts; stop the centre first.",
        _rebuild,
    )
    gateways = commands.add_parser("gateway", help="Gateways and their keys.").add_subparsers(required=True)
    add = command(gateways, "add", "Make a gateway's key; an old key of it stops working.", _gateway_add)
    add.add_argument("--store", required=True, help="the store it stands in")
    add.add_argument("--gateway", required=True, help="its id: lower case, digits, hyphens")
    add.add_argument(
        "--key-file", type=Path, metavar="FILE", help="write the key there instead of printing it"
    )
    tokens = commands.add_parser("token", help="Tokens of systems and people's tools.").add_subparsers(
        required=True
    )
    create = command(tokens, "create", "Make a token.", _token_create)
    create.add_argument(
        "--scope", required=True, choices=("system", "hq", "member-app", "admin"), help="what it may do"
    )
    create.add_argument("--name", required=True, help="whose it is: shown in the audit")
    create.add_argument(
        "--token-file", type=Path, metavar="FILE", help="write the token there instead of printing it"
    )
    revoke = command(tokens, "revoke", "Make all tokens of a name useless.", _token_revoke)
    revoke.add_argument("--name", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`shelfloop central`: run the centre, make its folder, keys and tokens, and look at it."""

import argparse
import getpass
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.deferred import leave_out

leave_out("httpx._main")  # httpx' own command, which loads 4 MB of rich and pygments where they are installed

from central.secret_place import SecretPlace  # noqa: E402
from central.settings import CentralSettings  # noqa: E402
from central.upkeep import add_commands  # noqa: E402
from runtime.errors import EXIT_BAD_CONFIG, EXIT_FAULT, EXIT_OK, OperatorError, reason_of  # noqa: E402
from runtime.settings import secret_from_file  # noqa: E402

if TYPE_CHECKING:
    from central.access import Reach

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

    with SecretPlace(arguments.key_file) as place:
        place.put(add_gateway(settings, arguments.store, arguments.gateway))
    return EXIT_OK


def _token_create(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.setup import create_token  # noqa: PLC0415

    days, reach = arguments.days, _reach(arguments)
    with SecretPlace(arguments.token_file) as place:
        place.put(create_token(settings, arguments.scope, arguments.name, days=days, reach=reach))
    _warn_of_unknown(settings, _reach(arguments))
    return EXIT_OK


def _reach(arguments: argparse.Namespace) -> "Reach | None":
    from central.access import Reach  # noqa: PLC0415

    if not arguments.store and not arguments.region:
        return None
    return Reach(tuple(arguments.store), tuple(arguments.region))


def _person_add(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.setup import check_minutes, make_link, put_person  # noqa: PLC0415

    by_link = arguments.by_link is not None
    if by_link and arguments.password_file is not None:
        raise OperatorError("--by-link and --password-file exclude each other; leave one out")
    check_minutes(arguments.minutes)
    password = None if by_link else _password(arguments.password_file)
    with SecretPlace(arguments.by_link) as place:
        put_person(settings, arguments.name, arguments.role, password, reach=_reach(arguments))
        print(f"{arguments.name} can log in as {arguments.role}; sessions opened before have ended")
        _warn_of_unknown(settings, _reach(arguments))
        if by_link:
            place.put(make_link(settings, arguments.name, arguments.minutes))
    return EXIT_OK


def _person_remove(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.setup import remove_person  # noqa: PLC0415

    count = remove_person(settings, arguments.name)
    if not count:
        return _nobody(f"nobody is called {arguments.name!r}")
    print(f"{arguments.name} removed; open pages end within 5 seconds")
    return EXIT_OK


def _person_link(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.setup import make_link  # noqa: PLC0415

    with SecretPlace(arguments.link_file) as place:
        place.put(make_link(settings, arguments.name, arguments.minutes))
    return EXIT_OK


def _access(settings: CentralSettings, _: argparse.Namespace) -> int:
    from central.setup import who_may  # noqa: PLC0415

    for line in who_may(settings):
        print(line)
    return EXIT_OK


def _password(path: Path | None) -> str:
    """From the file, or typed twice; never from the command line, which others can read."""
    if path is not None:
        password = secret_from_file(str(path), "--password-file")
        if path.stat().st_mode & OWNER_ONLY:
            raise OperatorError(
                f"--password-file {path}: others may read it; chmod 600 {path}, and take another password"
            )
        return password
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise OperatorError("the two passwords differ; nothing was changed")
    return password


def _token_revoke(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.setup import revoke_token  # noqa: PLC0415

    count = revoke_token(settings, arguments.name)
    if not count:
        return _nobody(f"no token that works is called {arguments.name!r}")
    print(f"{count} token(s) named {arguments.name} revoked; they stop working within 5 seconds")
    return EXIT_OK


def _nobody(said: str) -> int:
    print(
        f"shelfloop central: {said}; nothing was changed. `shelfloop central access` lists all",
        file=sys.stderr,
    )
    return EXIT_FAULT


def _warn_of_unknown(settings: CentralSettings, reach: "Reach | None") -> None:
    """A reach may come before its stores; more often it is a typing error, and then there is nothing to see."""
    from central.setup import unknown_in  # noqa: PLC0415

    for what in unknown_in(settings, reach):
        print(
            f"shelfloop central: note that {what} is unknown as yet: nothing of it can be seen",
            file=sys.stderr,
        )


def _rebuild(settings: CentralSettings, _: argparse.Namespace) -> int:
    from central.setup import rebuild_rollups  # noqa: PLC0415

    for store, rows in rebuild_rollups(settings):
        print(f"store {store}: {rows} sums made again from the facts")
    return EXIT_OK


def _rewrite_series(settings: CentralSettings, _: argparse.Namespace) -> int:
    from central.setup import rewrite_series  # noqa: PLC0415

    rewrite_series(settings)
    print("the centre writes all time series again, beginning within a minute")
    return EXIT_OK


def _status(settings: CentralSettings, _: argparse.Namespace) -> int:
    url = f"http://127.0.0.1:{settings.status_port}/status"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            print(json.dumps(json.load(answer), indent=2))
    except (urllib.error.URLError, OSError) as error:
        print(f"shelfloop central: no answer at {url}: {reason_of(error)}; is it running?", file=sys.stderr)
        return EXIT_FAULT
    return EXIT_OK


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
    add_commands(commands, command)
    command(
        commands,
        "rebuild-rollups",
        "Make the time series again from the facts; stop the centre first.",
        _rebuild,
    )
    command(
        commands,
        "rewrite-series",
        "Write all time series to their server again, after it lost some.",
        _rewrite_series,
    )
    gateways = commands.add_parser("gateway", help="Gateways and their keys.").add_subparsers(required=True)
    add = command(gateways, "add", "Make a gateway's key; an old key of it stops working.", _gateway_add)
    add.add_argument("--store", required=True, help="the store it stands in")
    add.add_argument("--gateway", required=True, help="its id: lower case, digits, hyphens")
    add.add_argument(
        "--key-file", type=Path, metavar="FILE", help="write the key there instead of printing it"
    )
    tokens = commands.add_parser("token", help="Tokens of systems.").add_subparsers(required=True)
    create = command(tokens, "create", "Make a token.", _token_create)
    create.add_argument(
        "--scope",
        required=True,
        choices=("system", "hq", "region", "store", "member-app", "admin"),
        help="what it may do",
    )
    create.add_argument("--name", required=True, help="whose it is: shown in the audit")
    create.add_argument(
        "--token-file", type=Path, metavar="FILE", help="write the token there instead of printing it"
    )
    create.add_argument(
        "--days", type=int, default=365, metavar="N", help="days until it expires; 0: never (default: 365)"
    )
    _add_reach(create)
    revoke = command(tokens, "revoke", "Make all tokens of a name useless.", _token_revoke)
    revoke.add_argument("--name", required=True)
    persons = commands.add_parser("person", help="People who log in.").add_subparsers(required=True)
    person = command(
        persons,
        "add",
        "Make a person, or change password, role and reach of one; asks for the password.",
        _person_add,
    )
    person.add_argument("--name", required=True, help="what the person types, and what the audit shows")
    person.add_argument(
        "--role", required=True, choices=("store", "region", "hq", "replenishment", "member-app", "admin")
    )
    person.add_argument(
        "--password-file", type=Path, metavar="FILE", help="read the password there instead of asking"
    )
    person.add_argument(
        "--by-link", type=Path, metavar="FILE", help="no password: write the code of a one-time link there"
    )
    _add_minutes(person)
    _add_reach(person)
    remove = command(persons, "remove", "Remove a person and end all sessions.", _person_remove)
    remove.add_argument("--name", required=True)
    link = command(
        persons, "link", "Make a code that logs the person in once: HQ's page /login?link=CODE.",
        _person_link,
    )  # fmt: skip
    link.add_argument("--name", required=True)
    _add_minutes(link)
    link.add_argument(
        "--link-file", type=Path, metavar="FILE", help="write the code there instead of printing it"
    )
    command(commands, "access", "List the people and the tokens that may come in.", _access)
    return parser


def _add_minutes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--minutes", type=int, default=15, metavar="N", help="how long the link works (default: 15)"
    )


def _add_reach(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store", action="append", default=[], metavar="ID", help="only this store's rows; repeat for more"
    )
    command.add_argument(
        "--region",
        action="append",
        default=[],
        metavar="NAME",
        help="only this region's stores; repeat for more",
    )


if __name__ == "__main__":
    sys.exit(main())

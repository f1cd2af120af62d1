"""`shelfloop central import items | suppliers | calendar FILE`: gives a CSV file to the running centre and prints what became of each row."""

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from central.settings import CentralSettings
from runtime.errors import EXIT_FAULT, EXIT_OK, OperatorError, reason_of
from runtime.settings import secret_from_file

TIMEOUT_S = 120
Make = Callable[..., argparse.ArgumentParser]


def add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Make) -> None:
    """command: (of, name, text, run) makes one that has --config."""
    kinds = commands.add_parser("import", help="Masters from CSV files.").add_subparsers(required=True)
    items = command(
        kinds, "items", "Add and change items of stores; each bad row is told, the others are taken.", _items
    )
    items.add_argument(
        "--store", action="append", required=True, metavar="ID", help="whose list; repeat for more"
    )
    suppliers = command(
        kinds,
        "suppliers",
        "Add and change suppliers; each bad row is told, the others are taken.",
        _suppliers,
    )
    calendar = command(
        kinds,
        "calendar",
        "Add and change holidays, promotions and weather of stores; each bad row is told, the others are taken.",
        _calendar,
    )
    where = calendar.add_mutually_exclusive_group(required=True)
    where.add_argument("--store", action="append", metavar="ID", help="whose calendar; repeat for more")
    where.add_argument("--region", metavar="NAME", help="of every store of this region")
    where.add_argument("--chain", action="store_true", help="of every store")
    for made in (items, suppliers, calendar):
        made.add_argument("file", type=Path, metavar="FILE", help="CSV in UTF-8; line 1 names the columns")
        made.add_argument(
            "--token-file", type=Path, required=True, metavar="FILE", help="a token of scope system or admin"
        )
        made.add_argument("--url", default="", help="the centre's (default: host and port of its settings)")


def _items(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    paths = [f"/v1/stores/{store}/items" for store in arguments.store]
    return max(_send(settings, arguments, path) for path in paths)


def _suppliers(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    return _send(settings, arguments, "/v1/suppliers")


def _calendar(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    if arguments.store:
        paths = [f"/v1/stores/{store}/calendar" for store in arguments.store]
        return max(_send(settings, arguments, path) for path in paths)
    query = f"?{urllib.parse.urlencode({'region': arguments.region})}" if arguments.region else ""
    return _send(settings, arguments, f"/v1/calendar{query}")


def _send(settings: CentralSettings, arguments: argparse.Namespace, path: str) -> int:
    url = (arguments.url or f"http://{settings.host}:{settings.port}").rstrip("/") + path
    if not url.startswith(("http://", "https://")):
        raise OperatorError(f"--url {arguments.url!r} must begin with http:// or https://")
    token = secret_from_file(str(arguments.token_file), "--token-file")
    try:
        body = arguments.file.read_bytes()
    except OSError as error:
        raise OperatorError(f"{arguments.file}: {error.strerror}; name a file that can be read") from None
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        url, data=body, headers={"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            report = json.load(answer)
    except urllib.error.HTTPError as error:
        print(f"shelfloop central: {arguments.file}: {_problem(error)}", file=sys.stderr)
        return EXIT_FAULT
    except (urllib.error.URLError, OSError) as error:
        print(
            f"shelfloop central: no answer at {url}: {reason_of(error)}; is the centre running?",
            file=sys.stderr,
        )
        return EXIT_FAULT
    reports = report.get(
        "stores", {path: report}
    )  # of a region or the chain: one a store, with the same bad rows
    for row in next(iter(reports.values()))["rejected"]:
        column = f", {row['column']}" if row["column"] else ""
        print(f"{arguments.file}:{row['line']}{column}: {row['what']}")
    for where, each in reports.items():
        print(
            f"{where}: {each['rows']} rows: {each['added']} new, {each['changed']} changed, "
            f"{each['unchanged']} as before, {each['rejected_total']} refused"
        )
    return EXIT_FAULT if any(each["rejected_total"] for each in reports.values()) else EXIT_OK


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError):
        return f"HTTP {error.code}"

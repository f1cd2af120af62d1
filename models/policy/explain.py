"""`shelfloop models explain`: why this quantity of this SKU today, from the centre's evidence, in words and as a picture."""

import argparse
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from contract.api import Page
from contract.api.calendars import CalendarView
from contract.api.restock import Evidence, TriggerView
from contract.api.stores import SkuView
from models.errors import ModelsError
from models.policy.told_days import ToldDay
from models.policy.why import Explained, as_picture, as_words
from models.token_file import token_from
from runtime.errors import reason_of

TIMEOUT_S = 15.0
TOLD_DAYS = 14

Answer = TypeVar("Answer", bound=BaseModel)


class CentreError(ModelsError):
    """The operator must act: the centre does not answer, or not with what was asked for."""


def add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "explain",
        help="why this quantity of this SKU today",
        description="Asks the centre for a SKU's stock, open order and its evidence, says why the quantity is what it is,"
        " and draws it.",
    )
    parser.add_argument("--store", required=True, help="the shop's id")
    parser.add_argument("--sku", required=True, help="the SKU")
    parser.add_argument(
        "--central", default="http://127.0.0.1:8700", metavar="URL", help="the centre (default %(default)s)"
    )
    parser.add_argument(
        "--token-file", type=Path, required=True, help="file with a token of the centre's API"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write the picture as SVG")
    parser.set_defaults(run=run_explain)


def run_explain(arguments: argparse.Namespace) -> int:
    """Raises CentreError, TokenFileError."""
    token = token_from(arguments.token_file)
    found = explained(arguments.central.rstrip("/"), token, arguments.store, arguments.sku)
    print("\n".join(as_words(found)))
    if arguments.picture is not None:
        arguments.picture.write_text(as_picture(found), encoding="utf-8")
        print(f"drawn in {arguments.picture}")
    return 0


def explained(central: str, token: str, store: str, sku: str) -> Explained:
    """Of the open order, or of the last one where none is open. Raises CentreError."""
    base = f"{central}/v1"
    view = _asked(f"{base}/stores/{quote(store, safe='')}/skus/{quote(sku, safe='')}", token, SkuView)
    known = _known_days(f"{base}/stores/{quote(store, safe='')}/calendar", token, view)
    if view.open_trigger is None:
        wanted = urlencode({"store": store, "sku": sku, "limit": 1})
        rows = _asked(f"{base}/triggers?{wanted}", token, Page[TriggerView]).rows
        return Explained(view, rows[0] if rows else None, None, known)
    at = f"{base}/triggers/{quote(view.open_trigger, safe='')}"
    return Explained(view, _asked(at, token, TriggerView), _asked(f"{at}/evidence", token, Evidence), known)


def _known_days(url: str, token: str, view: SkuView) -> tuple[ToldDay, ...] | None:
    """What the shop's calendar says of each of the SKU's coming days; None where the shop has no calendar."""
    try:
        calendar = _asked(url, token, CalendarView).calendar
    except CentreError as error:
        if (
            isinstance(error.__cause__, urllib.error.HTTPError)
            and error.__cause__.code == HTTPStatus.NOT_FOUND
        ):
            return None
        raise
    # The moment of the shop's newest data: a demo's days are its own.
    now = datetime.now(UTC) if view.newest_ms is None else datetime.fromtimestamp(view.newest_ms / 1000, UTC)
    first = now.date()
    days = [(first + timedelta(days=step)).isoformat() for step in range(TOLD_DAYS)]
    return tuple(ToldDay(day, calendar.told_of(view.sku, view.category, day)) for day in days)


def _asked(url: str, token: str, kind: type[Answer]) -> Answer:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return kind.model_validate_json(answer.read())
    except urllib.error.HTTPError as error:
        raise CentreError(
            f"{url}: {error.code} {_problem(error)}; check --store, --sku and the token"
        ) from error
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        raise CentreError(f"{url}: {reason_of(error)}; is the centre up, and --central right?") from error
    except ValidationError as error:
        raise CentreError(
            f"{url}: an answer of another release: {error.error_count()} fields differ"
        ) from error


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        told = json.loads(error.read())
        return str(told.get("detail") or told.get("title") or "")
    except (ValueError, AttributeError):
        return ""

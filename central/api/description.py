"""The OpenAPI document as it is served and kept in docs/: every status that a route may answer with, and who may call it."""

import json
from pathlib import Path
from typing import Any

from central.api.gate import OPEN_PATHS
from central.api.json_body import add_schemas
from contract.api import Problem

PROBLEM = "application/problem+json"
REF = "#/components/schemas/{model}"
ALWAYS = {"429": "Too many requests; Retry-After says when", "503": "The centre is busy; send again"}
SIGNED = {"401": "No valid key, token or session", "403": "Not with this key, token or session"}
CHECKED = {"422": "The request makes no sense; `detail` says what, which and the limit"}
NAMED = {"404": "Not found"}
CHANGING = {
    "400": "The body cannot be read",
    "404": "Not found",
    "409": "Not possible in this state",
    "413": "The body is too large",
}
BEYOND = {"409": "The cursor is beyond the feed's end; `detail` says where to go on"}
BEARER = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key slg_…, a token slt_… or a session slp_…",
    }
}


def describe(openapi: dict[str, Any]) -> dict[str, Any]:
    """`openapi`, changed in place: problems instead of the framework's errors, and the bearer that routes want."""
    add_schemas(openapi)
    schemas = openapi["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template=REF)
    openapi["components"]["securitySchemes"] = BEARER
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            _describe(path, method, operation)
    return openapi


def _describe(path: str, method: str, operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    for status in [status for status in responses if not status.startswith("2")]:
        del responses[status]
    statuses = dict(ALWAYS)
    if path not in OPEN_PATHS:
        operation["security"] = [{"bearer": []}]
        statuses |= SIGNED
    if path == "/v1/sessions":
        statuses |= {"401": "Name, password or link is wrong"}
    if path != "/healthz":
        statuses |= CHECKED
    if "{" in path:
        statuses |= NAMED
    if method != "get":
        statuses |= CHANGING
    if path == "/v1/feed":
        statuses |= BEYOND
    schema = {"$ref": REF.format(model="Problem")}
    for status, text in sorted(statuses.items()):
        responses[status] = {"description": text, "content": {PROBLEM: {"schema": schema}}}


def openapi_text() -> str:
    """docs/openapi.json: what /openapi.json serves, in an order and form that change only when the API does."""
    from central.api.app import make_app  # noqa: PLC0415 - the application imports this module
    from central.auth import Authority  # noqa: PLC0415
    from central.centre import Centre  # noqa: PLC0415
    from central.ledger.engine import Ledger  # noqa: PLC0415
    from central.settings import CentralSettings  # noqa: PLC0415
    from runtime.clock import SystemClock  # noqa: PLC0415

    # Nothing is opened: a description needs no ledger.
    settings = CentralSettings(state_dir=Path("nowhere"))
    ledger = Ledger(settings.url)
    document = make_app(Centre(ledger, settings, SystemClock()), Authority(ledger)).openapi()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

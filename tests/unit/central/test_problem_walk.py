"""Every route, asked wrongly: by each role, of what does not exist, with a wrong type, with nothing in it."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from test_ledger import STORE, Bench

from central.access import Reach, Scope
from central.api.app import make_app
from central.auth import Authority
from central.setup import create_token

Ask = tuple[str, str, str, Any]
"""Method, route, path with its query, JSON body or None."""


@dataclass(frozen=True)
class Asked:
    method: str
    route: str
    status: int
    detail: str

    def __str__(self) -> str:
        return f"{self.method} {self.route}: {self.status} {self.detail}"


class Api:
    def __init__(self, made: Bench) -> None:
        self.app: FastAPI = make_app(made.centre, Authority(made.ledger))
        self.tokens: dict[Scope, str] = {
            scope: create_token(made.settings, scope.value, scope.value, reach=_reach(scope))
            for scope in Scope
            if scope is not Scope.GATEWAY
        }
        self.operations = [
            (method.upper(), route, operation)
            for route, methods in self.app.openapi()["paths"].items()
            for method, operation in methods.items()
        ]

    def ask_all(self, scope: Scope, asks: list[Ask]) -> list[Asked]:
        async def all_of_them() -> list[Asked]:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            headers = {"Authorization": f"Bearer {self.tokens[scope]}"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://centre", headers=headers
            ) as client:
                return [
                    _asked(method, route, await client.request(method, path, json=body))
                    for method, route, path, body in asks
                ]

        return asyncio.run(all_of_them())


def _reach(scope: Scope) -> Reach | None:
    """Of one shop, or of a region without shops."""
    return {Scope.STORE: Reach((STORE,)), Scope.REGION: Reach(regions=("north",))}.get(scope)


def _asked(method: str, route: str, reply: httpx.Response) -> Asked:
    problem = reply.headers["content-type"] == "application/problem+json"
    return Asked(method, route, reply.status_code, reply.json()["detail"] if problem else "")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with tempfile.TemporaryDirectory() as folder:
        made = Bench(Path(folder))
        stop = made.centre.stop
        thread = threading.Thread(target=made.centre.writer.run, args=(stop,), daemon=True)
        thread.start()
        yield Api(made)
        stop.set()
        thread.join(60)
        made.ledger.close()


GOOD = {
    "sku": "no-sku", "day": "2017-01-01", "number": "99", "sha256": "0" * 64, "action": "halt", "store": "no-store",
    "gateway": "no-gateway", "trigger": "no-trigger", "member": "no-member", "campaign": "no-campaign",
    "webhook": "no-webhook", "supplier": "no-supplier",
}  # fmt: skip
"""Names that could be, and are not."""
BODIES = {
    "/v1/triggers/{trigger}/approve": {"who": "Ann"},
    "/v1/triggers/{trigger}/reject": {"who": "Ann", "reason": "no"},
    "/v1/triggers/{trigger}/snooze": {"who": "Ann", "until_ms": 4 * 10**12},
    "/v1/triggers/{trigger}/statuses": {"revision": 1, "status": "acknowledged", "at_ms": 1},
    "/v1/campaigns/{campaign}/change": {"active": False, "who": "Ann", "reason": "over"},
    "/v1/rollouts/{number}/{action}": {"who": "Ann", "reason": "no"},
    "/v1/stores/{store}/items": {"items": []},
    "/v1/stores/{store}/planogram": {"facings": []},
    "/v1/stores/{store}/prices": {"prices": []},
    "/v1/stores/{store}/supply": {"lines": []},
    "/v1/stores/{store}/history": {"first_live_day": "2017-01-01", "rows": []},
    "/v1/stores/{store}/assortment": {"changes": [{"sku": "s", "change": "delist", "from_ms": 1}]},
    "/v1/stores/{store}/budget": {"cents_a_day": 1},
    "/v1/stores/{store}/replay": {"changes": {"service_level": 0.9}},
    "/v1/webhooks/{webhook}/secret": {},
    "/v1/suppliers/{supplier}/availability": {"rows": [{"sku": "s", "available_units": 1}]},
    "/v1/suppliers/{supplier}/arrivals": {"rows": [{"sku": "s", "day": "2017-09-06", "units": 1}]},
}
"""That pass where the name is known."""


def path_of(route: str, operation: dict[str, Any]) -> str:
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            route = route.replace(f"{{{one['name']}}}", GOOD[one["name"]])
    return route


def in_query(operation: dict[str, Any], *, required: bool = False) -> list[dict[str, Any]]:
    found = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
    return [one for one in found if one["required"] or not required]


def test_a_parameter_that_a_route_does_not_have_is_refused_and_the_nearest_named(api: Api) -> None:
    asks: list[Ask] = [
        (method, route, f"{path_of(route, operation)}?limmit=3", {} if "requestBody" in operation else None)
        for method, route, operation in api.operations
        if route not in ("/healthz", "/v1/gateways/{gateway}/batches")
    ]
    assert len(asks) > 60
    for asked in api.ask_all(Scope.ADMIN, asks):
        assert asked.status == 422, asked
        assert asked.detail.startswith("query.limmit is unknown"), asked
    [named, twice, probe] = api.ask_all(
        Scope.ADMIN,
        [
            ("GET", "", "/v1/triggers?statee=proposed", None),
            ("GET", "", "/v1/triggers?sku=a&sku=b", None),
            ("GET", "", "/healthz?now=1", None),
        ],
    )
    assert named.detail == (
        "query.statee is unknown to GET /v1/triggers; did you mean state? Known are after, limit, sku, state, store"
    )
    assert (twice.status, twice.detail) == (422, "query.sku stands 2 times; give it once")
    assert probe.status == 200


def test_a_parameter_of_a_wrong_type_is_named_with_what_it_was(api: Api) -> None:
    asks: list[Ask] = []
    names = []
    for method, route, operation in api.operations:
        for one in in_query(operation):
            kinds = [one["schema"], *one["schema"].get("anyOf", ())]
            if any(kind.get("type") in ("integer", "boolean") for kind in kinds):
                others = "".join(f"&{of['name']}=1" for of in in_query(operation, required=True) if of != one)
                body: dict[str, Any] | None = {} if "requestBody" in operation else None
                asks.append((method, route, f"{path_of(route, operation)}?{one['name']}=x!{others}", body))
                names.append(one["name"])
    assert len(asks) > 15
    for name, asked in zip(names, api.ask_all(Scope.ADMIN, asks), strict=True):
        assert asked.status == 422, asked
        assert f"query.{name}: Input should be" in asked.detail, asked
        assert "'x!'" in asked.detail, asked
        assert f"/openapi.json says what {asked.method} {asked.route} takes" in asked.detail


def test_fields_that_are_missing_are_named(api: Api) -> None:
    asks: list[Ask] = [
        (method, route, path_of(route, operation), {})
        for method, route, operation in api.operations
        if "requestBody" in operation and operation["requestBody"].get("required") and method == "PUT"
    ]
    assert len(asks) > 8
    for asked in api.ask_all(Scope.ADMIN, asks):
        if asked.status != 404:  # a body without fields may pass, and the store is not there
            assert (asked.status, asked.detail[:5]) == (422, "body."), asked
            assert "Field required" in asked.detail, asked
            assert "got None" not in asked.detail


def test_what_does_not_exist_is_named_with_where_to_look(api: Api) -> None:
    asks: list[Ask] = []
    for method, route, operation in api.operations:
        if "{" in route and not route.endswith("/batches"):
            query = "&".join(
                f"{one['name']}={n}" for n, one in enumerate(in_query(operation, required=True), 1)
            )
            asks.append(
                (method, route, f"{path_of(route, operation)}?{query}".rstrip("?"), BODIES.get(route))
            )
    unknown = [asked for asked in api.ask_all(Scope.ADMIN, asks) if asked.status == 404]
    assert len(unknown) > 20
    for asked in unknown:
        assert any(name in asked.detail for name in GOOD.values()), asked
        assert any(f"{verb} /v1/" in asked.detail for verb in ("GET", "PUT", "POST")), asked


def test_each_role_is_told_what_the_route_wants_or_what_it_reaches(api: Api) -> None:
    seen = 0
    for scope in api.tokens:
        asks: list[Ask] = [
            (method, route, path_of(route, operation), {} if "requestBody" in operation else None)
            for method, route, operation in api.operations
            if not in_query(operation, required=True) and not route.endswith("/batches")
        ]
        for asked in api.ask_all(scope, asks):
            assert asked.status < 500, asked
            if asked.status == 403:
                seen += 1
                assert "ask whoever runs the centre" in asked.detail, asked
                assert "; the route wants " in asked.detail or "reach" in asked.detail, asked
    assert seen > 100


def test_a_path_that_is_no_route_and_a_method_that_is_not_there_say_so(api: Api) -> None:
    nowhere, wrong = api.ask_all(
        Scope.ADMIN, [("GET", "", "/v1/trigers", None), ("DELETE", "", "/v1/triggers", None)]
    )
    assert (nowhere.status, nowhere.detail) == (
        404, "there is no route GET /v1/trigers; /openapi.json lists those that are",
    )  # fmt: skip
    assert (wrong.status, wrong.detail) == (
        405, "DELETE /v1/triggers is not possible there, only GET; /openapi.json says what each does",
    )  # fmt: skip

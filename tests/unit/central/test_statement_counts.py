"""A list asks the ledger as often for many shops as for few: no route reads store by store."""

import asyncio
import tempfile
from pathlib import Path

import httpx
from central_rows import START_MS, alert, level, proposal, receipt
from sqlalchemy import event
from test_ledger import Bench
from test_problem_walk import path_of

from central.access import Scope
from central.api.app import make_app
from central.auth import Authority
from central.context import Work
from central.ingestion import take_batch
from central.ledger import store_rows
from central.setup import create_token
from contract.api.stores import StorePut
from contract.batch import BatchRows, batch_from_records

FEW, MANY = 3, 8
READ_IN_PARTS = frozenset({"/v1/regions/outlook"})
"""Reads each shop's forecasts once, for a bounded time a question, and keeps what it made of them."""


def add_store(made: Bench, number: int) -> None:
    store = f"shop-{number}"

    def put(work: Work) -> None:
        said = StorePut(name="Shop", timezone="America/New_York", currency="USD", hours=[])
        store_rows.put_store(work.connection, store, said)
        work.store.exists = True
        rows = [level(1, 3, seq=1), receipt(1, seq=2), alert(seq=3), proposal(1, seq=4)]
        batch = batch_from_records(
            gateway=f"gw-{number}", store=store, epoch="e1", sent_at_ms=START_MS, have={}, rows=rows
        )
        take_batch(work, batch, BatchRows(tuple(rows), ()))

    made.run(put, store)


def statements(made: Bench) -> dict[str, int]:
    """Of each list and view of the API, asked a second time."""
    app = make_app(made.centre, Authority(made.ledger))
    token = create_token(made.settings, Scope.ADMIN, "admin")
    ran: list[str] = []
    counted: dict[str, int] = {}

    async def ask_all() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://centre", headers=headers
        ) as client:
            for route, methods in app.openapi()["paths"].items():
                if "get" not in methods or route in READ_IN_PARTS:
                    continue
                path = path_of(route, methods["get"]).replace("no-store", "shop-1")
                span = f"?from_ms={START_MS}&to_ms={START_MS + 86_400_000}"
                path += span if route.endswith(("/overview", "/hours", "/series")) else ""
                await client.get(path)
                ran.clear()
                reply = await client.get(path)
                assert reply.status_code in (200, 404), reply.text
                counted[route] = len(ran)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        ran.append(statement)

    event.listen(made.ledger.read, "before_cursor_execute", note)
    try:
        asyncio.run(ask_all())
    finally:
        event.remove(made.ledger.read, "before_cursor_execute", note)
    return counted


def test_no_route_asks_more_often_where_there_are_more_shops() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Bench(Path(folder))
        for number in range(1, FEW + 1):
            add_store(made, number)
        few = statements(made)
        for number in range(FEW + 1, MANY + 1):
            add_store(made, number)
        many = statements(made)
        made.ledger.close()
    assert len(few) > 25
    assert {route: n for route, n in many.items() if n > few.get(route, 0)} == {}

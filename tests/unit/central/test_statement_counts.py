"""A list asks the ledger as often for five hundred shops as for three: no route reads store by store, or campaign by campaign."""

import asyncio
import tempfile
from itertools import count
from pathlib import Path

import httpx
import sqlalchemy as sa
from central_rows import START_MS, alert, level, proposal, receipt
from sqlalchemy import event
from test_ledger import Bench, StandingClock
from test_problem_walk import path_of

from central import couponing
from central.access import Scope
from central.api.app import make_app
from central.auth import Authority
from central.board import BUDGET_S, Board
from central.centre import Centre
from central.context import CHAIN, Work
from central.ingestion import take_batch
from central.ledger import coupon_rows, store_rows, tables
from central.setup import create_token
from contract.api.offers import CampaignCause, CampaignPut
from contract.api.stores import StorePut
from contract.batch import BatchRows, batch_from_records

FEW, MANY = 3, 500
FEW_CAMPAIGNS, MANY_CAMPAIGNS = 2, 40


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


def copy_store(made: Bench, of: int, first: int, last: int) -> None:
    """Every row of a shop once more for each of the shops `first` to `last`."""
    store, gateway = f"shop-{of}", f"gw-{of}"
    with made.ledger.write.begin() as connection:
        for table in tables.metadata.sorted_tables:
            if "store_id" not in table.columns or table.name in ("assignments", "outgoing"):
                continue
            names = [column.name for column in table.columns]
            new = [
                f"replace(replace({name}, '{store}', 'shop-' || n.i), '{gateway}', 'gw-' || n.i)"
                if isinstance(table.columns[name].type, sa.Text)
                else name
                for name in names
            ]
            connection.execute(sa.text(
                f"""WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)
                INSERT INTO {table.name} ({", ".join(names)}) SELECT {", ".join(new)} FROM {table.name}, n WHERE store_id = :store"""
            ), {"first": first, "last": last, "store": store})  # fmt: skip


def add_campaigns(made: Bench, first: int, last: int) -> None:
    """Each with a member in either arm who bought something."""

    def put(work: Work) -> None:
        said = CampaignPut(
            cause=CampaignCause.SURPLUS, name="Too much", discount_percent=10, max_discount_cents=100, budget_cents=1000,
            starts_ms=0, ends_ms=START_MS,
        )  # fmt: skip
        for number in range(first, last + 1):
            found = couponing.put_campaign(work.connection, f"campaign-{number}", said, START_MS)
            arms = [(f"m{number}-1", "treated"), (f"m{number}-2", "holdout")]
            coupon_rows.assign(work.connection, found.campaign, "shop-1", arms, 0)

    made.run(put, CHAIN)


def statements(made: Bench) -> dict[str, int]:
    """Of each list and view of the API, asked a second time."""
    # Of many shops the board reads a slice a look: as much as its budget has time for by this clock, whatever the machine does.
    made.centre.board = Board(made.ledger, count(0.0, BUDGET_S * 0.4).__next__)
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
                if "get" not in methods:
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
        add_campaigns(made, 1, FEW_CAMPAIGNS)
        few = statements(made)
        copy_store(made, FEW, FEW + 1, MANY)
        add_campaigns(made, FEW_CAMPAIGNS + 1, MANY_CAMPAIGNS)
        made.centre = Centre(made.ledger, made.settings, StandingClock())
        many = statements(made)
        with made.ledger.read.connect() as connection:
            counted = [
                connection.execute(sa.text(f"SELECT count(*) FROM {of}")).scalar()
                for of in ("stores", "campaigns")
            ]
        made.ledger.close()
    assert counted == [MANY + 1, MANY_CAMPAIGNS]
    assert len(few) > 25
    assert {route: n for route, n in many.items() if n > few.get(route, 0)} == {}

"""A shop that opens after its chain's or region's calendar was put has it, too; a calendar of its own stays."""

import pytest
from ledger_kinds import SQLITE
from test_ledger import Bench, bench

from central import calendars, desired_state
from central.context import CHAIN
from central.core.audit_chain import Break
from central.core.calendars import CalendarRow, calendar_from_csv
from central.errors import SenderError
from central.kept_calendars import (
    adopt_calendars,
    follow_region,
    give_kept_calendar,
    keep_calendar,
    keep_rows,
    move_calendar,
)
from central.ledger import store_rows
from central.ledger.audit_check import verify_audit
from contract.api.stores import StorePut
from contract.calendar import Calendar

REGION = 'Ohio "valley"'


def calendar(name: str) -> Calendar:
    day = {"kind": "holiday", "from_day": "2026-12-25", "until_day": "2026-12-25", "name": name}
    return Calendar.model_validate({"from_day": "2026-12-01", "until_day": "2026-12-31", "days": [day]})


def rows(text: str) -> list[CalendarRow]:
    return [row.value for row in calendar_from_csv(f"kind,from_day,until_day,sku,name\n{text}\n").good]


def opened(centre: Bench, store: str, region: str = "") -> list[str]:
    """The names of the new shop's days and promotions, as its gateways get them."""
    put = StorePut(name=store, region=region, timezone="UTC", currency="USD", hours=[])

    def job(work):  # type: ignore[no-untyped-def]
        store_rows.put_store(work.connection, store, put)
        work.store.exists = True
        work.vouch_for_row("store", store)

    centre.run(job, store)
    return given(centre, store, region)


def given(centre: Bench, store: str, region: str = "") -> list[str]:
    centre.run(lambda work: give_kept_calendar(work, region, "Ann"), store)
    text = centre.run(lambda work: desired_state.document_text(work, calendars.KIND), store)
    found = None if text is None else calendars.calendar_in(text)
    return [] if found is None else [each.name for each in (*found.days, *found.promotions)]


def keep(centre: Bench, region: str | None, what: Calendar | list[CalendarRow]) -> None:
    if isinstance(what, Calendar):
        centre.run(lambda work: keep_calendar(work, region, what, "Ann"), CHAIN)
    else:
        centre.run(lambda work: keep_rows(work, region, what, "Ann"), CHAIN)


def breaks(centre: Bench) -> tuple[Break, ...]:
    with centre.ledger.read.connect() as connection:
        return verify_audit(connection).breaks


def test_a_new_shop_has_its_regions_calendar_else_the_chains() -> None:
    with bench(SQLITE) as centre:
        assert opened(centre, "early") == []
        keep(centre, None, calendar("Christmas"))
        keep(centre, REGION, rows("promotion,2026-12-14,2026-12-20,4011,Leaflet"))
        assert opened(centre, "of-chain") == ["Christmas"]
        assert opened(centre, "of-region", REGION) == ["Christmas", "Leaflet"]
        keep(centre, None, rows("event,2026-12-24,,,Eve"))
        assert opened(centre, "later", REGION) == ["Eve", "Christmas", "Leaflet"]
        centre.centre.memory.forget()  # as after a start
        keep(centre, None, calendar("New"))
        assert opened(centre, "latest", REGION) == ["New"], (
            "a whole calendar of the chain is the region's, too"
        )
        assert given(centre, "early") == ["New"], "a shop without any gets it when it is put again"
        assert breaks(centre) == ()


def test_a_calendar_of_its_own_stays() -> None:
    with bench(SQLITE) as centre:
        opened(centre, "own")
        centre.run(lambda work: calendars.put_calendar(work, calendar("Its own"), "Ann"), "own")
        keep(centre, None, calendar("Christmas"))
        assert given(centre, "own") == ["Its own"]


def test_what_is_kept_is_vouched_for() -> None:
    with bench(SQLITE) as centre:
        keep(centre, REGION, calendar("Christmas"))
        centre.change("UPDATE documents SET body = replace(body, 'Christmas', 'Easter') WHERE store_id = ''")
        [found] = breaks(centre)
        assert REGION in found.why


def test_more_than_a_calendar_holds_is_refused_and_leaves_what_was_there() -> None:
    with bench(SQLITE) as centre:
        keep(centre, None, calendar("Christmas"))
        every = [
            row
            for month in range(1, 13)
            for day in range(1, 29)
            for kind in ("holiday", "event", "payday")
            for row in rows(f"{kind},2027-{month:02}-{day:02},,,")
        ]
        with pytest.raises(SenderError, match="the chain for shops that open later would hold too much"):
            keep(centre, None, every)
        assert opened(centre, "next") == ["Christmas"]


def moved(
    centre: Bench, store: str, before: str, region: str, meanwhile: Calendar | None = None
) -> list[str]:
    """meanwhile: what the new region is given between the store's move and its second look."""
    found = centre.run(lambda work: move_calendar(work, before, region, "Ann"), store)
    if meanwhile is not None:
        keep(centre, region, meanwhile)
    centre.run(lambda work: follow_region(work, found, region, "Ann"), store)
    return given(centre, store, region)


def test_a_shop_that_changes_its_region_has_the_new_ones_calendar() -> None:
    with bench(SQLITE) as centre:
        keep(centre, None, calendar("Christmas"))
        keep(centre, REGION, calendar("Harvest"))
        assert opened(centre, "one", REGION) == ["Harvest"]
        assert moved(centre, "one", REGION, "west") == ["Christmas"], "nothing is kept of it but the chain's"
        assert moved(centre, "one", "west", REGION) == ["Harvest"]
        assert moved(centre, "one", REGION, "west", calendar("Regatta")) == ["Regatta"]
        assert breaks(centre) == ()


def test_a_shop_that_comes_to_a_region_of_which_nothing_is_kept_has_ordinary_days() -> None:
    with bench(SQLITE) as centre:
        keep(centre, REGION, calendar("Harvest"))
        assert opened(centre, "one", REGION) == ["Harvest"]
        assert moved(centre, "one", REGION, "west") == []
        text = centre.run(lambda work: desired_state.document_text(work, calendars.KIND), "one")
        assert calendars.calendar_in(text).until_day == "2026-12-31"


def test_a_calendar_of_its_own_moves_with_the_shop() -> None:
    with bench(SQLITE) as centre:
        keep(centre, REGION, calendar("Harvest"))
        keep(centre, "west", calendar("Regatta"))
        opened(centre, "own", REGION)
        centre.run(lambda work: calendars.put_calendar(work, calendar("Its own"), "Ann"), "own")
        assert moved(centre, "own", REGION, "west") == ["Its own"]


@pytest.mark.parametrize(("of_two", "kept"), [("Christmas", ["Christmas"]), ("Its own", [])])
def test_what_all_shops_had_alike_before_calendars_were_kept_is_kept(of_two: str, kept: list[str]) -> None:
    with bench(SQLITE) as centre:
        for store, name in (("one", "Christmas"), ("two", of_two)):
            opened(centre, store, REGION)
            centre.run(lambda work, n=name: calendars.put_calendar(work, calendar(n), "Ann"), store)
        centre.centre.memory.forget()  # as at a start
        for _ in range(2):
            centre.run(adopt_calendars, CHAIN)
        assert opened(centre, "later", REGION) == kept
        assert breaks(centre) == ()


def test_regions_that_differ_keep_each_their_own_and_one_shop_alone_speaks_for_none() -> None:
    with bench(SQLITE) as centre:
        for store, region, name in (("a", "east", "Fair"), ("b", "east", "Fair"), ("c", "west", "Regatta")):
            opened(centre, store, region)
            centre.run(lambda work, n=name: calendars.put_calendar(work, calendar(n), "Ann"), store)
        centre.run(adopt_calendars, CHAIN)
        assert opened(centre, "d", "east") == ["Fair"]
        assert opened(centre, "e", "west") == []
        keep(centre, "west", calendar("Put"))
        centre.run(adopt_calendars, CHAIN)
        assert opened(centre, "f", "west") == ["Put"]

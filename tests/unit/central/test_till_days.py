"""The books of a till's day: kept with each batch they are what the receipts and the tills say, however those come."""

import itertools
from collections import Counter
from typing import Any

import pytest
from central_rows import START_MS, day_close, receipt, sale
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from ledger_kinds import POSTGRESQL, SQLITE, on_both
from local_postgresql import why_absent
from test_ledger import STORE, Bench, bench

from central.core.days import day_after
from central.ledger.audit_check import verify_audit
from central.ledger.store_views import accounting
from central.setup import rebuild_rollups
from contract.devices import LineKind
from contract.records import DayCloseRecord, ReceiptRecord, Record, SoldLine

DAY = "2017-09-04"
ROWS = """SELECT register_id, business_date, receipts, lines, units, grams, cents, first_number, last_number, told_receipts,
    told_units, told_cents FROM till_days ORDER BY 1, 2"""
SOME = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip


def returned(number: int, units: int) -> SoldLine:
    return sale(number, 1, kind=LineKind.RETURN, quantity_units=units, extended_cents=-250 * units)


def voided(number: int, units: int) -> SoldLine:
    return sale(number, 1, kind=LineKind.VOID, quantity_units=units, extended_cents=-250 * units)


def weighed(grams: int) -> SoldLine:
    return sale(4, 1, quantity_units=0, quantity_g=grams, extended_cents=grams)


LINES = st.lists(
    st.one_of(
        st.builds(sale, st.integers(1, 3), st.integers(1, 5)),
        st.builds(returned, st.integers(1, 3), st.integers(1, 5)),
        st.builds(voided, st.integers(1, 3), st.integers(1, 5)),
        st.builds(weighed, st.integers(1, 900)),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def told(draw: st.DrawFn) -> list[Record]:
    """Receipts of two tills and three days with numbers left out, and closes of them, some told twice; in any order."""
    found: list[Record] = []
    for till, ahead in itertools.product(("till-1", "till-2"), range(3)):
        day, at_ms = day_after(DAY, ahead), START_MS + ahead * 86_400_000
        for number in draw(st.sets(st.integers(1, 30), max_size=3)):
            lines = draw(LINES)
            found.append(receipt(number, lines, at_ms=at_ms, register_id=till, business_date=day))
        for close in range(draw(st.integers(0, 2))):
            of = {"register_id": till, "business_date": day, "at_ms": at_ms + close}
            found.append(day_close(**of, receipts=draw(st.integers(0, 3)), cents=draw(st.integers(0, 500))))
    rows = draw(st.permutations(found))
    again = draw(st.lists(st.sampled_from(rows), max_size=4)) if rows else []
    return [row.model_copy(update={"seq": seq}) for seq, row in enumerate([*rows, *again], 1)]


def by_hand(rows: list[Record]) -> list[tuple[object, ...]]:
    """What the books must be, of the records alone: a receipt counts once, of several closes the latest."""
    receipts = {(r.register_id, r.business_date, r.sequence): r for r in rows if isinstance(r, ReceiptRecord)}
    closes: dict[tuple[str, str], DayCloseRecord] = {}
    for row in rows:
        if isinstance(row, DayCloseRecord):
            place = row.register_id, row.business_date
            closes[place] = max(closes.get(place, row), row, key=lambda one: one.at_ms)
    held: dict[tuple[str, str], Counter[str]] = {}
    numbers: dict[tuple[str, str], list[int]] = {}
    for (till, day, number), one in receipts.items():
        signs = [
            -1 if line.kind in (LineKind.RETURN, LineKind.VOID) else int(line.kind is LineKind.SALE)
            for line in one.lines
        ]
        sums = held.setdefault((till, day), Counter())
        sums.update(receipts=1, lines=len(one.lines), cents=one.total_cents)
        sums.update(
            units=sum(s * line.quantity_units for s, line in zip(signs, one.lines, strict=True)),
            grams=sum(s * line.quantity_g for s, line in zip(signs, one.lines, strict=True)),
        )
        numbers.setdefault((till, day), []).append(number)
    found: list[tuple[object, ...]] = []
    for place in sorted(held.keys() | closes.keys()):
        sums, of, close = held.get(place, Counter()), numbers.get(place), closes.get(place)
        told_of = (None,) * 3 if close is None else (close.receipts, close.units, close.cents)
        found.append(
            (*place, *(sums[name] for name in ("receipts", "lines", "units", "grams", "cents")),
             *((None, None) if of is None else (min(of), max(of))), *told_of)
        )  # fmt: skip
    return found


def check(kind: str, rows: list[Record], cuts: list[int]) -> None:
    with bench(kind) as centre:
        places = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
        for first, last in itertools.pairwise(places):
            centre.send(rows[first:last])
            if cuts and cuts[0] % 2:
                centre.send(rows[first:last])  # the answer was lost
        kept = centre.rows(ROWS)
        assert kept == by_hand(rows)
        assert verify(centre) == ()
        list(rebuild_rollups(centre.settings))
        assert centre.rows(ROWS) == kept


def verify(centre: Bench) -> tuple[str, ...]:
    with centre.ledger.read.connect() as connection:
        return tuple(broken.why for broken in verify_audit(connection).breaks)


RETURNED = [
    receipt(7, [sale(1, 2), returned(1, 5), voided(2, 1)]), day_close(receipts=1, lines=3, units=-4, cents=-1000),
    receipt(3), receipt(7, [sale(1, 2), returned(1, 5), voided(2, 1)]),
]  # fmt: skip
EXAMPLE = [row.model_copy(update={"seq": seq}) for seq, row in enumerate(RETURNED, 1)]


@SOME
@example(EXAMPLE, [1, 2])
@given(told(), st.lists(st.integers(0, 40), max_size=3))
def test_kept_books_are_those_of_all_receipts_and_closes_in_any_order(
    rows: list[Record], cuts: list[int]
) -> None:
    check(SQLITE, rows, cuts)


@pytest.mark.skipif(bool(why_absent()), reason=why_absent())
@settings(SOME, max_examples=1)
@example(EXAMPLE, [1, 2])
@given(told(), st.lists(st.integers(0, 40), max_size=3))
def test_kept_books_are_those_of_all_receipts_and_closes_on_postgresql(
    rows: list[Record], cuts: list[int]
) -> None:
    check(POSTGRESQL, rows, cuts)


CHANGES = (
    "UPDATE receipts SET total_cents = total_cents - 100 WHERE sequence = 2",
    "DELETE FROM receipts WHERE sequence = 1",
    "UPDATE till_days SET units = units + 1",
    "UPDATE day_closes SET cents = 750",
    "DELETE FROM till_days",
)


@pytest.mark.soak
@settings(SOME, max_examples=300)
@given(told(), st.lists(st.integers(0, 40), max_size=3))
def test_kept_books_are_right_in_many_orders(rows: list[Record], cuts: list[int]) -> None:
    check(SQLITE, rows, cuts)


@on_both
def test_one_side_that_was_changed_beside_the_centre_shows(kind: str) -> None:
    with bench(kind) as centre:
        rows = [receipt(1), receipt(2), day_close(receipts=2, lines=2, units=2, cents=500)]
        centre.send([row.model_copy(update={"seq": seq}) for seq, row in enumerate(rows, 1)])
        assert verify(centre) == ()
        for change in CHANGES:
            centre.change(change)
            [why] = verify(centre)
            assert "till-1" in why, change
            assert DAY in why, change
            list(rebuild_rollups(centre.settings))
            assert verify(centre) == (), change


@on_both
def test_days_that_differ_are_named_where_not_all_can_be_and_all_are_counted(kind: str) -> None:
    with bench(kind) as centre:
        rows: list[Record] = []
        for ahead in range(6):
            day: dict[str, Any] = {
                "business_date": day_after(DAY, ahead),
                "at_ms": START_MS + ahead * 86_400_000,
            }
            rows += [receipt(1, **day), receipt(4, **day)]
            if ahead < 5:
                rows.append(day_close(**day, receipts=2, lines=2, units=2, cents=501 if ahead == 1 else 500))
        centre.send([row.model_copy(update={"seq": seq}) for seq, row in enumerate(rows, 1)])
        with centre.ledger.read.connect() as connection:
            few, every, none, nobody = (
                accounting(connection, stores, limit)
                for stores, limit in (([STORE], 3), (None, 5), (None, 0), (["store-9"], 5))
            )
        assert [(day.business_date, day.missing_numbers) for day in few.days] == [(day_after(DAY, 1), 2)]
        assert [(day.business_date, day.balanced) for day in every.days] == [
            (day_after(DAY, ahead), ahead != 1) for ahead in (4, 3, 2, 1, 0)
        ]
        assert (few.closed_days, few.wrong_days, few.open_days, few.missing_numbers) == (5, 1, 1, 10)
        assert (few.receipts.ledger, few.cents.tills, few.cents.ledger) == (10, 2501, 2500)
        assert few.model_copy(update={"days": []}) == none == every.model_copy(update={"days": []})
        assert (nobody.balanced, nobody.closed_days, nobody.days) == (True, 0, [])

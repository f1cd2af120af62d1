"""A supplier's calendar as it is typed: right, or wrong at the field."""

from dataclasses import replace

import pytest
from fake_rows import supplier_views
from fake_shops import NOW_MS

from contract.api.suppliers import SupplierPut
from hq.calendar_form import NEW, calendar_of, consequence, typed_from

RIGHT = replace(NEW, supplier="fresh-co", name="Fresh & Co", timezone="Europe/Berlin")


def test_what_is_shown_and_saved_unchanged_is_the_same_calendar():
    for view in supplier_views(NOW_MS):
        made = calendar_of(typed_from(view))
        assert isinstance(made, SupplierPut)
        assert made == SupplierPut.model_validate(view.model_dump(include=set(SupplierPut.model_fields)))


def test_holidays_are_sorted_and_stand_once_however_they_are_typed():
    made = calendar_of(replace(RIGHT, closed_days="2026-12-26, 2026-12-25\n\n2026-12-26 "))
    assert isinstance(made, SupplierPut)
    assert made.closed_days == ["2026-12-25", "2026-12-26"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("supplier", "Fresh Co"), ("supplier", ""), ("name", "  "), ("timezone", "Berlin"), ("timezone", ""),
        ("timezone", "../etc/passwd"), ("order_weekdays", ()), ("delivery_weekdays", ()), ("cutoff", "25:00"), ("cutoff", ""),
        ("freeze_min", 1441), ("freeze_min", None), ("lead_time_days", 1.5), ("lead_time_days", -1), ("lead_time_days", None),
        ("emergency_lead_days", 22), ("closed_days", "2026-02-30"), ("closed_days", "Christmas"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_alone(field, value):
    found = calendar_of(replace(RIGHT, **{field: value}))
    assert isinstance(found, dict)
    assert list(found) == [field]


def test_all_that_is_wrong_is_said_at_once():
    found = calendar_of(replace(RIGHT, name="", cutoff="noon", lead_time_days=None))
    assert isinstance(found, dict)
    assert set(found) == {"name", "cutoff", "lead_time_days"}


def test_the_consequence_is_told_before_the_click():
    made = calendar_of(RIGHT)
    assert isinstance(made, SupplierPut)
    assert consequence(None, made, 0) == (
        "Orders are held and merged until 14:00 Berlin time on 5 days a week; the goods are in the shop 1 day later, or with "
        "the next lorry. Until now its orders went out as soon as they were approved."
    )
    assert consequence(made, made, 3).endswith("3 orders held for the cut-off of before go out then.")

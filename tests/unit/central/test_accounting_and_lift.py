import pytest

from central.core.accounting import TillDay, Totals
from central.core.evidence import decide_again, target_note
from central.ledger.campaign_views import lift_interval

TILL = Totals(3, 9, 12, 0, 2500)


def day(held: Totals, told: Totals | None = TILL, last_number: int | None = 3) -> TillDay:
    return TillDay("store-1", "till-1", "2017-09-04", held, told, 1 if last_number else None, last_number)


def test_equal_sides_balance_whatever_a_scale_said() -> None:
    assert day(TILL).is_balanced
    assert day(Totals(3, 9, 12, 250, 2500)).is_balanced


@pytest.mark.parametrize(
    "held", [Totals(2, 9, 12, 0, 2500), Totals(3, 8, 12, 0, 2500), Totals(3, 9, 13, 0, 2500), Totals(3, 9, 12, 0, 2499)]
)  # fmt: skip
def test_any_difference_unbalances_the_books(held: Totals) -> None:
    assert not day(held).is_balanced


def test_an_open_day_is_not_balanced_yet_and_an_empty_one_that_closed_is() -> None:
    assert not day(TILL, told=None).is_balanced
    assert day(Totals(), told=Totals(), last_number=None).is_balanced


def test_numbers_between_the_first_and_the_last_receipt_that_nobody_told_are_missing() -> None:
    assert [day(TILL, last_number=last).missing_numbers for last in (None, 3, 9)] == [0, 0, 6]


def test_lift_is_unknown_while_an_arm_is_small_and_has_its_interval_after() -> None:
    assert lift_interval((1000, 5000.0, 30_000.0), (29, 10.0, 10.0)) is None
    lift = lift_interval((100, 1000.0, 14_950.0), (100, 500.0, 7_450.0))
    assert lift is not None
    assert lift[0] == pytest.approx(5.0)
    assert lift[1] < 5.0 < lift[2]
    assert lift[2] - lift[0] == pytest.approx(1.96 * (2 * (4950 / 99) / 100) ** 0.5, rel=1e-3)


def test_inputs_of_an_unknown_form_are_an_error_to_the_caller() -> None:
    with pytest.raises(KeyError):
        decide_again({})


def test_a_target_that_differs_is_said() -> None:
    assert target_note(24.0, 24.001) == ""
    assert "gateway said 24.00" in target_note(24.0, 30.0)

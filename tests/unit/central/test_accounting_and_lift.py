import pytest

from central.core.accounting import Totals, balance_books
from central.core.evidence import decide_again, target_note
from central.ledger.campaign_views import lift_interval

KEY = ("store-1", "till-1", "2017-09-04")
TILL = Totals(3, 9, 12, 2500)


def test_equal_books_balance_and_open_days_are_counted_apart() -> None:
    books = balance_books({KEY: TILL}, {KEY: TILL, ("store-1", "till-1", "2017-09-05"): TILL}, 0)
    assert (books.balanced, books.open_days, books.cents.tills, books.cents.ledger) == (True, 1, 2500, 2500)


@pytest.mark.parametrize(
    "ledger", [Totals(2, 9, 12, 2500), Totals(3, 8, 12, 2500), Totals(3, 9, 13, 2500), Totals(3, 9, 12, 2499)]
)
def test_any_difference_unbalances_the_books(ledger: Totals) -> None:
    assert not balance_books({KEY: TILL}, {KEY: ledger}, 0).balanced


def test_a_closed_day_without_any_receipt_in_the_ledger_is_a_loss() -> None:
    books = balance_books({KEY: TILL}, {}, 0)
    assert (books.balanced, books.receipts.ledger) == (False, 0)


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

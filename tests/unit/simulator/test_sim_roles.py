from random import Random

from contract.devices import EslResult, LineKind, ReceiptLine
from simulator.devices.roles import EslBase, Till
from simulator.devices.shelf import DRIFT_SD_G, ShelfBoard
from simulator.world_events import ReceiptRung

DAY_START_MS = 1_504_501_200_000
LINES = (ReceiptLine(kind=LineKind.SALE, quantity_units=2, extended_cents=398),)


class Emitted(list):
    def __call__(self, cls, at_ms, **fields):
        self.append(
            cls(device="d", boot_id="b", seq=len(self) + 1, t_device_ms=0, t_event_ms=at_ms, **fields)
        )


def _rung(at_ms=DAY_START_MS + 1000):
    return ReceiptRung(at_ms, "till-1", "m-1", LINES)


def test_a_till_numbers_receipts_from_one_each_day_and_closes_with_its_own_sums():
    emitted = Emitted()
    till = Till("till-1", emitted)
    till.ring(_rung())
    till.ring(_rung())
    till.close_day("2017-09-04", DAY_START_MS + 86_400_000)
    till.ring(_rung(DAY_START_MS + 86_400_001))
    assert [(event.stream, getattr(event, "sequence", None)) for event in emitted] == [
        ("receipt", 1),
        ("receipt", 2),
        ("day_close", None),
        ("receipt", 1),
    ]
    close = emitted[2]
    assert (close.receipts, close.lines, close.units, close.cents) == (2, 2, 4, 796)
    assert emitted[3].business_date == "2017-09-05"
    assert till.totals.receipts == 3


def _price(tag="tag-01", content="h1", command="c-1"):
    return (
        f'{{"command_id": "{command}", "tag": "{tag}", "sku": "1", "name": "Soup", "price_cents": 99, "currency": "USD",'
        f' "content_hash": "{content}"}}'
    ).encode()


def _base(seed=1):
    emitted = Emitted()
    return EslBase(("tag-01", "tag-02"), emitted, lambda: DAY_START_MS, Random(seed)), emitted


def test_a_label_draws_a_new_price_and_answers_unchanged_to_the_same():
    base, emitted = _base()
    base.obey("price", _price())
    base.obey("price", _price(command="c-2"))
    assert [event.result for event in emitted] == [EslResult.DISPLAYED, EslResult.UNCHANGED]
    assert base.shown["tag-01"].price_cents == 99


def test_a_label_that_does_not_answer_keeps_its_old_price():
    base, emitted = _base()
    base._rng = type("Never", (), {"random": lambda self: 0.0})()
    base.obey("price", _price())
    assert (emitted[0].result, emitted[0].content_hash, base.shown) == (EslResult.FAILED, "", {})


def test_an_unknown_label_fails_and_a_malformed_command_is_counted():
    base, emitted = _base()
    base.obey("price", _price(tag="tag-99"))
    base.obey("price", b'{"tag": 3}')
    base.obey("reboot", b"{}")
    assert [event.result for event in emitted] == [EslResult.FAILED]
    assert base.bad_commands == 1


def test_every_label_checks_in_once_in_three_days():
    base, emitted = _base()
    for hour in range(72):
        base.check_in(DAY_START_MS + hour * 3_600_000)
    assert sorted(event.tag for event in emitted) == ["tag-01", "tag-02"]


def _board(shop, seed=1):
    emitted = Emitted()
    places = {place: plan for place, plan in enumerate(shop.cells) if plan.device == "shelf-1"}
    return ShelfBoard(places, emitted, Random(seed)), emitted, places


def test_a_pick_shakes_the_cell_before_it_settles(shop):
    board, emitted, places = _board(shop)
    board.touched(0, 5000.0, 4500.0, 10_000)
    board.release(10_500)
    assert [event.readings[0].stable for event in emitted] == [False]
    board.release(20_000)
    readings = [event.readings[0] for event in emitted]
    assert [reading.stable for reading in readings[-1:]] == [True]
    assert readings[-1].age_ms == 20_000 - 11_800
    assert abs(readings[-1].weight_g - places[0].tare_g - 4500.0) < 15


def test_the_heartbeat_reads_every_cell_but_the_restless(shop):
    board, emitted, places = _board(shop)
    board.touched(0, 5000.0, 4500.0, 10_000)
    board.read_all(dict.fromkeys(places, 100.0), 10_100)
    board.release(10_100)
    cells = [reading.cell for event in emitted for reading in event.readings]
    assert len(cells) == len(places) - 1
    assert all(reading.stable for event in emitted for reading in event.readings)


def test_drift_stays_within_a_few_grams_for_weeks(shop):
    board, emitted, places = _board(shop)
    for hour in range(24 * 28):
        board.read_all(dict.fromkeys(places, 0.0), hour * 3_600_000)
    board.release(24 * 28 * 3_600_000)
    errors = [
        reading.weight_g - places[0].tare_g
        for event in emitted
        for reading in event.readings
        if reading.cell == "c01"
    ]
    assert max(abs(error) for error in errors) < 8 * DRIFT_SD_G
    assert abs(sum(errors) / len(errors)) < DRIFT_SD_G

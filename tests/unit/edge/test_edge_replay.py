"""What a replay of the quarantine sends: each device message once for ever, and nothing that no device said."""

import json

import pytest

from contract.topics import stream_topic_from_text
from edge.core.devices import MAX_ABOVE, MAX_BOOTS, Admission, Devices
from edge.core.intake import TOO_MANY_DEVICES
from edge.quarantine import Quarantined, Redrive, plan_replay, summary_of


def _row(number: int, payload: object = None, **changes: object) -> Quarantined:
    body = {"device": "till-1", "boot_id": "b1", "seq": number} if payload is None else payload
    values = {"row_id": number, "at_ms": 1, "source": "till-1", "stream": "adjustment", "reason": "bad",
              "payload": body if isinstance(body, bytes) else json.dumps(body).encode(), **changes}  # fmt: skip
    return Quarantined(**values)  # type: ignore[arg-type]


def _admissions(devices: Devices, planned: Redrive) -> list[Admission]:
    found = []
    for topic, payload in planned.messages:
        body = json.loads(payload)
        device = stream_topic_from_text(topic).device
        found.append(devices.admit(device, body["boot_id"], body["seq"], body["kept_from_seq"], 1))
    return found


def test_a_message_counts_once_however_often_it_is_replayed() -> None:
    devices, rows = Devices(), [_row(number) for number in (3, 7, 8)]
    assert _admissions(devices, plan_replay(rows)) == [Admission.NEW] * 3
    assert _admissions(devices, plan_replay(rows)) == [Admission.DUPLICATE] * 3
    assert _admissions(devices, plan_replay(rows, {7})) == [Admission.DUPLICATE]


def test_one_row_alone_does_not_give_up_those_before_it() -> None:
    devices, rows = Devices(), [_row(number) for number in range(1, 1000)]
    assert _admissions(devices, plan_replay(rows, {990})) == [Admission.NEW]
    assert _admissions(devices, plan_replay(rows, {5})) == [Admission.NEW]


def test_the_whole_quarantine_of_one_device_is_admitted_and_its_own_boot_stays_known() -> None:
    devices = Devices()
    assert devices.admit("till-1", "b1", 1, 1, 1) is Admission.NEW
    rows = [_row(number) for number in range(5001, 15_001)]  # as many as are kept, numbered after years
    assert set(_admissions(devices, plan_replay(rows))) == {Admission.NEW}
    assert devices.admit("till-1", "b1", 1, 1, 1) is Admission.DUPLICATE
    boots = devices.rows.by_key["till-1"].boots
    assert len(boots) < MAX_BOOTS
    assert max(len(boot.above) for boot in boots) < MAX_ABOVE


def test_the_same_bytes_kept_twice_go_out_once_also_when_only_the_second_is_asked_for() -> None:
    rows = [_row(1, b"no json"), _row(2, b"no json")]
    assert [payload for _, payload in plan_replay(rows).messages] == [b"no json"]
    again = plan_replay(rows, {2})
    assert again.messages == []
    assert again.left_out == {"kept twice, sent once": 1}


def test_what_was_never_dealt_with_goes_out_as_it_came() -> None:
    """Its device still has it: under another identity it would count twice."""
    row = _row(4, reason=TOO_MANY_DEVICES)
    assert plan_replay([row]).messages == [("shelfloop/1/till-1/adjustment", row.payload)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": "central", "stream": "prices"}, "no device's message"),
        ({"source": "unknown", "stream": ""}, "no device's message"),
        ({"source": "BAD/../x"}, "no device's message"),
        ({"source": "outbox e1 7", "stream": "receipt"}, "the centre refused it and shows it as such"),
        ({"stream": "rejected"}, "a bridge's report: the message itself stayed with its device"),
    ],
)
def test_what_no_device_said_is_left_out_and_told(changes: dict[str, object], why: str) -> None:
    planned = plan_replay([_row(1, **changes)])
    assert planned.messages == []
    assert planned.left_out == {why: 1}


def test_a_payload_that_is_no_object_goes_out_unchanged() -> None:
    deep = b"[" * 100_000
    assert [payload for _, payload in plan_replay([_row(1, [1]), _row(2, deep)]).messages] == [b"[1]", deep]


def test_the_summary_counts_by_source_stream_and_reason_and_is_printable() -> None:
    lines = list(summary_of([_row(1), _row(2), _row(3, reason="odd\n\x1b[31m")]))
    assert lines == ["     2  till-1  adjustment  bad", r"     1  till-1  adjustment  odd\x0a\x1b[31m"]

"""Which events count once: positions per device and boot."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.core.devices import MAX_ABOVE, MAX_DEVICES, QUIET_DEVICE_MS, Admission, Devices, Missed

NEW, DUPLICATE = Admission.NEW, Admission.DUPLICATE


def admit(devices, seq, kept=1, boot="b", device="till-1"):
    return devices.admit(device, boot, seq, kept, 1000)


def test_an_event_counts_once():
    devices = Devices()
    assert [admit(devices, seq) for seq in (1, 2, 2, 1, 3)] == [NEW, NEW, DUPLICATE, DUPLICATE, NEW]
    assert devices.through_seq("till-1", "b") == 3


def test_stored_never_passes_an_event_that_is_still_to_come():
    devices = Devices()
    admit(devices, 1)
    admit(devices, 3)
    assert devices.through_seq("till-1", "b") == 1
    admit(devices, 2)
    assert devices.through_seq("till-1", "b") == 3


def test_what_the_device_no_longer_keeps_is_not_waited_for():
    devices = Devices()
    admit(devices, 1)
    admit(devices, 5, kept=5)
    assert devices.through_seq("till-1", "b") == 5


def test_what_a_device_kept_once_and_we_do_not_know_is_a_loss():
    """We said `stored` and forgot it (a log that lost its end), or its journal ran over: only its numbers show that."""
    devices = Devices()
    admit(devices, 1)
    admit(devices, 4)
    assert devices.missed == []
    admit(devices, 9, kept=7)
    assert devices.missed == [Missed("till-1", "b", 7, 4)]  # 2, 3, 5 and 6
    admit(devices, 9, kept=7)
    assert len(devices.missed) == 1
    assert admit(devices, 7, kept=7) is NEW  # still to come when 9 came
    devices.rows.by_key["till-1"].kind = "shelf"
    admit(devices, 30, kept=30)
    assert len(devices.missed) == 1  # weights are state


def test_a_device_that_keeps_nothing_misses_nothing():
    devices = Devices()
    admit(devices, 1, kept=None)
    admit(devices, 500, kept=None)
    assert devices.missed == []


def test_after_our_database_was_lost_the_kept_events_are_still_new():
    devices = Devices()
    assert admit(devices, 100, kept=90) is NEW
    assert devices.through_seq("till-1", "b") == 89
    assert [admit(devices, seq, kept=90) for seq in range(90, 100)] == [NEW] * 10
    assert devices.through_seq("till-1", "b") == 100


def test_a_new_boot_counts_from_one_again():
    devices = Devices()
    admit(devices, 1, boot="a")
    assert admit(devices, 1, boot="b") is NEW


def test_holes_of_a_device_that_keeps_nothing_are_given_up_after_a_while():
    devices = Devices()
    for seq in (1, 2, 4, *range(5, 200)):
        admit(devices, seq, kept=None)
    assert devices.through_seq("till-1", "b") == 199
    assert admit(devices, 3, kept=None) is DUPLICATE


def test_too_many_events_above_a_hole_are_deferred_not_lost():
    devices = Devices()
    admit(devices, 1)
    for seq in range(3, 3 + MAX_ABOVE):
        assert admit(devices, seq) is NEW
    late = 3 + MAX_ABOVE
    assert admit(devices, late) is Admission.DEFERRED
    assert admit(devices, 2) is NEW
    assert admit(devices, late) is NEW
    assert devices.through_seq("till-1", "b") == late


def test_devices_are_bounded():
    devices = Devices()
    for number in range(MAX_DEVICES):
        admit(devices, 1, device=f"d-{number}")
    assert admit(devices, 1, device="one-more") is Admission.REFUSED


@settings(deadline=None)
@given(st.data(), st.integers(1, 40))
def test_any_order_with_resends_counts_each_event_once(data, count):
    """Order, duplicates and a device that forgets what is stored; a restart from saved rows changes nothing."""
    devices = Devices()
    order = data.draw(st.permutations(list(range(1, count + 1)) * 2))
    kept, accepted = 1, []
    for seq in order:
        if admit(devices, seq, kept=kept) is NEW:
            accepted.append(seq)
        through = devices.through_seq("till-1", "b")
        assert all(seq in accepted for seq in range(1, through + 1))
        kept = data.draw(st.sampled_from([kept, through + 1]))
        if data.draw(st.booleans()):
            again = Devices()
            for _, key, text in devices.changed():
                again.rows.restore(key, text)
            devices = again
    assert sorted(accepted) == list(range(1, count + 1))
    assert devices.through_seq("till-1", "b") == count


def test_a_bridge_that_beats_hourly_is_never_silent_even_while_the_shop_is_closed():
    devices, hour_ms = Devices(), 3_600_000
    for hour in range(72):
        devices.admit("bridge-1", "b1", hour + 1, None, hour * hour_ms)
        assert devices.silent((hour + 1) * hour_ms) == []
    assert devices.silent(72 * hour_ms + QUIET_DEVICE_MS) == ["bridge-1"]

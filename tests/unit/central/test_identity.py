"""Two boxes with one key: one of them speaks."""

from central.core.identity import LEASE_MS, MAX_REPLACED, Identities


def test_a_restart_takes_over_and_its_predecessor_never_speaks_again():
    identities = Identities()
    assert not identities.is_refused("gw-1", "a", 0)
    assert not identities.is_refused("gw-1", "b", 10)
    assert identities.is_refused("gw-1", "a", 20)  # a second box, or a request that was long on its way
    assert not identities.is_refused("gw-1", "b", 30)


def test_the_refused_box_takes_over_once_the_other_is_silent():
    identities = Identities()
    for run, now_ms in (("a", 0), ("b", 10)):
        assert not identities.is_refused("gw-1", run, now_ms)
    assert identities.is_refused("gw-1", "a", LEASE_MS)
    assert not identities.is_refused("gw-1", "a", LEASE_MS + 10)
    assert identities.is_refused("gw-1", "b", LEASE_MS + 20)


def test_identities_do_not_meet_and_a_stranger_without_a_run_is_let_in():
    identities = Identities()
    assert not identities.is_refused("gw-1", "a", 0)
    assert not identities.is_refused("gw-2", "b", 0)
    assert not identities.is_refused("gw-1", "a", 1)
    assert not identities.is_refused("gw-1", None, 1)


def test_no_more_is_kept_than_is_needed():
    identities = Identities()
    for run in range(1000):
        assert not identities.is_refused("gw-1", f"r{run}", run)
    assert len(identities._by_gateway["gw-1"].replaced) == MAX_REPLACED

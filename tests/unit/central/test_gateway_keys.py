"""Gateways' keys in bulk: found without the ledger, and gone when they were replaced."""

import time
from pathlib import Path

import pytest

from central import gateway_keys
from central.auth import GATEWAY_PREFIX, Authority, hash_of, new_secret
from central.errors import UnauthorizedError
from central.ledger import credentials
from central.ledger.engine import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    made.create()
    return made


def put_key(ledger: Ledger, gateway: str) -> str:
    secret = new_secret(GATEWAY_PREFIX)
    with ledger.write.begin() as connection:
        assert credentials.put_gateway(connection, gateway, "store-1", hash_of(secret), 0) is None
    return secret


def test_keys_of_all_gateways_are_known_after_one_of_them_came(ledger: Ledger) -> None:
    first, second = put_key(ledger, "gw-1"), put_key(ledger, "gw-2")
    authority = Authority(ledger)
    assert authority.principal(f"Bearer {first}").gateway == "gw-1"
    found = authority.known(f"Bearer {second}")
    assert found is not None
    assert (found.gateway, found.store) == ("gw-2", "store-1")


def test_a_key_that_was_made_later_works_at_its_first_use(ledger: Ledger) -> None:
    authority = Authority(ledger)
    assert authority.principal(f"Bearer {put_key(ledger, 'gw-1')}").gateway == "gw-1"
    assert authority.principal(f"Bearer {put_key(ledger, 'gw-2')}").gateway == "gw-2"


def test_a_replaced_key_works_no_longer_than_said(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    old = put_key(ledger, "gw-1")
    authority = Authority(ledger)
    assert authority.principal(f"Bearer {old}").gateway == "gw-1"
    new = put_key(ledger, "gw-1")
    began_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began_s + gateway_keys.FRESH_S + 0.1)
    with pytest.raises(UnauthorizedError):
        authority.principal(f"Bearer {old}")
    assert authority.principal(f"Bearer {new}").gateway == "gw-1"


def test_a_key_in_use_is_looked_at_again_before_it_is_too_old(ledger: Ledger) -> None:
    """The look is a thread's: nobody waits for it, and it is one however many ask."""
    old = put_key(ledger, "gw-1")
    keys = gateway_keys.GatewayKeys(ledger)
    assert keys.find_now(hash_of(old)) is not None
    new = put_key(ledger, "gw-1")
    keys._looked_s -= gateway_keys.RENEW_S  # half of its time is over
    deadline = time.monotonic() + 30
    while keys.find(hash_of(new)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert keys.find(hash_of(new)) is not None
    assert keys.find(hash_of(old)) is None

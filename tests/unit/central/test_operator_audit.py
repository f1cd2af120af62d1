"""What the command line changes stands in the audit, beside a centre that runs."""

from pathlib import Path

import pytest
from central_rows import START_MS
from ledger_kinds import on_both
from test_ledger import GATEWAY, STORE, Bench, bench

from central.__main__ import main
from central.access import Reach
from central.auth import hash_of
from central.context import CHAIN, Work
from central.ledger import people
from central.ledger.audit_check import verify_audit
from central.operator_work import OPERATOR
from central.passwords import NO_PASSWORD, is_password
from central.setup import (
    add_gateway,
    create_token,
    make_link,
    put_person,
    rebuild_rollups,
    remove_person,
    revoke_token,
    rewrite_series,
)
from runtime.clock import SystemClock
from runtime.errors import OperatorError


def entries(made: Bench) -> list[tuple[object, ...]]:
    """By whom; the centre's own are about the rows that these changed."""
    return made.rows(
        "SELECT who, action, subject, reason FROM audit WHERE store_id = '' AND who <> 'the centre' ORDER BY number"
    )


def centre_notes(made: Bench, subject: str) -> None:
    """The running centre, which has the chain in memory, adds an entry of its own."""
    transaction = made.centre.writer.transaction(START_MS)
    try:
        made.centre.store_job(CHAIN, lambda work: note(work, subject))(transaction)
        transaction.commit()
    finally:
        transaction.close()


def note(work: Work, subject: str) -> None:
    work.audit("Ann", "log-in", subject)


@on_both
def test_each_command_is_an_entry_between_those_of_the_running_centre(kind: str) -> None:
    with bench(kind) as made:
        settings = made.settings
        before = len(entries(made))
        centre_notes(made, "first")
        add_gateway(settings, STORE, "gw-2")
        token = create_token(settings, "system", "erp", days=30, reach=Reach(regions=("north",)))
        centre_notes(made, "second")
        put_person(settings, "Ann", "store", "a long password", reach=Reach(stores=(STORE,)))
        code = make_link(settings, "Ann")
        revoke_token(settings, "erp")
        revoke_token(settings, "erp")  # none is left: nothing was changed
        remove_person(settings, "Ann")
        remove_person(settings, "Ann")
        rewrite_series(settings)
        assert [store for store, _ in rebuild_rollups(settings)] == [STORE]
        centre_notes(made, "third")
        assert entries(made)[before:] == [
            ("Ann", "log-in", "first", ""),
            (OPERATOR, "add-gateway", "gw-2", f"store {STORE}: a new key"),
            (OPERATOR, "create-token", "erp", "system, region north, for 30 days"),
            ("Ann", "log-in", "second", ""),
            (OPERATOR, "put-person", "Ann", f"store, store {STORE}"),
            (OPERATOR, "make-link", "Ann", "opens one session within 15 minutes"),
            (OPERATOR, "revoke-tokens", "erp", "1 of this name"),
            (OPERATOR, "remove-person", "Ann", ""),
            (OPERATOR, "rewrite-series", "all", ""),
            (OPERATOR, "rebuild-rollups", "all", ""),
            ("Ann", "log-in", "third", ""),
        ]
        with made.ledger.read.connect() as connection:
            assert verify_audit(connection).breaks == ()
        kept = str(made.rows("SELECT * FROM audit"))
        assert token not in kept
        assert code not in kept
        made.change("DELETE FROM audit WHERE action = 'create-token' AND subject = 'erp'")
        with made.ledger.read.connect() as connection:
            assert [broken.store for broken in verify_audit(connection).breaks] == [CHAIN]


def test_a_command_that_is_refused_changes_nothing_and_leaves_no_entry(tmp_path: Path) -> None:
    made = Bench(tmp_path)
    before = entries(made)
    for store, gateway in (("store-2", GATEWAY), ("Bad", "gw-3")):
        with pytest.raises(OperatorError, match=gateway if store == "store-2" else store):
            add_gateway(made.settings, store, gateway)
    assert entries(made) == before
    made.ledger.close()


def test_who_has_no_password_comes_in_by_a_link_and_by_no_password(tmp_path: Path) -> None:
    made = Bench(tmp_path)
    config = tmp_path / "central.toml"
    config.write_text(f'state_dir = "{tmp_path}"\n')
    link = tmp_path / "link"
    words = [
        "person",
        "add",
        "--config",
        str(config),
        "--name",
        "demo",
        "--role",
        "hq",
        "--by-link",
        str(link),
    ]
    assert main([*words, "--minutes", "30"]) == 0
    assert link.stat().st_mode & 0o777 == 0o600
    [(password_hash,)] = made.rows("SELECT password_hash FROM people")
    assert password_hash == NO_PASSWORD
    assert not is_password(NO_PASSWORD, "")
    assert not is_password(NO_PASSWORD, "nobody")
    with made.ledger.write.begin() as connection:
        code = hash_of(link.read_text().strip())
        now_ms = SystemClock().now_ms()
        assert people.use_link(connection, code, now_ms + 29 * 60_000) == "demo"
        assert people.use_link(connection, code, now_ms) is None
    for more in (["--minutes", "0"], ["--minutes", "1441"], ["--password-file", str(link)]):
        before = entries(made)
        assert main([*words, *more]) == 78
        assert entries(made) == before
    made.ledger.close()


def test_a_key_that_could_not_be_written_is_not_made_and_the_old_one_works_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Bench(tmp_path)
    config, key = tmp_path / "central.toml", tmp_path / "gw-9.key"
    config.write_text(f'state_dir = "{tmp_path}"\n')
    words = ["gateway", "add", "--config", str(config), "--store", STORE, "--gateway", "gw-9", "--key-file"]
    assert main([*words, str(key)]) == 0
    assert key.stat().st_mode & 0o777 == 0o600
    before = made.rows("SELECT key_hash FROM gateways WHERE gateway = 'gw-9'"), entries(made), key.read_text()
    for place in (tmp_path / "no-folder" / "key", tmp_path):
        assert main([*words, str(place)]) == 78
        assert "nothing was changed" in capsys.readouterr().err
    assert main([*words[:-2], "GW", "--key-file", str(key)]) == 78, "a bad name leaves the file alone, too"
    assert before == (
        made.rows("SELECT key_hash FROM gateways WHERE gateway = 'gw-9'"), entries(made), key.read_text()
    )  # fmt: skip
    assert main([*words, str(key)]) == 0
    assert key.read_text() != before[2]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    made.ledger.close()


def test_what_would_do_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Bench(tmp_path)
    config, secret = tmp_path / "central.toml", tmp_path / "password"
    config.write_text(f'state_dir = "{tmp_path}"\n')
    secret.write_text("a long password\n")

    def command(*words: str) -> tuple[int, str]:
        code = main([*words, "--config", str(config)])
        return code, capsys.readouterr().err

    new_token = ("token", "create", "--scope", "system", "--name", "erp")
    assert command(*new_token, "--days", "-5")[0] == 78
    assert not made.rows("SELECT 1 FROM tokens")
    assert command(*new_token, "--store", "no-shop") == (
        0,
        "shelfloop central: note that store no-shop is unknown as yet: nothing of it can be seen\n",
    )
    person = ("person", "add", "--name", "Ann", "--password-file", str(secret))
    secret.chmod(0o640)
    assert "others may read it" in command(*person, "--role", "hq")[1]
    assert not made.rows("SELECT 1 FROM people")
    secret.chmod(0o600)
    assert "region R1 is unknown" in command(*person, "--role", "region", "--region", "R1")[1]
    assert command(*person, "--role", "store", "--store", STORE) == (0, "")
    for words in (("token", "revoke", "--name", "Bob"), ("person", "remove", "--name", "Bob")):
        code, said = command(*words)
        assert (code, "nothing was changed" in said) == (1, True)
    backup = tmp_path / "ledger.backup"
    assert command("backup", "--out", str(backup))[0] == 0
    before = backup.read_bytes()
    assert command("backup", "--out", str(backup))[0] == 78
    assert backup.read_bytes() == before
    made.ledger.close()

"""What must be alone on the ledger is refused while a centre runs, on both databases."""

import threading
from pathlib import Path

import pytest
from free_ports import free_port
from ledger_kinds import KINDS, SQLITE, on_both
from test_ledger import Bench, bench

from central.__main__ import main
from central.ledger.agreement import Leadership, listen
from central.ledger.engine import Ledger
from central.ledger.locks import Lock
from central.ledger.running import running_on
from central.setup import rebuild_rollups
from runtime.errors import OperatorError


def config_of(made: Bench, folder: Path) -> str:
    path = folder / "central.toml"
    settings = made.settings
    path.write_text(
        f'state_dir = "{settings.state_dir}"\ndatabase_url = "{settings.database_url}"\nport = {free_port()}\n'
    )
    return str(path)


@on_both
def test_prune_and_rebuild_are_refused_while_a_centre_runs(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with bench(kind) as made:
        config = config_of(made, tmp_path)
        stop, listening = threading.Event(), threading.Event()
        worker = Ledger(made.settings.url)
        thread = threading.Thread(target=listen, args=(worker, listening.set, stop), daemon=True)
        try:
            with running_on(worker):
                if worker.is_shared:
                    thread.start()
                    assert listening.wait(60)
                for command in ("prune", "rebuild-rollups"):
                    assert main([command, "--config", config]) == 78
                    assert "a centre runs on ledger" in capsys.readouterr().err
        finally:
            stop.set()
            if worker.is_shared:
                thread.join(60)
            worker.close()
        for command in ("prune", "rebuild-rollups"):
            assert main([command, "--config", config]) == 0


@on_both
def test_no_centre_starts_while_a_command_is_alone_on_the_ledger(kind: str) -> None:
    with bench(kind) as made:
        with running_on(made.ledger):
            """It has run once."""
        rebuilding = rebuild_rollups(made.settings)
        next(rebuilding)
        with pytest.raises(OperatorError, match="ledger"), running_on(made.ledger, wait_s=0.1):
            pytest.fail("a centre started")
        list(rebuilding)
        with running_on(made.ledger):
            """And may again."""


def test_a_second_centre_on_one_file_is_refused_whatever_its_port(tmp_path: Path) -> None:
    with bench(SQLITE) as made, running_on(made.ledger):
        other = Ledger(made.settings.url)
        with pytest.raises(OperatorError, match="another centre runs on it"), running_on(other, wait_s=0.1):
            pytest.fail("two centres on one file")
        other.close()


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_second_worker_starts_while_the_first_sends(kind: str) -> None:
    with bench(kind) as made:
        first = Ledger(made.settings.url)
        try:
            assert Leadership(first, Lock.SENDS).is_mine()
            with running_on(made.ledger):
                assert not Leadership(made.ledger, Lock.SENDS).is_mine()
        finally:
            first.close()

"""The centre as its keepers see it: ready when its ledger works, metrics with no label from outside, health with reasons."""

import socket
from pathlib import Path

import httpx
import pytest
from central_rig import CentreProcess
from prometheus_client.parser import text_string_to_metric_families

from central.process import STALLED_AFTER_S, _problems
from runtime.systemd_notify import ServiceNotifier

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _series(centre: CentreProcess) -> dict[str, float]:
    text = httpx.get(f"http://127.0.0.1:{centre.status_port}/metrics", timeout=30).text
    return {
        f"{sample.name}{sorted(sample.labels.items()) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_centre_says_ready_with_its_first_round_and_counts_in_bounded_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        (tmp_path / "centre").mkdir()
        centre = CentreProcess(tmp_path / "centre")
        centre.command("init")
        centre.start()
        try:
            assert manager.recv(100) == b"READY=1"
            before = _series(centre)
            for number in range(30):
                url = f"{centre.url}/v1/stores/strange-{number}"
                reply = httpx.get(url, headers={"Authorization": "Bearer guess"}, timeout=30)
                assert reply.status_code == 401
            after = _series(centre)
            assert after.keys() == before.keys()
            refused = "shelfloop_central_refused_tokens_total"
            assert after[refused] - before[refused] == 30
            assert after["shelfloop_central_problems"] == 0
            health = httpx.get(f"http://127.0.0.1:{centre.status_port}/healthz", timeout=30)
            assert (health.status_code, health.json()["problems"]) == (200, [])
        finally:
            centre.stop()
        assert manager.recv(100) == b"STOPPING=1"


def test_a_ledger_that_hangs_makes_the_centre_unwell_and_a_standing_clock_does_not() -> None:
    class Notifier(ServiceNotifier):
        def silent_s(self) -> float:
            return STALLED_AFTER_S + 5

    class Centre:
        class settings:  # noqa: N801 - stands for the attribute
            clock_file = ""

    [problem] = _problems(Centre, Notifier({}))  # type: ignore[arg-type]
    assert "35 s" in problem
    Centre.settings.clock_file = "clock"
    assert _problems(Centre, Notifier({})) == []  # type: ignore[arg-type]

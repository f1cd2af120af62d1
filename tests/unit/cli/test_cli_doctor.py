"""The doctor: each thing that can be wrong is found, named, and comes with what to do."""

import http.server
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_port
from local_broker import LocalBroker

from cli.checks import centre, files, machine, ports
from cli.checks.broker import check_broker
from cli.checks.model_bundle import check_bundle
from cli.checks.serial_ports import check_serial_port
from cli.doctor import HQ_STYLE, ROOMS, SECRET_SETTINGS, main
from cli.findings import Finding, Level
from cli.settings_docs import settings_class

NOW_MS = 1_790_000_000_000


class Replies:
    """What the little server answers, and what it was asked."""

    def __init__(self) -> None:
        self.by_path: dict[str, tuple[int, object]] = {}
        self.authorizations: list[str] = []
        self.port = 0
        self.content_type = "application/json"


@pytest.fixture
def server() -> Iterator[Replies]:
    replies = Replies()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            replies.authorizations.append(self.headers.get("Authorization", ""))
            status, body = replies.by_path.get(self.path, (404, {"title": "not found"}))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", replies.content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None: ...

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    replies.port = running.server_address[1]
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield replies
    running.shutdown()
    running.server_close()
    thread.join()


def _only(findings: list[Finding], level: Level) -> Finding:
    found = [finding for finding in findings if finding.level is level]
    assert len(found) == 1, findings
    return found[0]


def test_an_old_python_fails() -> None:
    assert machine.check_python((3, 10, 9)).level is Level.FAIL
    assert machine.check_python((3, 11, 0)).level is Level.OK


@pytest.mark.parametrize("wrong_ms", [0, 86_400_000, 1_500_000_000_000, 4_200_000_000_000, 10**18, -5])
def test_a_clock_at_a_wrong_year_fails(wrong_ms: int) -> None:
    finding = machine.check_clock(wrong_ms)
    assert finding.level is Level.FAIL
    assert finding.advice


def test_a_sane_clock_is_fine() -> None:
    assert machine.check_clock(NOW_MS).level is Level.OK


def _program(folder: Path, script: str) -> str:
    path = folder / "timedatectl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_clock_that_nobody_synchronises_is_worth_a_look(tmp_path: Path) -> None:
    assert machine.check_time_sync(_program(tmp_path, "echo no")).level is Level.WARN
    assert machine.check_time_sync(_program(tmp_path, "exit 1")).level is Level.WARN
    assert machine.check_time_sync(str(tmp_path / "absent")).level is Level.WARN
    assert machine.check_time_sync(_program(tmp_path, "echo yes")).level is Level.OK


def test_a_missing_package_fails_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = ["pydantic<3,>=2", 'no-such-package-of-ours; extra == "edge"']
    monkeypatch.setattr(machine.metadata, "requires", lambda _: declared)
    finding = machine.check_packages("edge")
    assert finding.level is Level.FAIL
    assert "no-such-package-of-ours" in finding.what
    assert "shelfloop[edge]" in finding.advice


def test_a_rooms_packages_are_those_its_extra_declares_and_no_others() -> None:
    declared = [
        "always<3,>=2.14",
        'wire<3,>=2.2; extra == "bridge"',
        "shelfloop[bridge]; extra == 'edge'",
        'numbers[fast]>=1; extra == "edge"',
        'elsewhere; sys_platform == "win32" and extra == "edge"',
        'server; extra == "central"',
        'shelfloop[central,edge]; extra == "demo"',
        'shelfloop[demo]; extra == "demo"',
    ]
    assert machine.packages_from(declared, "edge") == ["always", "numbers", "wire"]
    assert machine.packages_from(declared, "central") == ["always", "server"]
    assert machine.packages_from(declared, "demo") == ["always", "server", "numbers", "wire"]


def test_every_room_declares_packages() -> None:
    for room in ROOMS:
        assert set(machine.packages_of(room)) > {"pydantic", "pydantic-settings", "zstandard"}


def test_a_key_that_others_may_read_fails(tmp_path: Path) -> None:
    key = tmp_path / "gateway.key"
    key.write_text("slg_x")
    key.chmod(0o644)
    finding = files.check_secret("key_file", key)
    assert finding.level is Level.FAIL
    assert finding.advice == f"chmod 600 {key}"
    key.chmod(0o600)
    assert files.check_secret("key_file", key).level is Level.OK


def test_a_missing_or_empty_key_fails(tmp_path: Path) -> None:
    assert files.check_secret("key_file", tmp_path / "absent").level is Level.FAIL
    empty = tmp_path / "empty"
    empty.touch(mode=0o600)
    assert files.check_secret("key_file", empty).level is Level.FAIL


def test_a_state_folder_is_tried_by_a_real_write(tmp_path: Path) -> None:
    findings = files.check_state_dir(tmp_path)
    assert all(finding.level is not Level.FAIL for finding in findings)
    assert any("reaches the disk" in finding.what for finding in findings)
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert _only(files.check_state_dir(path), Level.FAIL).what == "is no folder"


def test_a_state_folder_open_to_the_world_fails(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert "anybody may write" in _only(files.check_state_dir(tmp_path), Level.FAIL).what
    tmp_path.chmod(0o700)


def test_a_full_disk_fails_and_a_filling_one_is_worth_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free, level in [(10_000_000, Level.FAIL), (900_000_000, Level.WARN), (9_000_000_000, Level.OK)]:
        monkeypatch.setattr(
            files.shutil, "disk_usage", lambda _, free=free: type("Usage", (), {"free": free})
        )
        assert files.check_state_dir(tmp_path)[0].level is level


def test_a_database_that_everybody_may_read_is_worth_a_look(tmp_path: Path) -> None:
    database = tmp_path / "edge.sqlite3"
    assert files.check_database(database) is None
    database.touch()
    database.chmod(0o644)
    finding = files.check_database(database)
    assert finding is not None
    assert finding.level is Level.WARN
    database.chmod(stat.S_IRUSR | stat.S_IWUSR)
    finding = files.check_database(database)
    assert finding is not None
    assert finding.level is Level.OK


def test_a_free_port_is_fine() -> None:
    assert ports.check_port("status_port", "127.0.0.1", free_port(), "/status", "now_ms").level is Level.OK
    assert ports.check_port("status_port", "127.0.0.1", 0, "/status", "now_ms").level is Level.OK


def test_a_port_held_by_a_stranger_fails() -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        held = stranger.getsockname()[1]
        original, ports.TIMEOUT_S = ports.TIMEOUT_S, 0.2
        try:
            finding = ports.check_port("port", "127.0.0.1", held, "/healthz", "now_ms")
        finally:
            ports.TIMEOUT_S = original
    assert finding.level is Level.FAIL
    assert "another program" in finding.what


def test_a_port_held_by_another_web_server_fails(server: Replies) -> None:
    server.by_path["/status"] = (200, {"hello": "I am no process of yours"})
    finding = ports.check_port("status_port", "127.0.0.1", server.port, "/status", "now_ms")
    assert finding.level is Level.FAIL


def test_a_port_held_by_our_process_is_fine_and_its_problems_are_told(server: Replies) -> None:
    server.by_path["/status"] = (200, {"backlog": 0, "now_ms": NOW_MS})
    assert ports.check_port("status_port", "127.0.0.1", server.port, "/status", "now_ms").level is Level.OK
    server.by_path["/status"] = (200, {"now_ms": NOW_MS, "problems": ["broker lost"]})
    finding = ports.check_port("status_port", "127.0.0.1", server.port, "/status", "now_ms")
    assert finding.level is Level.WARN
    assert "broker lost" in finding.what


def test_hqs_page_is_known_and_a_stranger_on_its_port_fails(server: Replies) -> None:
    def found(port: int) -> Level:
        return ports.check_page_port("port", "127.0.0.1", port, HQ_STYLE, "text/css").level

    assert found(0) is Level.OK
    assert found(free_port()) is Level.OK
    assert found(server.port) is Level.FAIL
    server.by_path[HQ_STYLE] = (200, b"<html>every address is my home page</html>")
    assert found(server.port) is Level.FAIL
    server.by_path[HQ_STYLE] = (404, b"body {}")
    server.content_type = "text/css; charset=utf-8"
    assert found(server.port) is Level.FAIL
    server.by_path[HQ_STYLE] = (200, b"body {}")
    assert found(server.port) is Level.OK


def test_hqs_style_is_where_the_doctor_looks_for_it() -> None:
    from hq import web

    assert (web.STATIC / Path(HQ_STYLE).name).is_file()
    assert '"/hq-static"' in Path(web.__file__).read_text()


def test_a_stranger_on_hqs_port_fails_by_its_settings_file(
    tmp_path: Path, server: Replies, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "hq.token"
    token.write_text("slt_x")
    token.chmod(0o600)
    config = tmp_path / "hq.toml"
    config.write_text(
        f'central_url = "http://127.0.0.1:{server.port}"\ntoken_file = "{token}"\nport = {server.port}\n'
    )
    assert main(["--hq", str(config)]) == 1
    assert f"fail  port {server.port}: another program holds it" in capsys.readouterr().out


@pytest.fixture
def pty() -> Iterator[Path]:
    ours, theirs = os.openpty()
    yield Path(os.ttyname(theirs))
    os.close(ours)
    os.close(theirs)


def test_a_line_that_is_there_and_may_be_opened_is_fine(pty: Path) -> None:
    assert [each.level for each in check_serial_port(str(pty))] == [Level.OK]
    found = check_serial_port(f"{pty.parent}/[{pty.name[0]}]{pty.name[1:]}")
    assert [each.level for each in found] == [Level.OK]
    assert str(pty) in found[0].about


def test_a_line_that_is_not_there_is_worth_a_look(tmp_path: Path) -> None:
    for path in (tmp_path / "ttyACM0", tmp_path / "ttyACM*"):
        (finding,) = check_serial_port(str(path))
        assert finding.level is Level.WARN
        assert "plug the device in" in finding.advice


def test_a_line_that_is_a_plain_file_fails(tmp_path: Path) -> None:
    (tmp_path / "ttyACM0").touch()
    assert _only(check_serial_port(str(tmp_path / "ttyACM*")), Level.FAIL).what == "is no serial device"


@pytest.mark.parametrize(
    ("may", "words"),
    [((), "read or write to"), ((os.R_OK,), "write to it"), ((os.W_OK,), "not read it")],
)
def test_a_line_that_this_user_may_not_open_fails_with_the_group(
    pty: Path, monkeypatch: pytest.MonkeyPatch, may: tuple[int, ...], words: str
) -> None:
    monkeypatch.setattr("cli.checks.serial_ports.os.access", lambda _, mode: mode in may)
    finding = _only(check_serial_port(str(pty)), Level.FAIL)
    assert words in finding.what
    assert "dialout" in finding.advice


def test_a_line_over_the_network_is_left_to_the_bridge() -> None:
    assert [each.level for each in check_serial_port("socket://127.0.0.1:7000")] == [Level.OK]


def test_secrets_are_settings_that_some_room_has() -> None:
    known = {name for room in ROOMS for name in settings_class(room).model_fields}
    assert set(SECRET_SETTINGS) <= known


def test_a_settings_file_with_a_secret_that_everybody_may_read_is_worth_a_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "central.toml"
    plain = f'state_dir = "{tmp_path / "state"}"\nport = {free_port()}\n'
    for text, mode, level in [
        (plain, 0o644, None),
        (plain + 'influx_token = "very-secret"\n', 0o644, "warn"),
        (plain + 'influx_token = "very-secret"\n', 0o640, "ok"),
    ]:
        config.write_text(text)
        config.chmod(mode)
        main(["--central", str(config)])
        shown = capsys.readouterr().out
        lines = [line for line in shown.splitlines() if "influx_token in" in line]
        assert [line.split()[0] for line in lines] == ([level] if level else [])
        assert "very-secret" not in shown


def test_listening_to_the_world_is_worth_a_look() -> None:
    assert ports.check_listens_on_loopback("host", "0.0.0.0").level is Level.WARN
    assert ports.check_listens_on_loopback("host", "127.0.0.1").level is Level.OK


def test_a_centre_that_answers_is_fine(server: Replies) -> None:
    server.by_path["/healthz"] = (200, {"status": "ok", "version": "1", "now_ms": NOW_MS})
    findings = centre.check_centre(f"http://127.0.0.1:{server.port}", NOW_MS + 900)
    assert [finding.level for finding in findings] == [Level.OK, Level.OK]


def test_a_centre_that_is_not_there_fails() -> None:
    finding = _only(centre.check_centre(f"http://127.0.0.1:{free_port()}", NOW_MS), Level.FAIL)
    assert "does not answer" in finding.what


@pytest.mark.parametrize("url", ["ftp://centre", "centre:8080", "", "http://"])
def test_an_address_that_is_none_fails(url: str) -> None:
    assert centre.check_centre(url, NOW_MS)[0].level is Level.FAIL


def test_a_server_that_is_no_centre_fails(server: Replies) -> None:
    server.by_path["/healthz"] = (200, b"<html>a printer</html>")
    assert _only(centre.check_centre(f"http://127.0.0.1:{server.port}", NOW_MS), Level.FAIL)


def test_clocks_that_differ_by_minutes_fail(server: Replies) -> None:
    server.by_path["/healthz"] = (200, {"status": "ok", "now_ms": NOW_MS})
    finding = _only(centre.check_centre(f"http://127.0.0.1:{server.port}", NOW_MS + 300_000), Level.FAIL)
    assert "differ by 300 s" in finding.what


def test_a_centre_with_problems_is_worth_a_look(server: Replies) -> None:
    server.by_path["/healthz"] = (503, {"status": "bad", "now_ms": NOW_MS, "problems": ["disk full"]})
    finding = _only(centre.check_centre(f"http://127.0.0.1:{server.port}", NOW_MS), Level.WARN)
    assert "disk full" in finding.what


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (401, Level.FAIL),
        (403, Level.FAIL),
        (404, Level.FAIL),
        (400, Level.OK),
        (422, Level.OK),
        (500, Level.WARN),
    ],
)
def test_a_gateway_key_is_good_when_only_the_empty_batch_is_refused(
    server: Replies, status: int, level: Level
) -> None:
    server.by_path["/v1/gateways/gw-1/batches"] = (status, {"title": "…"})
    finding = centre.check_gateway_key(f"http://127.0.0.1:{server.port}", "gw-1", "slg_secret")
    assert finding.level is level
    assert server.authorizations == ["Bearer slg_secret"]
    assert "slg_secret" not in finding.line()


def test_a_refused_token_fails(server: Replies) -> None:
    server.by_path["/v1/stores"] = (401, {})
    assert centre.check_token(f"http://127.0.0.1:{server.port}", "slt_x").level is Level.FAIL


def test_mosquitto_is_known_by_its_version(local_broker: LocalBroker) -> None:
    finding = check_broker("127.0.0.1", local_broker.port)
    assert finding.level is Level.OK
    assert "mosquitto" in finding.what


def test_a_broker_that_is_not_there_fails() -> None:
    finding = check_broker("127.0.0.1", free_port())
    assert finding.level is Level.FAIL
    assert "does not answer" in finding.what


def test_a_broker_that_refuses_us_fails(tmp_path: Path) -> None:
    broker = LocalBroker(tmp_path, ("allow_anonymous false",))
    broker.start()
    try:
        finding = check_broker("127.0.0.1", broker.port)
    finally:
        broker.kill()
    assert finding.level is Level.FAIL
    assert "refuses us" in finding.what
    assert "broker_username" in finding.advice


def test_the_broker_of_the_demo_is_named_for_what_it_is() -> None:
    from iotcore import Broker

    with Broker(port=free_port(), listen="127.0.0.1") as broker:
        five = check_broker("127.0.0.1", broker.port, protocol=5)
        four = check_broker("127.0.0.1", broker.port, protocol=4)
    assert five.level is Level.FAIL
    assert "broker_protocol = 4" in five.advice
    assert four.level is Level.WARN
    assert "for demos and quick tests only" in four.what


def test_the_bundle_that_ships_is_right() -> None:
    assert check_bundle("", "").level is Level.OK


def test_a_bundle_that_is_not_there_or_not_signed_fails(tmp_path: Path) -> None:
    assert check_bundle(str(tmp_path / "absent"), "").level is Level.FAIL
    assert check_bundle("", str(tmp_path / "absent.pem")).level is Level.FAIL


def test_settings_that_are_wrong_are_a_finding_and_the_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text("bridge = 7\nsurprise = 1\n")
    assert main(["--bridge", str(config)]) == 1
    shown = capsys.readouterr().out
    assert "fail  bridge settings" in shown
    assert "surprise" in shown


def test_a_healthy_bridge_gives_status_0(
    tmp_path: Path, local_broker: LocalBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "bridge.toml"
    config.write_text(
        f'bridge = "bridge-1"\nstate_dir = "{tmp_path}"\nbroker_port = {local_broker.port}\n'
        'ports = [{path = "/dev/ttyACM*"}]\ndevices = {"uid-1" = "shelf-1"}\n'
    )
    status = main(["--bridge", str(config)])
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert "0 to put right" in shown

"""A bad setting stops the start with status 78 and is named."""

import os

import pytest

from firmware_bridge.__main__ import main
from firmware_bridge.core.device_end import DeviceEnd
from firmware_bridge.core.hello import Hello
from firmware_bridge.discovery import matching_ports
from firmware_bridge.settings import BridgeSettings, PortSettings
from runtime.errors import OperatorError

GOOD = """
bridge = "bridge-1"
state_dir = "{folder}/state"
ports = [{{path = "{folder}/tty*"}}, {{path = "socket://127.0.0.1:7000", baud = 9600}}]
devices = {{"3a-ff" = "till-1", "3b-00" = "shelf-1"}}
"""


def config(tmp_path, text: str = GOOD):
    path = tmp_path / "bridge.toml"
    path.write_text(text.format(folder=tmp_path))
    return path


def test_a_small_file_is_enough(tmp_path):
    settings = BridgeSettings.load(config(tmp_path))
    assert settings.ports[0].baud == 115_200
    assert settings.devices["3a-ff"] == "till-1"


def test_check_says_what_is_there_and_starts_nothing(tmp_path, capsys):
    (tmp_path / "tty7").touch()
    assert main(["check", "--config", str(config(tmp_path))]) == 0
    shown = capsys.readouterr().out
    assert f"{tmp_path}/tty7" in shown
    assert "settings are good" in shown


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('bridge = "bridge-1"', 'bridge = "Bridge 1"', "bridge"),
        ('"socket://127.0.0.1:7000", baud = 9600', '"x", baud = 9601', "baud 9601 is no line speed"),
        ('"shelf-1"', '"till-1"', "till-1 is given to more than one uid"),
        ('"shelf-1"', '"bridge-1"', "bridge-1 is the bridge's own id"),
        ("bridge =", "colour = 1\nbridge =", "colour"),
        ('devices = {{"3a-ff" = "till-1", "3b-00" = "shelf-1"}}', "", "devices: is missing"),
        ("bridge =", 'broker_password_file = "/nonexistent"\nbridge =', "broker_password_file /nonexistent"),
        ("bridge =", 'tls_ca_file = "/nonexistent"\nbridge =', "tls_ca_file /nonexistent"),
        ("bridge =", 'clock_file = "/nonexistent"\nbridge =', "clock_file /nonexistent"),
        ('"{folder}/state"', '"/proc/nowhere"', "state_dir /proc/nowhere"),
    ],
)
def test_a_bad_setting_is_named_and_gives_78(tmp_path, capsys, old, new, named):
    assert main(["check", "--config", str(config(tmp_path, GOOD.replace(old, new)))]) == 78
    assert named in capsys.readouterr().err


def test_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFLOOP_BRIDGE_BROKER_PORT", "1999")
    assert BridgeSettings.load(config(tmp_path)).broker_port == 1999


def test_an_unknown_name_in_the_environment_stops_the_start(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFLOOP_BRIDGE_BROKR_PORT", "1999")
    with pytest.raises(OperatorError, match="SHELFLOOP_BRIDGE_BROKR_PORT"):
        BridgeSettings.load(config(tmp_path))


def test_globs_give_what_is_there_and_fixed_paths_count_always(tmp_path):
    for name in ("ttyB", "ttyA"):
        (tmp_path / name).touch()
    ports = [
        PortSettings(path=f"{tmp_path}/ttyB"),
        PortSettings(path=f"{tmp_path}/tty*", baud=9600),
        PortSettings(path="/x"),
    ]
    assert [(port.path, port.baud) for port in matching_ports(ports)] == [
        (f"{tmp_path}/ttyB", 115_200),
        (f"{tmp_path}/ttyA", 9600),
        ("/x", 115_200),
    ]


def test_dump_prints_good_and_bad_frames_of_a_capture(tmp_path, capsys):
    end = DeviceEnd(Hello(kind="till", uid="u-1", boot_id="b1", firmware="9.9"))
    end.open(0)
    end.send_log(b"hello\x07")
    capture = tmp_path / "capture"
    capture.write_bytes(os.urandom(40).replace(b"\0", b"1") + end.data_to_send())
    assert main(["dump", str(capture)]) == 0
    shown = capsys.readouterr().out
    assert "BAD" in shown
    assert "firmware='9.9'" in shown
    assert "hello\\x07" in shown
    assert "3 frames, 1 bad" in shown


def test_dump_of_a_file_that_is_not_there_says_so(capsys):
    assert main(["dump", "/nonexistent"]) == 1
    assert "capture /nonexistent: No such file" in capsys.readouterr().err

"""`shelfloop doctor`: what is wrong with this machine's gateway or centre, in plain words, and what to do."""

import argparse
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import SecretStr

from cli.checks.centre import check_centre, check_gateway_key, check_token, wall_clock_ms
from cli.checks.certificates import BROKER_CERTIFICATE, check_certificate
from cli.checks.files import check_database, check_secret, check_settings_file, check_state_dir
from cli.checks.machine import check_clock, check_packages, check_python, check_time_sync
from cli.checks.ports import check_listens_on_loopback, check_page_port, check_port
from cli.checks.serial_ports import check_serial_port
from cli.checks.service import check_service
from cli.commands import install_advice
from cli.findings import Finding, Level, fail, ok
from cli.settings_docs import settings_class
from runtime.clock import clock_from_setting
from runtime.errors import EXIT_FAULT, EXIT_OK, OperatorError
from runtime.settings import Settings

ROOMS = ("bridge", "edge", "central", "hq")
SECRET_SETTINGS = ("key_file", "token_file", "broker_password_file")
HQ_STYLE = "/hq-static/hq.css"
"""A file that HQ's pages serve without asking the centre."""


def main(argv: list[str] | None = None) -> int:
    """Prints one line a finding; 1 when any of them is `fail`."""
    arguments = _parser().parse_args(argv)
    if not any(getattr(arguments, room) for room in ROOMS):
        print(
            "only this machine is looked at; name settings files to look at a room (shelfloop doctor --help)\n"
        )
    findings = []
    for finding in examine({room: getattr(arguments, room) for room in ROOMS}):
        print(finding.line(), flush=True)
        findings.append(finding)
    failed = sum(finding.level is Level.FAIL for finding in findings)
    doubtful = sum(finding.level is Level.WARN for finding in findings)
    print(f"\n{len(findings)} checks: {failed} to put right, {doubtful} worth a look")
    return EXIT_FAULT if failed else EXIT_OK


def examine(configs: dict[str, Path | None]) -> Iterator[Finding]:
    """Findings as they are made; configs: the settings file of each room to look at."""
    yield check_python()
    yield check_clock()
    yield check_time_sync()
    for room, config in configs.items():
        if config is not None:
            yield from _guarded(room, lambda room=room, config=config: _examine_room(room, config))  # type: ignore[misc]


def _guarded(room: str, checks: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """One check that cannot be made is a finding, and the other rooms are still looked at."""
    try:
        yield from checks()
    except OperatorError as error:
        yield fail(
            f"{room} settings", str(error), "correct the file; docs/settings.md says what each setting means"
        )
    except ImportError as error:
        yield fail(f"{room} packages", f"{error}", install_advice(room))


def _examine_room(room: str, config: Path) -> Iterator[Finding]:
    yield check_packages(room)
    settings = settings_class(room).load(config)
    yield ok(f"{room} settings {config}", "valid")
    yield from _examine_files(settings)
    held = check_settings_file(config, _secrets_in(config, settings))
    if held is not None:
        yield held
    yield from _examine_ports(room, settings)
    service = check_service(room)
    if service is not None:
        yield service
    if room in ("bridge", "edge"):
        yield from _examine_certificates(settings)
    if room == "bridge":
        yield from _examine_serial_ports(settings)
    if room in ("bridge", "edge"):
        yield _examine_broker(settings)
    if room == "edge":
        yield _examine_bundle(settings)
    if room in ("edge", "hq"):
        yield from _examine_centre(room, settings)


def _examine_files(settings: Settings) -> Iterator[Finding]:
    state_dir = _text(settings, "state_dir")
    if state_dir:
        yield from check_state_dir(Path(state_dir))
        for database in sorted(Path(state_dir).glob("*.sqlite*")):
            found = check_database(database)
            if found is not None:
                yield found
    for name in SECRET_SETTINGS:
        path = _text(settings, name)
        if path:
            yield check_secret(name, Path(path))


def _examine_ports(room: str, settings: Settings) -> Iterator[Finding]:
    host = _text(settings, "host")
    if host:
        yield check_listens_on_loopback("host", host)
        if room == "central":
            yield check_port("port", host, _number(settings, "port"), "/healthz", "now_ms")
        if room == "hq":
            yield check_page_port("port", host, _number(settings, "port"), HQ_STYLE, "text/css")
    yield check_port("status_port", "127.0.0.1", _number(settings, "status_port"), "/status", "now_ms")


def _secrets_in(config: Path, settings: Settings) -> list[str]:
    """Names of the secrets that stand in the file itself, not in a file it names and not in the environment."""
    written = tomllib.loads(config.read_text(encoding="utf-8"))
    held = [name for name in type(settings).model_fields if isinstance(getattr(settings, name), SecretStr)]
    return [name for name in held if written.get(name)]


def _examine_serial_ports(settings: Settings) -> Iterator[Finding]:
    for path in dict.fromkeys(port.path for port in getattr(settings, "ports", ())):
        yield from check_serial_port(path)


def _examine_broker(settings: Settings) -> Finding:
    from cli.checks.broker import check_broker  # the centre has no MQTT library

    password_file = _text(settings, "broker_password_file")
    return check_broker(
        _text(settings, "broker_host"),
        _number(settings, "broker_port"),
        protocol=_number(settings, "broker_protocol") or 5,
        username=_text(settings, "broker_username"),
        password=_secret(password_file),
        tls_ca_file=_text(settings, "tls_ca_file"),
    )


def _examine_certificates(settings: Settings) -> Iterator[Finding]:
    authority = _text(settings, "tls_ca_file")
    if authority:
        yield check_certificate("tls_ca_file", Path(authority), "bring the broker's CA certificate of today")
    if os.access(BROKER_CERTIFICATE, os.R_OK):
        yield check_certificate("broker's certificate", BROKER_CERTIFICATE)


def _examine_bundle(settings: Settings) -> Finding:
    from cli.checks.model_bundle import check_bundle  # onnxruntime: only a gateway has it for certain

    return check_bundle(_text(settings, "bundle_dir"), _text(settings, "bundle_public_key_file"))


def _examine_centre(room: str, settings: Settings) -> Iterator[Finding]:
    central_url = _text(settings, "central_url")
    if not central_url:
        yield ok("centre", "none is set: the shop works alone")
        return
    clock_file = _text(settings, "clock_file")
    now_ms = clock_from_setting(clock_file).now_ms() if clock_file else wall_clock_ms()
    ca_file = _text(settings, "central_ca_file")
    findings = check_centre(central_url, now_ms, ca_file)
    yield from findings
    if findings[0].level is Level.FAIL:
        return
    if room == "edge":
        key = _secret(_text(settings, "key_file"))
        yield check_gateway_key(central_url, _text(settings, "gateway"), key, ca_file)
    else:
        yield check_token(central_url, _secret(_text(settings, "token_file")))


def _secret(path: str) -> str:
    """Empty when it cannot be read: that finding was made where files are looked at."""
    try:
        return Path(path).read_text(encoding="utf-8").strip() if path else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _text(settings: Settings, name: str) -> str:
    """The setting as text, "" when this room has none of that name."""
    value = getattr(settings, name, None)
    return "" if value is None else str(value)


def _number(settings: Settings, name: str) -> int:
    value = getattr(settings, name, 0)
    return value if isinstance(value, int) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shelfloop doctor",
        description=(
            "Says in plain words what is wrong: settings, packages, ports, serial lines, broker, disk, clock, permissions, model "
            "bundle, the centre. Changes nothing. Exit status 1 when something must be put right."
        ),
        epilog="Example: shelfloop doctor --edge /etc/shelfloop/edge.toml --bridge /etc/shelfloop/bridge.toml",
    )
    for room in ROOMS:
        parser.add_argument(
            f"--{room}", type=Path, metavar="FILE", help=f"settings file of the {room} to look at"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())

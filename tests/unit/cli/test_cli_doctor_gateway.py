"""The doctor on an installed gateway: its certificates and its service."""

from pathlib import Path

import pytest

from cli.ca import issue, make_ca
from cli.checks import service
from cli.checks.certificates import check_certificate
from cli.checks.service import check_service
from cli.findings import Level


def test_a_certificate_is_told_before_it_ends(tmp_path: Path) -> None:
    make_ca(tmp_path / "ca", "CA")
    found = []
    for days in (30, 400):
        issue(tmp_path / "ca", ["a"], tmp_path / "a.crt", tmp_path / "a.key", days=days)
        found.append(check_certificate("broker", tmp_path / "a.crt"))
    assert [finding.level for finding in found] == [Level.WARN, Level.OK]
    assert "install.sh" in found[0].advice


def test_a_file_that_is_no_certificate_fails(tmp_path: Path) -> None:
    (tmp_path / "a.crt").write_text("no certificate")
    assert check_certificate("tls_ca_file", tmp_path / "a.crt").level is Level.FAIL
    assert check_certificate("tls_ca_file", tmp_path / "gone").level is Level.FAIL


@pytest.mark.parametrize(
    ("answer", "level", "told"),
    [
        (
            "LoadState=loaded\\nActiveState=active\\nNRestarts=0\\nStatusText=all is well",
            Level.OK,
            "all is well",
        ),
        ("LoadState=loaded\\nActiveState=active\\nNRestarts=9", Level.WARN, "9 times"),
        ("LoadState=loaded\\nActiveState=failed\\nExecMainStatus=78", Level.FAIL, "a bad setting"),
        ("LoadState=loaded\\nActiveState=inactive\\nExecMainStatus=0", Level.FAIL, "is inactive"),
    ],
)
def test_what_systemd_says_of_the_service(tmp_path: Path, answer: str, level: Level, told: str) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\nprintf '{answer}\\n'\n")
    systemctl.chmod(0o755)
    found = check_service("edge", str(systemctl))
    assert found is not None
    assert found.level is level
    assert told in found.what


def test_without_such_a_service_there_is_nothing_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\necho LoadState=not-found\n")
    systemctl.chmod(0o755)
    assert check_service("edge", str(systemctl)) is None
    monkeypatch.setattr(service, "MANAGER", tmp_path / "none")
    assert check_service("edge") is None

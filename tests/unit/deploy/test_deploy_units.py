"""deploy/: systemd takes the units as they are, and finds little that they leave open."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
ROOMS = ("bridge", "edge", "central", "hq", "central@1")
ANALYZE = shutil.which("systemd-analyze")
MOST_EXPOSED = {"bridge": 2.0, "edge": 1.5, "central": 1.5, "hq": 1.5, "central@1": 1.5}
"""Of 10; network and broker are what a gateway is for. A unit without these lines scores 9.2."""

needs_systemd = pytest.mark.skipif(
    ANALYZE is None, reason="NOT TESTED: systemd-analyze is not installed: apt-get install systemd"
)


def _unit(room: str) -> str:
    """central@1: the first worker of several, by their template."""
    found = DEPLOY / (
        "central/shelfloop-central@.service" if "@" in room else f"systemd/shelfloop-{room}.service"
    )
    return found.read_text(encoding="utf-8")


@needs_systemd
@pytest.mark.parametrize("room", ROOMS)
def test_systemd_understands_every_line(room: str, tmp_path: Path) -> None:
    unit = tmp_path / f"shelfloop-{room}.service"
    unit.write_text(_unit(room).replace("/opt/shelfloop/bin/shelfloop", "/bin/true"))
    done = subprocess.run(
        [str(ANALYZE), "verify", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if f"shelfloop-{room}" in line]
    assert (done.returncode, told) == (0, [])


@needs_systemd
def test_a_line_that_systemd_does_not_know_is_found(tmp_path: Path) -> None:
    unit = tmp_path / "shelfloop-edge.service"
    text = _unit("edge").replace("/opt/shelfloop/bin/shelfloop", "/bin/true")
    unit.write_text(text.replace("ProtectClock=true", "ProtectClocks=true"))
    done = subprocess.run([str(ANALYZE), "verify", str(unit)], capture_output=True, text=True, check=False)
    assert "ProtectClocks" in done.stderr


@needs_systemd
@pytest.mark.parametrize("room", ROOMS)
def test_systemd_calls_the_exposure_low(room: str, tmp_path: Path) -> None:
    unit = tmp_path / f"shelfloop-{room}.service"
    unit.write_text(_unit(room))
    done = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED[room]


@pytest.mark.parametrize("room", ROOMS)
def test_the_units_wait_for_the_loop_and_watch_it(room: str) -> None:
    lines = _unit(room).splitlines()
    period = "300s" if room.startswith("central") else "60s"
    for line in ("Type=notify", "NotifyAccess=main", f"WatchdogSec={period}", "NoNewPrivileges=true"):
        assert line in lines


def test_the_installer_is_a_shell_script_without_errors_of_form() -> None:
    script = DEPLOY / "gateway/install.sh"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
    told = subprocess.run(["bash", str(script), "--help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^    (--[a-z-]+)\)", script.read_text(), re.MULTILINE))
    assert known
    assert {option for option in known if option not in told} == set()


def test_the_page_names_only_options_that_the_installer_has() -> None:
    page = (DEPLOY.parent / "docs/howto/gateway.md").read_text(encoding="utf-8")
    script = (DEPLOY / "gateway/install.sh").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"deploy/gateway/install\.sh(?:[^\n\\]|\\\n)*", page))
    named = set(re.findall(r"--[a-z][a-z-]+", commands)) | {"--remove-device", "--uninstall", "--purge"}
    assert {"--gateway", "--store", "--central", "--key-file", "--device", "--page-host"} <= named
    assert {option for option in named if f"    {option}" not in script} == set()
    assert len(page.splitlines()) <= 150

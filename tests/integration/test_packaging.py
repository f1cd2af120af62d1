"""The wheel: a gateway installs nothing of the centre's, the centre nothing of the gateway's, and each starts."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from free_ports import free_port
from local_broker import LocalBroker

ROOT = Path(__file__).resolve().parents[2]
NOT_IN_A_GATEWAY = {
    "fastapi",
    "uvicorn",
    "sqlalchemy",
    "nicegui",
    "influxdb-client",
    "pandas",
    "pyarrow",
    "iotcore",
}
NOT_IN_A_CENTRE = {"pyserial", "cobs", "nicegui", "pandas", "pyarrow", "iotcore"}
START_S = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the tree and nothing that lies there gets in."""
    source = tmp_path_factory.mktemp("source") / "shelfloop"
    away = shutil.ignore_patterns(
        ".git", ".venv", "build", "dist", "var", "tests", "*.egg-info", "__pycache__", ".*_cache"
    )
    shutil.copytree(ROOT, source, ignore=away, symlinks=True)
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(out), str(source))
    (built,) = out.glob("shelfloop-*.whl")
    return built


def _run(*command: str, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _install(folder: Path, wheel: Path, extra: str) -> Path:
    """The venv's `bin`, with the wheel and one extra at the pinned versions."""
    _run(sys.executable, "-m", "venv", str(folder))
    constraints = str(ROOT / "constraints.txt")
    python = str(folder / "bin" / "python")
    _run(
        python, "-m", "pip", "install", "--quiet", "-c", constraints, f"shelfloop[{extra}] @ {wheel.as_uri()}"
    )
    return folder / "bin"


def _installed(bin_folder: Path) -> set[str]:
    listed = json.loads(_run(str(bin_folder / "python"), "-m", "pip", "list", "--format", "json"))
    return {each["name"].lower().replace("_", "-") for each in listed}


def _status_of_started(command: list[str], cwd: Path, port: int) -> dict[str, object]:
    """What /status says once the process serves it; the process is ended by SIGTERM, and must end orderly."""
    log = cwd / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_S
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=2) as answer:
                    found: dict[str, object] = json.loads(answer.read())
                    break
            except OSError:
                time.sleep(0.1)
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return found


def _needs_extra(command: str, folder: Path, room: str, settings: list[str]) -> None:
    """A room whose packages are absent says which extra brings them."""
    config = folder / f"{room}.toml"
    config.write_text("\n".join(settings))
    refused = subprocess.run(
        [command, room, "run", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=180,
    )
    assert refused.returncode == 78, refused.stderr
    assert f"pip install 'shelfloop[{room}]'" in refused.stderr


def _doctor_misses_no_package(command: str, room: str, config: Path) -> None:
    """What else the doctor says of a machine of tests (its clock, its disk) is not this test's."""
    asked = [command, "doctor", f"--{room}", str(config)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=config.parent, timeout=180)
    (line,) = [line for line in done.stdout.splitlines() if f"{room} packages" in line]
    assert line.startswith("ok "), done.stdout + done.stderr


def test_a_gateway_installs_without_the_centre_and_starts(
    wheel: Path, tmp_path: Path, local_broker: LocalBroker
) -> None:
    bin_folder = _install(tmp_path / "venv", wheel, "edge")
    assert _installed(bin_folder) & NOT_IN_A_GATEWAY == set()
    command = str(bin_folder / "shelfloop")
    key = tmp_path / "gateway.key"
    key.write_text("slg_not-yet-known-to-any-centre\n")
    key.chmod(0o600)
    port = free_port()
    config = tmp_path / "edge.toml"
    config.write_text(
        f'gateway = "gw-1"\nstore = "store-1"\nstate_dir = "{tmp_path / "state"}"\nbroker_port = {local_broker.port}\n'
        f'central_url = "http://127.0.0.1:{free_port()}"\nkey_file = "{key}"\nstatus_port = {port}\n'
    )
    _run(command, "edge", "check", "--config", str(config), cwd=tmp_path)
    _doctor_misses_no_package(command, "edge", config)
    status = _status_of_started([command, "edge", "run", "--config", str(config)], tmp_path, port)
    assert "backlog" in status
    _needs_extra(command, tmp_path, "hq", ['central_url = "http://127.0.0.1:1"', f'token_file = "{key}"'])


def test_the_centre_installs_without_the_gateway_and_starts(wheel: Path, tmp_path: Path) -> None:
    bin_folder = _install(tmp_path / "venv", wheel, "central")
    assert _installed(bin_folder) & NOT_IN_A_CENTRE == set()
    command = str(bin_folder / "shelfloop")
    port = free_port()
    config = tmp_path / "central.toml"
    config.write_text(f'state_dir = "{tmp_path / "state"}"\nport = {free_port()}\nstatus_port = {port}\n')
    _run(command, "central", "init", "--config", str(config), cwd=tmp_path)
    _run(command, "central", "check", "--config", str(config), cwd=tmp_path)
    _doctor_misses_no_package(command, "central", config)
    status = _status_of_started([command, "central", "run", "--config", str(config)], tmp_path, port)
    assert "backlog" in status
    ports = 'ports = [{path = "/dev/ttyACM*"}]'
    devices = 'devices = {"uid-1" = "shelf-1"}'
    _needs_extra(command, tmp_path, "bridge", ['bridge = "b-1"', f'state_dir = "{tmp_path}"', ports, devices])


def test_the_wheel_carries_the_bundle_and_no_tests(wheel: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(wheel, tmp_path, "zip")
    assert (tmp_path / "models/bundles/demo/demand.onnx").stat().st_size > 1000
    assert (tmp_path / "models/bundles/demo-public-key.pem").is_file()
    assert not (tmp_path / "tests").exists()
    assert (tmp_path / "contract/py.typed").is_file()

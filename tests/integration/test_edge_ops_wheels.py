"""A gateway compiles nothing: each of its packages has a wheel for a Raspberry Pi (and a PC), at its pinned version."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
GLIBC_MINORS = (36, 35, 34, 31, 28, 27, 26, 24, 17)
"""What glibc 2.36 takes: Debian 12 and Raspberry Pi OS of the same age; newer ones take these and more."""
OFFLINE = re.compile(
    r"Max retries|NameResolution|name resolution|Network is unreachable|ConnectionError|ProxyError|timed out"
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _environment(python: str, machine: str) -> dict[str, str]:
    return {
        "platform_machine": machine, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
        "python_version": python, "python_full_version": f"{python}.2", "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }  # fmt: skip


def _required(extra: str, environment: dict[str, str]) -> list[str]:
    """The distribution's own requirements with those of `extra`, and of the extras that it asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, found = [Requirement(text) for text in project["dependencies"]], []
    wanted += [Requirement(text) for text in project["optional-dependencies"][extra]]
    while wanted:
        each = wanted.pop()
        if each.name == project["name"]:
            wanted += [
                Requirement(text)
                for nested in each.extras
                for text in project["optional-dependencies"][nested]
            ]
        elif each.marker is None or each.marker.evaluate(environment):
            found.append(f"{each.name}{each.specifier}")
    return sorted(set(found))


def _pins(environment: dict[str, str]) -> dict[str, str]:
    """Name -> version for such a machine; pip itself would read the markers for this one."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    pins = [Requirement(line) for line in lines if line]
    return {
        each.name.lower().replace("_", "-"): str(each.specifier).removeprefix("==")
        for each in pins
        if each.marker is None or each.marker.evaluate(environment)
    }


@pytest.mark.parametrize(
    ("python", "machine"),
    [
        ("3.11", "aarch64"),
        pytest.param("3.13", "aarch64", marks=pytest.mark.soak),
        pytest.param("3.11", "x86_64", marks=pytest.mark.soak),
    ],
)
def test_every_package_of_a_gateway_has_a_wheel(python: str, machine: str, tmp_path: Path) -> None:
    environment = _environment(python, machine)
    pins = _pins(environment)
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
    report = tmp_path / "report.json"
    asked = [
        sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--disable-pip-version-check", "--ignore-installed",
        "--only-binary", ":all:", "--implementation", "cp", "--python-version", python, "--target", str(tmp_path / "none"),
        "--report", str(report), "-c", str(constraints),
    ]  # fmt: skip
    for platform in (*(f"manylinux_2_{minor}" for minor in GLIBC_MINORS), "manylinux2014"):
        asked += ["--platform", f"{platform}_{machine}"]
    done = subprocess.run(
        [*asked, *_required("edge", environment)], capture_output=True, text=True, check=False, timeout=280
    )
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip(f"NOT TESTED: no package index answers: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    installed = json.loads(report.read_text())["install"]
    wheels = {
        each["metadata"]["name"].lower().replace("_", "-"): each["download_info"]["url"].rpartition("/")[2]
        for each in installed
    }
    assert {"onnxruntime", "numpy", "paho-mqtt", "pyserial"} <= set(wheels)
    assert {
        name: wheel for name, wheel in wheels.items() if not wheel.endswith((f"{machine}.whl", "any.whl"))
    } == {}
    assert {name for name in wheels if name not in pins} == set(), "every package is pinned"
    versions = {
        each["metadata"]["name"].lower().replace("_", "-"): each["metadata"]["version"] for each in installed
    }
    assert {name: version for name, version in versions.items() if pins[name] != version} == {}

"""A virtual environment of a peer's own, for peers that do not resolve beside our packages."""

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

_INSTALLED = "installed.txt"
_INSTALL_SECONDS = 900


def python_with(folder: Path, requirement: str, say: Callable[[str], None]) -> Path | None:
    """The interpreter under `folder` that has `requirement` ("name==version"), installed there when it is not.

    None, and said why and what to do, where it cannot be installed: without network, or on a full disk.
    """
    python, installed = folder / "bin" / "python", folder / _INSTALLED
    if python.exists() and installed.exists() and installed.read_text() == requirement:
        return python
    say(f"making {folder} for {requirement} (once, a minute or two)")
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", requirement]
    try:
        venv.create(folder, with_pip=True)
        done = subprocess.run(install, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        say(_refusal(requirement, str(error)))
        return None
    if done.returncode:
        say(_refusal(requirement, (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]))
        return None
    installed.write_text(requirement)
    return python


def _refusal(requirement: str, why: str) -> str:
    return f"{requirement} is not to be had here, its column is missing: {why}. It needs a network, or PIP_INDEX_URL or PIP_FIND_LINKS to a place that has it; {Path(sys.argv[0]).name} tries again on its next run"

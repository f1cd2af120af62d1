"""Nothing that runs in a shop reports to a library's maker."""

import os
import subprocess
import sys
from pathlib import Path


def test_the_inference_library_keeps_no_machine_id_and_reports_nothing(tmp_path: Path) -> None:
    """With its reports on, it writes a device id and a queue of events into the home folder when a session is made."""
    code = "from models.inference import *; from edge.inference import models_from_settings; print(models_from_settings('', '').name)"
    environment = {
        name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("ORT_")
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True, text=True, check=True, timeout=120, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.stdout.strip()
    assert list(tmp_path.rglob("*")) == []

"""What `shelfloop demo` refuses before anything starts: a run of an hour must not end on a word that was wrong at its start."""

from pathlib import Path

import pytest

from runtime.errors import EXIT_BAD_CONFIG
from simulator.demo import main


def test_a_report_that_cannot_be_written_stops_the_demo_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "absent" / "report.json"
    assert main(["--days", "1", "--speed", "max", "--exit", "--report", str(report)]) == EXIT_BAD_CONFIG
    assert f"--report {report}: name a file in a folder" in capsys.readouterr().err

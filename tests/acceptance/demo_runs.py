"""Runs `shelfloop demo` as a user does, and looks for processes that it left."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class DemoRun:
    status: int
    output: str
    report: dict[str, Any]
    left_over: list[str]


def demo_argv(keep: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "simulator.demo", "--keep", str(keep), "--no-browser", *words]


def run_demo(tmp_path: Path, *words: str, limit_s: float = 800) -> DemoRun:
    keep, report = tmp_path / "demo", tmp_path / "report.json"
    argv = demo_argv(keep, "--speed", "max", "--exit", "--report", str(report), *words)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=False)
    found = json.loads(report.read_text()) if report.exists() else {}
    return DemoRun(done.returncode, done.stdout + done.stderr, found, processes_of(keep))


def processes_of(keep: Path) -> list[str]:
    """Command lines of living processes that name the demo's folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(keep) in word for word in words):
            found.append(" ".join(words))
    return found

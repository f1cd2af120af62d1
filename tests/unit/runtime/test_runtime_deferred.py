"""A deferred module is loaded by its first use, whichever way it is used; until then it costs nothing."""

import subprocess
import sys

import pytest


def said(code: str) -> str:
    """Of a process of its own: this one has everything loaded."""
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.parametrize(
    "use",
    ["asyncio.run", "from asyncio import run", "import asyncio.queues", "from asyncio.locks import Lock"],
)
def test_it_is_loaded_by_any_use(use: str) -> None:
    code = f"""
import sys
from runtime.deferred import defer
defer("asyncio")
import asyncio
before = "asyncio.events" in sys.modules
{use}
import asyncio
print(before, "asyncio.events" in sys.modules, asyncio.run.__module__, asyncio.__spec__.name)
"""
    assert said(code) == "False True asyncio.runners asyncio"


def test_a_gateway_runs_without_an_event_loops_memory() -> None:
    code = "import sys, edge.__main__, edge.process; print('asyncio.events' in sys.modules)"
    assert said(code) == "False"


def test_a_centre_runs_without_the_memory_of_httpx_own_command() -> None:
    code = """
import sys
import central.__main__, central.process
import httpx
print("httpx" in sys.modules, "rich" in sys.modules, "pygments" in sys.modules, httpx.Client.__name__)
"""
    assert said(code) == "True False False Client"

"""docs/howto/centre-in-50-lines.md: a gateway of ours streams to a centre that a stranger wrote."""

import json
import re
import sqlite3
import time
from pathlib import Path

import pytest
from howto_runner import PAGES, howto

pytestmark = [
    pytest.mark.slow,
]
WAIT_S = 60


def _records(folder: Path, kind: str) -> list[dict[str, object]]:
    with sqlite3.connect(f"file:{folder / 'centre.sqlite3'}?mode=ro", uri=True) as db:
        return [json.loads(text) for (text,) in db.execute("SELECT row FROM record WHERE kind = ?", (kind,))]


def _wait_for(folder: Path, kind: str, count: int) -> list[dict[str, object]]:
    deadline = time.monotonic() + WAIT_S
    while len(found := _records(folder, kind)) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} {kind} records came"
        time.sleep(0.1)
    return found


def test_a_strangers_centre_gets_what_a_till_sold_exactly_once(tmp_path: Path) -> None:
    with howto(tmp_path) as run:
        run.follow("centre-in-50-lines.md")
        run.follow("gateway.md")
        printed = run.follow("till-and-shelf-by-mosquitto-pub.md", upto="HQ sees the sale")
        assert json.loads(printed[-2]) == {"boot_id": "b1", "through_seq": 1}
        (receipt,) = _wait_for(tmp_path, "receipt", 1)
        assert receipt["total_cents"] == 398

        run.follow(
            "till-and-shelf-by-mosquitto-pub.md", after="… and pays.", upto="The gateway has it on disk"
        )
        run.run("""
            mosquitto_pub -q 1 -t shelfloop/1/till-1/receipt -m '{"device": "till-1", "boot_id": "b1", "seq": 2,
              "t_device_ms": 9000, "t_event_ms": '$(date +%s)000', "clock_quality": "synced", "register_id": "till-1",
              "business_date": "'$(TZ=Europe/Berlin date +%F)'", "sequence": 2, "total_cents": 199,
              "lines": [{"kind": "sale", "gtin": "9521234567899", "quantity_units": 1, "extended_cents": 199}]}'
        """)
        receipts = _wait_for(tmp_path, "receipt", 2)
        assert sorted(receipt["sequence"] for receipt in receipts) == [1, 2]
        seqs = (
            sqlite3.connect(tmp_path / "centre.sqlite3")
            .execute("SELECT seq FROM record ORDER BY seq")
            .fetchall()
        )
        assert [seq for (seq,) in seqs] == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("page", ["centre-in-50-lines.md", "gateway-in-50-lines.md"])
def test_fifty_lines_are_at_most_fifty_and_need_no_python_of_ours(page: str) -> None:
    (code,) = re.findall(r"^```python \S+\n(.*?)^```$", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 50
    imported = set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE))
    assert imported <= {"json", "sqlite3", "sys", "time", "urllib", "uuid", "http", "zstandard"}

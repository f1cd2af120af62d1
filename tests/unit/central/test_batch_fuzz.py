"""Mutated batches at the centre's door: no fault, no wrong fact, no growth. A few thousand here, a million in the soak."""

import copy
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import psutil
import pytest
import zstandard
from central_rows import START_MS, alert, level, proposal, receipt, sale, window
from soak import IS_SOAK, tell
from test_ledger import GATEWAY, STORE, Bench

from central.api.batches import is_small
from central.errors import CentralError
from central.ingestion import take_batch
from contract.batch import MAX_BODY_BYTES, batch_from_records
from contract.batch_reading import read_batch
from contract.errors import ContractError

MUTATIONS = 1_000_000 if IS_SOAK else 800
COMPARED_EVERY = 10_000
"""Batches between two comparisons with the ledger: a fault is then found near what caused it."""
GROWTH_MB = 60
GROUP = 64
"""Batches that share a transaction, as the writer groups them: a sync each would make the million a night's work."""
NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**53, 2**63, 2**64, -(2**63), 1.5, 1e308, "", "0", "x" * 1_000, "\ud800", "\x00", "Ä–日", [], {},
    [[]], {"a": 1}, "2017-13-45", "store-2", "sku-1",
)  # fmt: skip


def template() -> str:
    """A good batch of the rows that count, as JSON, with seq 1 to 6 and receipts 1 and 2."""
    rows = [
        receipt(1, [sale(1, 2), sale(2, 1)]), receipt(2, [sale(3, 1)]), window(1), level(1), proposal(1), alert(),
    ]  # fmt: skip
    numbered = [row.model_copy(update={"seq": place}) for place, row in enumerate(rows, 1)]
    batch = batch_from_records(
        gateway=GATEWAY, store=STORE, epoch="e", sent_at_ms=START_MS, have={}, rows=numbered
    )
    return batch.to_json().decode()


TEMPLATE = template()


def base_batch(number: int, epoch: str, seq: int) -> dict[str, Any]:
    """The good batch after `seq` of `epoch`, whose receipts have numbers of their own."""
    tree: dict[str, Any] = json.loads(TEMPLATE)
    tree["epoch"] = epoch
    tree["seq_from"] += seq
    tree["seq_to"] += seq
    for columns in tree["records"].values():
        columns["seq"] = [place + seq for place in columns["seq"]]
    tree["records"]["receipt"]["sequence"] = [3 * number + 1, 3 * number + 2]
    return tree


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in parts:
        found += places(value, (*path, key))
    return found


PLACES = places(base_batch(0, "e", 0))


def mutate_tree(mutated: dict[str, Any], lots: random.Random) -> dict[str, Any]:
    """The batch of `base_batch`, changed in place."""
    for step in range(lots.choice((1, 1, 1, 2, 5))):
        path = lots.choice(places(mutated) if step else PLACES)
        parent: Any = mutated
        for key in path[:-1]:
            parent = parent[key]
        act = lots.randrange(5)
        if act == 0:
            del parent[path[-1]]
        elif act == 1 and isinstance(parent, list):
            parent.insert(path[-1], copy.deepcopy(parent[path[-1]]))
        elif act == 2 and isinstance(parent[path[-1]], int):
            parent[path[-1]] += lots.choice((-1, 1, 1000, -(10**6)))
        elif act == 3 and isinstance(parent, dict):
            parent[lots.choice(("v", "seq", "at_ms", "extra", "kept_from_seq"))] = lots.choice(NASTY)
        else:
            parent[path[-1]] = lots.choice(NASTY)
        if not mutated:
            break
    return mutated


def mutate_bytes(body: bytes, lots: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(lots.choice((1, 1, 2, 8))):
        at = lots.randrange(len(changed) or 1)
        act = lots.randrange(4)
        if act == 0 and changed:
            changed[at % len(changed)] ^= 1 << lots.randrange(8)
        elif act == 1:
            del changed[at:]
        elif act == 2:
            changed[at:at] = lots.randbytes(lots.randrange(1, 9))
        else:
            changed[at:at] = changed[: lots.randrange(len(changed) + 1)]
    return bytes(changed)


def mutated_body(tree: dict[str, Any], lots: random.Random) -> tuple[bytes, str]:
    """(body, encoding)."""
    if lots.random() < 0.7:
        body = json.dumps(mutate_tree(tree, lots)).encode()
        return (body, "") if lots.random() < 0.5 else (zstandard.compress(body, 1), "zstd")
    body = json.dumps(tree).encode()
    if lots.random() < 0.5:
        return mutate_bytes(body, lots), ""
    return mutate_bytes(zstandard.compress(body, 1), lots), lots.choice(("zstd", "zstd", "", "gzip"))


class Expected:
    """What the receipts in the ledger must be. In a file: a million of them in memory would hide growth of the centre's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(
            "CREATE TABLE receipt (day TEXT, till TEXT, number INTEGER, cents INTEGER, PRIMARY KEY (day, till, number))"
        )

    def add(self, day: str, till: str, number: int, cents: int) -> None:
        self._db.execute("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, ?)", (day, till, number, cents))

    def differences(self, ledger: Path) -> tuple[int, list[Any]]:
        """(how many are expected, those that stand on one side only)."""
        self._db.execute("ATTACH ? AS ledger", (str(ledger),))
        ours, theirs = (
            "SELECT day, till, number, cents FROM receipt",
            "SELECT business_date, register_id, sequence, total_cents FROM ledger.receipts",
        )
        found = self._db.execute(
            f"SELECT * FROM ({ours} EXCEPT {theirs}) UNION ALL SELECT * FROM ({theirs} EXCEPT {ours})"
        ).fetchmany(10)
        count = self._db.execute("SELECT count(*) FROM receipt").fetchone()[0]
        self._db.execute("DETACH ledger")
        return count, found


class Door:
    """What POST …/batches does with a body, without the HTTP: any other exception than a refusal would be a 5xx."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        self.bench.put_supply()
        self.taken = self.refused = 0
        self.through = 0
        self.expected = Expected(folder / "expected.sqlite3")
        self._transaction = self.bench.centre.writer.transaction(START_MS)
        self._in_group = 0

    def post(self, body: bytes, encoding: str, epoch: str) -> None:
        before = self.through
        try:
            batch, rows = read_batch(body, encoding)
            if (batch.gateway, batch.store) != (GATEWAY, STORE):
                self.refused += 1
                return
            # A refusal comes before anything is written: as in the writer, the others of the group do not notice.
            answer = self.bench.centre.store_job(STORE, lambda work: take_batch(work, batch, rows))(
                self._transaction
            )
        except (ContractError, CentralError):
            self.refused += 1
            return
        self._in_group += 1
        if self._in_group == GROUP:
            self.commit()
        self.taken += 1
        if batch.epoch == epoch:
            self.through = answer.acked_through
        rejected = {bad.seq for bad in answer.rejected}
        if answer.verdict.value in ("new", "overlap", "lost"):
            self._expect(body, encoding, rejected, before if batch.epoch == epoch else -1)

    def commit(self) -> None:
        self._transaction.commit()
        self._transaction.close()
        self._transaction = self.bench.centre.writer.transaction(START_MS)
        self._in_group = 0

    def _expect(self, body: bytes, encoding: str, rejected: set[int], before: int) -> None:
        """What the accepted bytes say of receipts, read without any code of ours."""
        plain = zstandard.ZstdDecompressor().decompressobj().decompress(body) if encoding == "zstd" else body
        columns = json.loads(plain).get("records", {}).get("receipt", {})
        names = ("seq", "business_date", "register_id", "sequence", "total_cents")
        count = len(columns.get("seq", []))
        for seq, *key, cents in zip(*(columns.get(name, [None] * count) for name in names), strict=True):
            if seq not in rejected and seq > before:
                self.expected.add(key[0], key[1], key[2], cents)


@pytest.mark.timeout(24 * 3600 if IS_SOAK else 300)
@pytest.mark.parametrize("seed", [1])
def test_mutated_batches_make_no_fault_no_wrong_fact_and_no_growth(tmp_path: Path, seed: int) -> None:
    lots, door = random.Random(seed), Door(tmp_path)
    process, rss_mb = psutil.Process(), 0.0
    epoch = "e-0"
    for number in range(MUTATIONS):
        if door.through > 10**6:  # a mutation jumped ahead: what follows would all be old
            epoch, door.through = f"e-{number}", 0
        tree = base_batch(number, epoch, door.through)
        body, encoding = mutated_body(tree, lots)
        is_small(body, encoding)
        door.post(body, encoding, epoch)
        if number % 10 == 0:  # and a good one now and then: the door must still open
            good = json.dumps(base_batch(number + MUTATIONS, epoch, door.through)).encode()
            refused = door.refused
            door.post(good, "", epoch)
            assert door.refused == refused
        if number == MUTATIONS // 3:
            rss_mb = process.memory_info().rss / 2**20
        if (number + 1) % COMPARED_EVERY == 0:
            door.commit()
            count, different = door.expected.differences(tmp_path / "ledger.sqlite3")
            assert different == [], f"after {number + 1} batches"
            now_mb = process.memory_info().rss / 2**20
            print(f"{number + 1} mutated batches, {count} receipts as expected, {now_mb:.0f} MB", flush=True)
        tell("mutated batches")
    grown_mb = process.memory_info().rss / 2**20 - rss_mb
    door.commit()
    count, different = door.expected.differences(tmp_path / "ledger.sqlite3")
    assert different == []
    assert count > MUTATIONS // 20
    assert door.taken > MUTATIONS // 20
    assert door.refused > MUTATIONS // 20
    assert grown_mb < GROWTH_MB, f"{grown_mb:.0f} MB more after {MUTATIONS} batches"


def test_a_bomb_is_refused_before_it_grows() -> None:
    bombs = [zstandard.compress(b"\0" * (200 * 2**20), 3)]
    bombs.append(bombs[0] + bombs[0])
    frame = zstandard.ZstdCompressor(level=3, write_content_size=False).compressobj()
    bombs.append(frame.compress(b"[" * (100 * 2**20)) + frame.flush())
    process = psutil.Process()
    before = process.memory_info().rss
    for bomb in bombs * 5:
        assert len(bomb) < 100_000
        assert not is_small(bomb[:4_096] if len(bomb) > 4_096 else bomb, "zstd")
        with pytest.raises(ContractError):
            read_batch(bomb, "zstd")
    assert process.memory_info().rss - before < 12 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("body", "encoding", "small"),
    [
        (b"{}", "", True),
        (b"x" * 4_097, "", False),
        (zstandard.compress(b"{}"), "zstd", True),
        (zstandard.compress(b"0" * 65_537), "zstd", False),
        (b"no frame", "zstd", True),
    ],
)
def test_only_what_is_small_when_read_is_read_between_other_requests(
    body: bytes, encoding: str, small: bool
) -> None:
    assert is_small(body, encoding) is small

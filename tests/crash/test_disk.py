"""Disks that are full, that lie, that lose power in the midst of a write; and files that somebody copied."""

import os
import random
import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from edge_rig import gtin, receipt
from soak import IS_SOAK, seeds, tell

SECTOR = 512


# ---- full ----


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a few MB; None where this user may not mount one."""
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    place.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 12_000_000)
    made = subprocess.run(["/sbin/mkfs.ext4", "-q", "-m", "0", str(image)], capture_output=True, check=False)
    mounted = made.returncode == 0 and not subprocess.run(
        ["mount", "-o", "loop", str(image), str(place)], capture_output=True, check=False
    ).returncode  # fmt: skip
    yield place if mounted else None
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk_acknowledges_nothing_and_goes_on_by_itself_once_there_is_room(shop, small_disk):
    if small_disk is None:
        pytest.skip("this user may not mount a file system of a few MB; the test with a quota stands for it")
    _move_state_to(shop, small_disk / "state")
    chance = random.Random(1)
    shop.open()
    shop.trade(chance, 30)
    shop.wait(shop.is_stored, "everything stored while there is room")
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="space"):
        fill(ballast)
    tell("full disks")
    # The log may have room of its own; sooner or later nothing goes any more.
    shop.wait(lambda: (shop.trade(chance, 40), _has_disk_problem(shop))[1], "the disk's refusal")
    for _ in range(3 if IS_SOAK else 1):
        shop.kill()
        shop.spawn()  # it may not even start: systemd tries again
        time.sleep(1.0)
        shop.trade(chance, 10)
    assert not shop.is_stored()
    freed_s = time.monotonic()
    ballast.unlink()
    shop.wait_up()
    shop.recovered(freed_s)
    shop.settle()
    assert not _has_disk_problem(shop)
    shop.check_books()
    assert len(shop.door.acked) == 1


def test_a_quota_that_ends_is_a_full_disk_too(shop):
    """Without any privilege: no file of the gateway may grow past a limit, until the limit is lifted."""
    chance = random.Random(2)
    shop.open()
    process = shop.gateway.process.pid
    shop.wait(shop.is_stored, "everything stored")
    log_bytes = (shop.state / "edge.sqlite-wal").stat().st_size
    resource.prlimit(process, resource.RLIMIT_FSIZE, (log_bytes + 20_000, resource.RLIM_INFINITY))
    tell("full disks")
    shop.wait(lambda: (shop.trade(chance, 40), _has_disk_problem(shop))[1], "the disk's refusal")
    assert not shop.is_stored()
    freed_s = time.monotonic()
    resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    shop.recovered(freed_s)
    shop.settle()
    shop.check_books()
    assert len(shop.door.acked) == 1


def fill(path):
    with path.open("wb", buffering=0) as file:
        for _ in range(1000):
            file.write(bytes(65_536))


def _has_disk_problem(shop):
    return any("disk" in problem or "edge.sqlite" in problem for problem in shop.status()["problems"])


def _move_state_to(shop, folder):
    text = shop.gateway.config.read_text().replace(str(shop.state), str(folder))
    shop.gateway.config.write_text(text)
    shop.state = folder


# ---- damaged ----


def damage(chance, path):
    """One of: a bit, a page of zeros, noise, the end missing, in the file or in its log."""
    log = path.with_name(path.name + "-wal")
    target = chance.choice([path, path, log]) if log.exists() and log.stat().st_size else path
    content = bytearray(target.read_bytes())
    kind = chance.choice(["bit", "bit", "bit", "zeros", "noise", "torn"])
    at = chance.randrange(len(content))
    if kind == "bit":
        content[at] ^= 1 << chance.randrange(8)
    elif kind == "torn":
        del content[at:]
    else:
        page = at - at % 1024
        end = min(len(content), page + 1024)
        content[page:end] = bytes(end - page) if kind == "zeros" else chance.randbytes(end - page)
    target.write_bytes(content)
    return f"{kind} of the {'log' if target == log else 'file'}"


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", seeds(1, 12))
def test_a_damaged_database_is_set_aside_and_declared_and_the_service_goes_on(shop, seed):
    """What was in it and not yet sent is gone: a gap says so. Nothing counts twice, and what comes after is all there."""
    chance = random.Random(seed)
    shop.open()
    for _ in range(4 if IS_SOAK else 1):
        shop.trade(chance, 30)
        shop.wait(shop.is_stored, "everything stored")
        shop.door.is_open = chance.random() < 0.5  # with and without rows that only the file has
        shop.trade(chance, 30)
        shop.wait(shop.is_stored, "everything stored")
        shop.kill()
        what = damage(chance, shop.state / "edge.sqlite")
        tell("damaged databases")
        shop.door.is_open = True
        gaps = len(shop.gaps())
        known = len(shop.ledger("sequence", "receipts"))
        killed_s = time.monotonic()
        shop.trade(chance, 10)
        shop.spawn()
        shop.recovered(killed_s)
        shop.settle()
        receipts = len(shop.ledger("sequence", "receipts"))
        lost = len(shop.till.sold) - receipts
        declared = len(shop.gaps()) - gaps
        assert receipts >= known + 10, (
            what,
            shop.ledger("*", "gaps"),
            shop.ledger("*", "positions"),
            shop.status(),
        )
        if lost and not declared:
            raise AssertionError(f"{what}: {lost} receipts lost and no gap declared")
        if lost:
            # What is lost is declared and forgotten, so that the next round's loss is its own.
            sequences = {number for (number,) in shop.ledger("sequence", "receipts")}
            shop.till.sold = {
                number: units for number, units in shop.till.sold.items() if number in sequences
            }
    shop.check_books(may_declare=True)


# ---- power ----


def cut_power(chance, live: Path, synced: Path):
    """The state folder as a disk might hold it: what was synced, and of the rest any sectors that happened to be written."""
    after = live.with_name("after-the-cut")
    shutil.rmtree(after, ignore_errors=True)
    after.mkdir()
    for path in live.iterdir():
        if path.is_dir() or path.name.endswith("-shm"):
            continue
        base = (synced / path.name).read_bytes() if (synced / path.name).exists() else None
        now = path.read_bytes()
        if base is None:
            if chance.random() < 0.5:
                (after / path.name).write_bytes(now)
            continue
        length = len(base) if len(base) == len(now) else chance.choice([len(base), len(now)])
        content = bytearray(base[:length].ljust(length, b"\0"))
        for at in range(0, min(length, len(now)), SECTOR):
            if now[at : at + SECTOR] != base[at : at + SECTOR] and chance.random() < 0.5:
                content[at : at + SECTOR] = now[at : at + SECTOR]
        (after / path.name).write_bytes(content)
    for path in live.iterdir():
        if path.is_dir():
            shutil.copytree(path, after / path.name)
    shutil.rmtree(live)
    after.rename(live)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", seeds(1, 10))
def test_a_power_cut_takes_nothing_that_was_acknowledged(shop, seed):
    chance = random.Random(seed)
    shop.open()
    shop.kill()
    synced = shop.folder / "synced"
    for _ in range(6 if IS_SOAK else 1):
        shutil.rmtree(synced, ignore_errors=True)
        synced.mkdir()
        for path in shop.state.iterdir():
            if path.is_file() and not path.name.endswith("-shm"):
                shutil.copy2(path, synced / path.name)
        at = (
            f"{chance.choice(['write 150', 'write 60', 'sync 20', 'sync 7'])}"
            if chance.random() < 0.5
            else ""
        )
        shop.spawn(**shop.preload(POWER_DIR=str(synced), CRASH_AT=at))
        until_s = time.monotonic() + chance.uniform(2, 5)
        while shop.is_running and time.monotonic() < until_s:
            shop.trade(chance, 5)
            time.sleep(0.1)
        shop.kill()
        tell("power cuts")
        cut_power(chance, shop.state, synced)
        cut_s = time.monotonic()
        shop.spawn()
        shop.wait_up()
        shop.recovered(cut_s)
        shop.wait(shop.is_stored, "everything stored")
        shop.kill()
    shop.spawn()
    shop.settle()
    shop.check_books()
    assert len(shop.door.acked) == 1


# ---- copied ----


def test_a_backup_put_back_is_noticed_by_its_epoch_and_nothing_counts_twice(shop):
    chance = random.Random(3)
    shop.open()
    shop.trade(chance, 30)
    shop.settle()
    shop.kill()
    shutil.copytree(shop.state, shop.folder / "backup")
    shop.spawn()
    shop.wait_up()
    shop.trade(chance, 30)
    shop.settle()
    epoch = shop.status()["epoch"]
    shop.kill()
    shutil.rmtree(shop.state)
    (shop.folder / "backup").rename(shop.state)
    tell("backups put back")
    shop.trade(chance, 30)
    shop.spawn()
    shop.settle()
    assert shop.status()["epoch"] != epoch
    gaps = shop.gaps()
    assert ("gateway", epoch) in [(declared_by, lost_epoch) for declared_by, _, lost_epoch in gaps]
    # The till's numbers show the hole, too; that its events are at HQ by the other file, the gateway cannot know.
    assert all(lost_epoch == epoch or "events of device till-1" in what for _, what, lost_epoch in gaps)
    sequences = sorted(number for (number,) in shop.ledger("sequence", "receipts"))
    assert sequences == sorted(shop.till.sold)
    shop.check_books(may_declare=True)


def test_a_new_gateway_takes_over_and_what_the_till_kept_counts_once(shop):
    chance = random.Random(4)
    shop.open()
    shop.trade(chance, 30)
    shop.settle()
    epoch = shop.status()["epoch"]
    shop.kill()
    shutil.rmtree(shop.state)
    tell("gateways replaced")
    # The till sends again what it had kept: all of its day, as one does whose gateway is new.
    for number, units in shop.till.sold.items():
        shop.till.send(
            "receipt", shop.now_ms, **receipt(number, [(gtin(1 + number % 3), units, 100)], register="till-1")
        )
    shop.spawn()
    shop.settle()
    assert shop.status()["epoch"] != epoch
    sequences = sorted(number for (number,) in shop.ledger("sequence", "receipts"))
    assert sequences == sorted(shop.till.sold)
    shop.check_books(may_declare=True)

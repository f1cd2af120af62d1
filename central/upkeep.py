"""`shelfloop central migrate | backup | restore | import | audit verify`: what is done to the ledger beside the running centre."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from central.import_command import add_import
from central.replaying import add_replay, run_replay
from central.settings import CentralSettings
from runtime.clock import clock_from_setting
from runtime.errors import EXIT_FAULT, EXIT_OK

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from central.ledger.engine import Ledger

Make = Callable[..., argparse.ArgumentParser]
SHOWN_HEADS = 10


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Make) -> None:
    """command: (of, name, text, run) makes one that has --config."""
    made = command(
        commands, "migrate", "Bring the ledger's tables to this version; stop the centre first.", _migrate
    )
    made.add_argument(
        "--check", action="store_true", help="change nothing; status 1 when a migration is missing"
    )
    made = command(commands, "backup", "Write the whole ledger into one file; the centre may run.", _back_up)
    made.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="made new, readable for its owner only"
    )
    made = command(
        commands, "restore", "Fill an empty ledger from a backup; stop the centre first.", _restore
    )
    made.add_argument(
        "--from", dest="source", type=Path, required=True, metavar="FILE", help="what `backup` wrote"
    )
    add_replay(
        command(
            commands,
            "replay",
            "Play the ledger's newest weeks under a changed rule or bundle, and show the difference in orders, cost, "
            "stock-outs and waste. Changes nothing.",
            run_replay,
        )
    )
    add_import(commands, command)
    command(
        commands,
        "prune",
        "Forget at once what has had its time by the settings; stop the centre first.",
        _prune,
    )
    audit = commands.add_parser("audit", help="The audit's chains.").add_subparsers(required=True)
    made = command(
        audit,
        "verify",
        "Read all chains and the rows they vouch for, and say where one was changed; status 1 when one was.",
        _verify,
    )
    made.add_argument(
        "--heads", type=Path, metavar="FILE",
        help="where the chains' ends are kept, best on another machine: compared with, then written anew when all hold",
    )  # fmt: skip


def _migrate(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    with _ledger(settings) as ledger:
        pending = ledger.pending() if arguments.check else ledger.create()
    if not pending:
        print(f"ledger {ledger.shown}: nothing to migrate")
    elif arguments.check:
        print(
            f"ledger {ledger.shown}: lacks {', '.join(pending)}; back it up, then run `migrate` without --check"
        )
        return EXIT_FAULT
    else:
        print(f"ledger {ledger.shown}: done {', '.join(pending)}")
    return EXIT_OK


def _back_up(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.ledger.backup import back_up  # noqa: PLC0415

    with _ledger(settings) as ledger:
        ledger.require()
        count = back_up(ledger, arguments.out)
    print(f"{arguments.out}: {count} rows")
    return EXIT_OK


def _restore(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.ledger.backup import restore  # noqa: PLC0415

    with _ledger(settings) as ledger:
        ledger.require()
        count = restore(ledger, arguments.source)
    print(
        f"ledger {ledger.shown}: {count} rows restored; bundles, keys and secrets in files are not part of it"
    )
    return EXIT_OK


def _prune(settings: CentralSettings, _: argparse.Namespace) -> int:
    from central.ledger import store_rows, unsummed  # noqa: PLC0415
    from central.ledger.running import alone_on  # noqa: PLC0415
    from central.retention import drop_whole_months, prune_store  # noqa: PLC0415
    from central.timeseries.projection import mark_changed  # noqa: PLC0415

    with _ledger(settings) as ledger, alone_on(ledger, "prune"):
        ledger.require()

        def transact(_: str, job: "Callable[[Connection], None]") -> None:
            with ledger.write.begin() as connection:
                job(connection)

        with ledger.read.connect() as connection:
            stores = store_rows.zones(connection)
        now_ms = clock_from_setting(settings.clock_file).now_ms()
        dropped: Counter[str] = Counter()
        now = [(store, ZoneInfo(zone), now_ms) for store, zone in stores]
        if months := drop_whole_months(ledger, transact, settings, now):
            dropped["receipts' months, as whole tables"] = len(months)
        for store, zone, at_ms in now:
            with ledger.write.begin() as connection:
                # Sums that wait are made of facts, which may be among those that go.
                changed_ms = unsummed.sum_up(connection, store, zone)
                mark_changed(connection, store, changed_ms if settings.influx_url else set())
            for table, rows in prune_store(ledger, transact, settings, store, zone, at_ms):
                dropped[table] += rows
    said = ", ".join(f"{rows} of {table}" for table, rows in sorted(dropped.items()))
    if said:
        from central.operator_work import OPERATOR, operator_work  # noqa: PLC0415

        with operator_work(settings) as work:
            work.audit(OPERATOR, "prune", "what had its time", said[:300])
    print(said or "nothing is old enough")
    return EXIT_OK


def _verify(settings: CentralSettings, arguments: argparse.Namespace) -> int:
    from central.audit_heads import heads_from, write_heads  # noqa: PLC0415
    from central.ledger.audit_check import verify_audit  # noqa: PLC0415

    kept = heads_from(arguments.heads)
    with _ledger(settings) as ledger:
        ledger.require()
        with ledger.read.connect() as connection:
            report = verify_audit(connection, kept, clock_from_setting(settings.clock_file).now_ms())
    for broken in report.breaks:
        entry = f", entry {broken.number}" if broken.number else ""
        print(f"{broken.store or 'the chain'}{entry}: {broken.why}")
    if arguments.heads is not None and not report.breaks:
        write_heads(arguments.heads, report.heads)
    for store, (number, digest) in list(report.heads.items())[:SHOWN_HEADS]:
        print(f"{store or 'the chain'} ends at entry {number}, {digest}")
    if len(report.heads) > SHOWN_HEADS:
        print(f"and {len(report.heads) - SHOWN_HEADS} more; --heads FILE keeps all")
    heads = f"{report.chains} chains, {report.entries} entries, {report.rows} rows they vouch for"
    print(f"{heads}: {len(report.breaks)} do not hold" if report.breaks else f"{heads}: all hold")
    return EXIT_FAULT if report.breaks else EXIT_OK


@contextmanager
def _ledger(settings: CentralSettings) -> "Iterator[Ledger]":
    from central.ledger.engine import Ledger  # noqa: PLC0415 - other commands need no database

    ledger = Ledger(settings.url)
    try:
        yield ledger
    finally:
        ledger.close()

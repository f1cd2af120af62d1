"""What a new pack does to orders of which nobody outside has heard: they are in whole new packs, rounded down, or none."""

from central.context import Work
from central.core.lifecycle import WAITING
from central.ledger import restock_rows as rows
from central.trigger_moves import end_unsent

TRANSFER = "transfer"


def repack_unsent(work: Work, sku: str) -> None:
    """Of `sku`, whose supply line has its new pack already. Goods carried from shop to shop have no pack."""
    line = work.store.supply[sku]
    for trigger in list(work.store.triggers.values()):
        is_unsent = trigger.state in WAITING or trigger.held_until_ms is not None
        if trigger.sku != sku or trigger.kind == TRANSFER or not is_unsent:
            continue
        row = rows.trigger_row(work.connection, trigger.trigger_id)
        if row is None or row["pack_units"] == line.pack_units:
            continue
        units = trigger.quantity_units // line.pack_units * line.pack_units
        if units < max(line.pack_units, line.min_order_units):
            end_unsent(work, trigger, f"packs are of {line.pack_units} units now, and less was to be ordered")
            continue
        value = row["value_cents"] * units // max(trigger.quantity_units, 1)
        work.audit("the rule", "repack", trigger.trigger_id, f"{units} units in packs of {line.pack_units}")
        trigger.quantity_units, trigger.revision = units, trigger.revision + 1
        rows.repack(
            work.connection, work.store.store, trigger.number, quantity=units, value=value, revision=trigger.revision,
            pack=line.pack_units,
        )  # fmt: skip
        work.changed_triggers.add(trigger.trigger_id)
        work.supply_changed = True

"""Whether a giver can still spare what a transfer would take, when somebody says yes to it: it may have sold since."""

import json
from collections.abc import Mapping
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from central.core.evidence import outlook_from
from central.errors import ConflictError

_ON_HAND = sa.text("SELECT on_hand_units FROM stock WHERE store_id = :giver AND sku = :sku")
_LEAVING = sa.text(
    """SELECT coalesce(sum(coalesce(shipped_units, quantity_units)), 0) FROM triggers WHERE kind = 'transfer'
    AND supplier = :giver AND sku = :sku AND trigger_id <> :trigger
    AND state IN ('approved', 'sent', 'acknowledged', 'ordered', 'shipped')"""
)


def spare_of(connection: Connection, row: Mapping[str, object]) -> int:
    """What the giver of the transfer `row` can spare now, without what others take; as much as is asked where its stock is unknown.

    Its demand is that of the forecasts that the transfer was proposed from; its stock is today's.
    """
    named = {"giver": row["supplier"], "sku": row["sku"], "trigger": row["trigger_id"]}
    on_hand = connection.execute(_ON_HAND, named).scalar()
    if on_hand is None:
        return int(str(row["quantity_units"]))
    leaving = int(connection.execute(_LEAVING, named).scalar_one())
    outlook = outlook_from(json.loads(str(row["inputs"]))["giver"])
    return replace(outlook, on_hand_units=max(0, int(on_hand) - leaving)).spare_units()


def require_spare(connection: Connection, row: Mapping[str, object], quantity_units: int) -> None:
    """row: of the transfer's trigger. Raises ConflictError when the giver would fall below its own need."""
    giver, sku = str(row["supplier"]), str(row["sku"])
    on_hand = connection.execute(_ON_HAND, {"giver": giver, "sku": sku}).scalar()
    if on_hand is None:
        raise ConflictError(f"the stock of {sku} in {giver} is not known now; reject the transfer, or wait")
    spare = spare_of(connection, row)
    if quantity_units > spare:
        raise ConflictError(
            f"{giver} has {on_hand} of {sku} left and can spare {spare}, not {quantity_units}; set quantity_units, or reject it"
        )

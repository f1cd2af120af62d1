"""Transfers as their giver sees them: what has been promised and is still on its shelves."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from contract.api.restock import TriggerState

# In the giver's stock until it is shipped.
_OF = "kind = 'transfer' AND state IN ('approved', 'sent', 'acknowledged', 'ordered')"
_LEAVING_ALL = sa.text(
    f"SELECT supplier, sku, sum(quantity_units) AS units FROM triggers WHERE {_OF} GROUP BY supplier, sku"  # noqa: S608
)
_LEAVING = sa.text(
    f"SELECT sku, sum(quantity_units) AS units FROM triggers WHERE {_OF} AND supplier = :giver GROUP BY sku"  # noqa: S608
)
_WAITING = sa.text(
    "SELECT * FROM triggers WHERE kind = 'transfer' AND state IN :states ORDER BY store_id, number"
).bindparams(sa.bindparam("states", expanding=True, type_=sa.Text()))

_GIVERS = sa.text("SELECT DISTINCT supplier FROM triggers WHERE kind = 'transfer' AND changed_ms >= :since")


def givers_since(connection: Connection, since_ms: int) -> set[str]:
    """Stores of whose transfers any moved since then."""
    return {row.supplier for row in connection.execute(_GIVERS, {"since": since_ms})}


def leaving_by_store(connection: Connection) -> dict[str, dict[str, int]]:
    """Giver -> SKU -> units that somebody said yes to and that are still there."""
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(_LEAVING_ALL):
        found.setdefault(row.supplier, {})[row.sku] = int(row.units)
    return found


def leaving_units(connection: Connection, giver: str) -> dict[str, int]:
    """The same of one giver."""
    return {row.sku: int(row.units) for row in connection.execute(_LEAVING, {"giver": giver})}


def not_left(connection: Connection, states: Collection[TriggerState]) -> list[dict[str, Any]]:
    """Transfers in these states, whole rows."""
    found = connection.execute(_WAITING, {"states": sorted(state.value for state in states)})
    return [dict(row) for row in found.mappings()]

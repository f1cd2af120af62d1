"""Statements over the rows of some stores, or of all: what a caller's reach becomes in SQL."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

Stores = Collection[str] | None
"""None: every store, and what belongs to the chain."""


def of_stores(text: str) -> sa.TextClause:
    """The statement whose `{stores}` is the condition on `store_id`; give `named(stores)` with its values."""
    condition = "(:every_store = 1 OR store_id IN :stores)"
    return sa.text(text.replace("{stores}", condition)).bindparams(
        sa.bindparam("stores", expanding=True, type_=sa.Text())
    )


def named(stores: Stores) -> dict[str, Any]:
    return {"every_store": int(stores is None), "stores": list(stores or ())}

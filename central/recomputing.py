"""Evidence of a trigger: its inputs, and the decision computed again with the models' own rule."""

from typing import Any

import numpy as np

from central.core.evidence import decide_again, target_note
from contract.api.restock import Evidence
from models.base_stock import BaseStockRule


def evidence_of(trigger: str, row: dict[str, Any]) -> Evidence:
    """row: what the ledger stores of the trigger's decision. Never raises for inputs of an older rule: it says so."""
    inputs = row["inputs"]
    stored = int(row["quantity_units"])
    try:
        again = decide_again(inputs)
        note = again.note
        if "wanted" in inputs:
            note = target_note(float(inputs["wanted"]["target_units"]), _target(inputs)) or again.note
        quantity = again.quantity_units
    except (KeyError, TypeError, ValueError) as error:
        quantity, note = None, f"the stored inputs are of another rule: {error!r}"
    edited = quantity is not None and quantity != stored
    return Evidence(
        trigger=trigger, inputs=inputs, watermark_ms=row["watermark_ms"], rule=row["rule"], bundle=row["bundle"],
        quantity_units=stored, recomputed_quantity_units=quantity, agrees=quantity == stored,
        note=f"a person changed the quantity; the rule says {quantity}" if edited else note,
    )  # fmt: skip


def _target(inputs: dict[str, Any]) -> float | None:
    """The base-stock level from the stored quantiles, by the models package."""
    wanted = inputs["wanted"]
    if wanted["on_hand_units"] is None:
        return None
    proposals = BaseStockRule().propose(
        np.asarray([inputs["cumulative_quantiles"]]), service_level=inputs["service_level"],
        on_hand_units=wanted["on_hand_units"], on_order_units=wanted["on_order_units"],
        pack_units=wanted["pack_units"], min_order_units=wanted["min_order_units"],
    )  # fmt: skip
    return float(proposals.target_units[0])

"""What an order of an earlier day, decided anew today, takes of today's budget."""

from collections.abc import Mapping
from typing import cast

from central.core.lifecycle import WAITING
from contract.api.restock import TriggerState


def cents_since(inputs: Mapping[str, object], value_cents: int, quantity_units: int, since_ms: int) -> int:
    """inputs: as stored with the newest decision. 0 when that was before since_ms.

    All of it where it had only waited until then; where it was approved already, what came on top.
    """
    if int(str(inputs.get("now_ms", 0))) < since_ms:
        return 0
    opened = cast("Mapping[str, object] | None", inputs.get("open_trigger"))
    if opened is None or TriggerState(str(opened["state"])) in WAITING or quantity_units <= 0:
        return value_cents
    more = max(0, quantity_units - int(str(opened["quantity_units"])))
    return value_cents * more // quantity_units

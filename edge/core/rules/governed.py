"""Which rule of the configuration governs which alert."""

from contract.rules import Rule, Rules
from edge.core.rules.cold_chain import COLD_CHAIN

LOW_STOCK, EMPTY, SILENT = "low-stock", "empty-facing", "silent-device"
PRICE_MISMATCH, LABEL_MISMATCH = "price-mismatch", "label-mismatch"
DRIFTED, REMOVAL = "drifted-cell", "suspicious-removal"


def rules_by_code(rules: Rules) -> dict[str, Rule]:
    """Alert code -> rule. Other alerts (a full disk, a refused bundle) are not for a configuration to silence."""
    return {
        LOW_STOCK: rules.low_stock,
        EMPTY: rules.empty_facing,
        SILENT: rules.silent_device,
        PRICE_MISMATCH: rules.price_mismatch,
        LABEL_MISMATCH: rules.price_mismatch,
        COLD_CHAIN: rules.cold_chain,
        DRIFTED: rules.drifted_cell,
        REMOVAL: rules.suspicious_removal,
    }

"""Whether answers of the models can be used by a shop at all."""

from math import isfinite

from edge.core.replenish import ForecastDone

MAX_UNITS = 1_000_000.0


def live_problem(done: ForecastDone) -> str:
    """What is wrong with the first answer that is no quantity; "" when all are."""
    for answer in done.answers:
        parts = {
            "the mean": answer.mean,
            "a quantile": [units for row in answer.quantiles for units in row],
            "a quantile over the lead time": answer.cumulative_quantiles,
            "the order": (float(answer.quantity_units),),
            "what goes unserved or expires": _said(answer.expected_unmet_units, answer.expected_waste_units),
        }
        for name, values in parts.items():
            for units in values:
                if not isfinite(units) or not 0 <= units <= MAX_UNITS:
                    return f"{name} of SKU {answer.sku} is {units}; it must lie in 0..{MAX_UNITS:.0f}"
    return ""


def _said(*values: float | None) -> tuple[float, ...]:
    return tuple(value for value in values if value is not None)

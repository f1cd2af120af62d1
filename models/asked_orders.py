"""Questions to the order graph as they travel and are stored, and the arrays that it takes: there and back, to the bit."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from contract.order_question import OrderQuestion
from models.arrays import F32
from models.base_stock import NO_LIMIT_UNITS
from models.policy.question import Question, question_from

_LIMITS = frozenset({"max_stock_units", "life_units"})


def question_of(asked: Sequence[OrderQuestion]) -> Question:
    """The graph's inputs of these SKUs. Raises ValueError that names the field that is wrong."""
    columns: dict[str, object] = {}
    for field in fields(Question):
        values = [getattr(each, field.name) for each in asked]
        if field.name in _LIMITS:
            values = [NO_LIMIT_UNITS if value is None else value for value in values]
        elif field.name == "on_hand_units":
            values = [[float("nan") if units is None else units for units in row] for row in values]
        columns[field.name] = np.asarray(values, dtype=np.float64)
    return question_from(**columns)  # type: ignore[arg-type]


def asked_of(question: Question, index: int) -> OrderQuestion:
    """The question of one SKU, each number as the shortest decimal that is this float32 again."""
    found: dict[str, object] = {}
    for field in fields(Question):
        value = np.asarray(getattr(question, field.name)[index])
        if field.name in _LIMITS:
            found[field.name] = None if value >= NO_LIMIT_UNITS else _number(value)
        elif field.name == "on_hand_units":
            found[field.name] = [None if np.isnan(units) else _number(units) for units in value]
        elif value.ndim == 0:
            found[field.name] = _number(value)
        elif value.ndim == 1:
            found[field.name] = [_number(each) for each in value]
        else:
            found[field.name] = [[_number(each) for each in row] for row in value]
    return OrderQuestion.model_validate(found)


def _number(value: np.float32 | F32) -> float:
    return float(str(np.float32(value)))

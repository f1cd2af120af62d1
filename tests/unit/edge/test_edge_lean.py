"""Lean documents are the contract's documents, field by field and limit by limit."""

import dataclasses
import json
from typing import get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError

from contract.batch import BatchReceipt
from contract.documents import (
    DailyUnits,
    Facing,
    HistoryDocument,
    Item,
    ItemsDocument,
    OnOrder,
    PlanogramDocument,
    Price,
    PricesDocument,
    SupplyDocument,
    SupplyLine,
)
from edge.core.lean import (
    LEAN_DOCUMENT,
    DailyUnitsRow,
    FacingRow,
    ItemRow,
    LeanHistory,
    LeanItems,
    LeanPlanogram,
    LeanPrices,
    LeanReceipt,
    LeanSupply,
    OnOrderRow,
    PriceRow,
    SupplyRow,
    lean_from,
)


@pytest.mark.parametrize(
    ("model", "row"),
    [
        (Item, ItemRow),
        (Price, PriceRow),
        (Facing, FacingRow),
        (SupplyLine, SupplyRow),
        (OnOrder, OnOrderRow),
        (DailyUnits, DailyUnitsRow),
    ],
)
def test_rows_have_the_contracts_fields_and_limits(model, row):
    def rules(schema):
        return {name: {k: v for k, v in field.items() if k not in ("title", "description")}
                for name, field in schema["properties"].items()}, schema.get("required"), schema.get("additionalProperties")  # fmt: skip

    lean = json.loads(json.dumps(TypeAdapter(row).json_schema()).replace('Row"', '"'))  # rows refer to rows
    assert rules(lean) == rules(model.model_json_schema())
    assert set(get_type_hints(row)) - {"__pydantic_config__"} == set(model.model_fields)
    assert dataclasses.is_dataclass(row)
    assert not hasattr(row, "__dict__") or "__slots__" in vars(row)


@pytest.mark.parametrize(
    ("model", "lean"),
    [
        (ItemsDocument, LeanItems),
        (PlanogramDocument, LeanPlanogram),
        (PricesDocument, LeanPrices),
        (SupplyDocument, LeanSupply),
        (HistoryDocument, LeanHistory),
        (BatchReceipt, LeanReceipt),
    ],
)
def test_documents_have_the_contracts_fields(model, lean):
    assert set(model.model_fields) == set(lean.model_fields)


def test_a_document_survives_becoming_lean():
    document = ItemsDocument(version=3, items=[Item(sku="a", gtins=["12345670"], name="N", category="C")])
    again = ItemsDocument.from_json(lean_from(document).to_json())
    assert again == document


@pytest.mark.parametrize(
    "item",
    [{"sku": "!", "gtins": ["12345670"]}, {"sku": "a", "gtins": ["12345671"]}, {"sku": "a", "gtins": []},
     {"sku": "a", "gtins": ["12345670"], "unit_weight_g": -1}, {"sku": "a", "gtins": ["12345670"], "colour": "red"}],
)  # fmt: skip
def test_what_the_contract_refuses_is_refused(item):
    value = {"kind": "items", "version": 1, "items": [{"name": "n", "category": "c", **item}]}
    with pytest.raises(ValidationError):
        LEAN_DOCUMENT.validate_python(value, strict=False)

"""docs/remote-configuration.md: every limit and default on the page is the code's, and no field is without."""

import re
from pathlib import Path

import pytest

from contract.documents import ConfigDocument
from contract.rules import ColdDevice, Gates, Rule, Rules

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "remote-configuration.md").read_text(encoding="utf-8")
TOLD = {
    (name, float(low.replace("−", "-")), float(high), float(default))
    for name, low, high, default in re.findall(r"`(\w+)` (−?[\d.]+)–([\d.]+) \(([\d.]+)\)", PAGE)
}
RULES = {name: info.annotation for name, info in Rules.model_fields.items()}


def numbers(model):
    """(field, lowest, highest, default) of each number of `model`."""
    for name, schema in model.model_json_schema()["properties"].items():
        if schema.get("type") in ("integer", "number"):
            yield name, float(schema["minimum"]), float(schema["maximum"]), float(schema["default"])


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_stands_on_the_page_with_its_limits(rule):
    assert f"| `{rule}` |" in PAGE
    assert set(numbers(RULES[rule])) <= TOLD
    assert issubclass(RULES[rule], Rule)


def test_every_gate_stands_on_the_page_with_its_limits():
    section = PAGE[PAGE.index("## What a gateway refuses") :]
    cells = re.findall(r"^\| (`\w+`.*?) \|.*\| (.*) \|$", section, re.MULTILINE)
    told = set()
    for names, limits in cells:
        found = re.findall(r"([\d.]+)–([\d.]+) \(([\d.]+)\)", limits)
        told |= {
            (name, *map(float, limit))
            for name, limit in zip(re.findall(r"`(\w+)`", names), found, strict=True)
        }
    assert told == set(numbers(Gates))


def test_louder_and_quieter_rules_say_so():
    for name, rule in RULES.items():
        row = re.search(rf"^\| `{name}` .*$", PAGE, re.MULTILINE)[0]
        severity = rule().severity.value
        assert ("severity" in row) == (severity != "warning")
        assert severity == "warning" or f"severity `{severity}`" in row
    assert ColdDevice.model_fields.keys() == {"device", "min_c", "max_c"}


def test_the_pages_example_is_a_configuration():
    import json

    text = re.search(r"-d '(\{.*?\})'", PAGE, re.DOTALL)[1]
    assert ConfigDocument(version=1, **ConfigDocument.from_json(json.dumps({**json.loads(text), "version": 1, "kind": "config"})).model_dump(include={"rules"}))  # fmt: skip

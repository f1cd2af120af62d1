"""The form of a shop's configuration: nothing of the contract is missing, and each error stands at its field."""

import re

import pytest

from contract.api.rollouts import ConfigPut, ConfigView
from hq.config_form import DEVICES, config_from, groups, values_of

DEFAULTS = values_of(ConfigView(version=0))


def errors_of(**changes):
    config, errors = config_from(
        {**DEFAULTS, **{path.replace("__", "."): value for path, value in changes.items()}}
    )
    assert config is None
    return errors


def test_the_defaults_come_through_the_form_unchanged():
    assert config_from(DEFAULTS) == (ConfigPut(), {})


def test_what_was_set_comes_through_too_cold_devices_among_it():
    devices = [
        {"device": "fridge-1", "min_c": 2, "max_c": 8.5},
        {"device": "ice-1", "min_c": -25, "max_c": -18},
    ]
    put = ConfigPut.model_validate_json(
        ConfigPut().model_dump_json().replace('"devices":[]', f'"devices":{devices}'.replace("'", '"'))
    )
    view = ConfigView(version=3, rules=put.rules, gates=put.gates)
    values = values_of(view)
    assert values[DEVICES] == "fridge-1, 2, 8.5\nice-1, -25, -18"
    assert config_from(values) == (put, {})


def test_notes_are_sentences_without_the_units_and_names_of_the_code():
    for group in groups():
        assert group.note.endswith(".")
        assert not re.search(r"_|`|(?<!')\b(min|s|g|c)\b", group.note)


def test_every_field_of_the_contract_has_a_label_and_its_limits():
    fields = [field for group in groups() for field in group.fields]
    assert len(fields) == len(DEFAULTS)
    assert all(field.label and field.label[0].isupper() for field in fields)
    hints = {field.path: field.hint for field in fields}
    assert hints["rules.low_stock.raise_days"] == "0 to 30"
    assert hints["gates.price_loss_percent"] == "0 to 100"
    labels = {field.path: field.label for field in fields}
    assert labels["rules.silent_device.shelf_after_min"] == "Shelf after, minutes"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("rules.low_stock.raise_days", 31, "less than or equal to 30"),
        ("rules.silent_device.shelf_after_min", 1, "greater than or equal to 5"),
        ("rules.silent_device.shelf_after_min", 7.5, "integer"),
        ("gates.price_jump_factor", None, "is empty; the default is 5.0"),
        (DEVICES, "fridge-1, 8, 2", "line 1: max_c is 2.0; it must be above min_c, 8.0"),
        (DEVICES, "fridge-1, 2, 8\n\nnonsense", "line 3: 'nonsense' must be like: fridge-1, 2, 8"),
        (DEVICES, "Fridge!, 2, 8", "line 1: String should match pattern"),
    ],
)
def test_an_error_stands_at_its_field(path, value, says):
    config, errors = config_from({**DEFAULTS, path: value})
    assert config is None
    assert list(errors) == [path]
    assert says in errors[path]


def test_a_rule_of_two_fields_stands_at_the_one_that_its_sentence_names():
    errors = errors_of(rules__low_stock__raise_days=5.0, rules__low_stock__clear_days=2.0)
    assert errors == {"rules.low_stock.clear_days": "clear_days is 2.0; it must be above raise_days, 5.0"}


def test_all_errors_are_told_at_once():
    assert len(errors_of(rules__low_stock__raise_days=31.0, gates__new_alerts=0)) == 2

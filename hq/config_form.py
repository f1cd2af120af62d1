"""The configuration of a shop's gateways as a form: fields, limits and notes from the contract, errors at their field."""

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from contract.api.rollouts import ConfigPut, ConfigView
from contract.rules import ColdDevice, Gates, Rules
from contract.severity import Severity

DEVICES = "rules.cold_chain.devices"
UNITS = {
    "min": "minutes",
    "s": "seconds",
    "g": "grams",
    "c": "°C",
    "cents": "cents",
    "percent": "%",
    "days": "days of demand",
}
NOTES = {
    "rules.low_stock": "An alert when what is on hand lasts for fewer days of forecast demand than the first figure; "
    "over when it lasts for more than the second.",
    "rules.empty_facing": "An alert when a facing has been empty for so long while the shop was open; over with goods on it.",
    "rules.cold_chain": "An alert when a device has been outside its limits for so long; over when it is inside them by the band.",
    "rules.price_mismatch": "An alert when a till charges another price than the list, or a label shows another one for so long. "
    "Over with the till's next right sale on a later day, or as soon as the label shows the list's price.",
    "rules.silent_device": "An alert when nothing was heard of a device for so long. Shelves send heartbeats; others may be silent at night.",
    "rules.drifted_cell": "An alert when a cell weighs so much more or less than its goods explain; over below the second figure.",
    "rules.suspicious_removal": "An alert when so many units of one SKU, worth so much, leave the shelf within so short a time. "
    "Over when the tills have sold as many, when they lie on the shelf again, or after the last figure.",
    "gates": "A new price list is refused when it leaves more than the first share of the priced SKUs without a price, or changes more than the "
    "second share by more than the factor; below ten priced SKUs nothing is refused. "
    "A configuration that raises more new alerts than this within its trial is taken back.",
}
"""What each group of fields does, in the words of its labels."""
Kind = Literal["switch", "severity", "whole", "number", "devices"]


@dataclass(frozen=True, slots=True)
class Field:
    """path: dotted, as errors name it. hint: its limits. default: as the contract has it."""

    path: str
    label: str
    kind: Kind
    hint: str
    default: object


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    note: str
    fields: tuple[Field, ...]


def groups() -> list[Group]:
    """One a rule, and one of what a gateway refuses by itself."""
    found = [_group(f"rules.{name}", name, info.annotation) for name, info in Rules.model_fields.items()]
    return [*found, _group("gates", "what a gateway refuses by itself", Gates)]


def values_of(config: ConfigView) -> dict[str, object]:
    """Path -> what stands in the field."""
    whole = json.loads(config.model_dump_json())
    values: dict[str, object] = {}
    for group in groups():
        for field in group.fields:
            at: Any = whole
            for part in field.path.split("."):
                at = at[part]
            values[field.path] = _lines(at) if field.kind == "devices" else at
    return values


def config_from(values: Mapping[str, object]) -> tuple[ConfigPut | None, dict[str, str]]:
    """The configuration, or what is wrong by the path of its field ("" for what belongs to none)."""
    errors: dict[str, str] = {}
    whole: dict[str, Any] = {}
    for group in groups():
        for field in group.fields:
            value = values.get(field.path)
            if value is None or (value == "" and field.kind != "devices"):
                errors[field.path] = f"is empty; the default is {field.default}"
                continue
            if field.kind == "devices":
                value, error = _devices(str(value or ""))
                if error:
                    errors[field.path] = error
            elif field.kind == "whole" and isinstance(value, float) and value.is_integer():
                value = int(value)
            _put(whole, field.path, value)
    if errors:
        return None, errors
    try:
        return ConfigPut.model_validate_json(json.dumps(whole)), {}
    except ValidationError as error:
        return None, _by_field(error)


def _group(path: str, title: str, model: object) -> Group:
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    fields = tuple(_field(path, name, info) for name, info in model.model_fields.items())
    return Group(title.replace("_", " ").capitalize(), NOTES[path], fields)


def _field(path: str, name: str, info: FieldInfo) -> Field:
    full, default = f"{path}.{name}", info.get_default(call_default_factory=True)
    if full == DEVICES:
        return Field(full, "Cold devices", "devices", "one a line: device, lowest °C, highest °C", "none")
    kind = _kind(info.annotation)
    stem, _, unit = name.rpartition("_")
    label = f"{stem.replace('_', ' ')}, {UNITS[unit]}" if stem and unit in UNITS else name.replace("_", " ")
    return Field(
        full,
        label[:1].upper() + label[1:],
        kind,
        _limits(info),
        default.value if isinstance(default, Severity) else default,
    )


def _kind(annotation: object) -> Kind:
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = get_args(annotation)[0]
    kinds: dict[object, Kind] = {bool: "switch", Severity: "severity", int: "whole", float: "number"}
    return kinds[annotation]


def _limits(info: FieldInfo) -> str:
    low, high = (
        next((getattr(item, name) for item in info.metadata if hasattr(item, name)), None)
        for name in ("ge", "le")
    )
    return "" if low is None or high is None else f"{low:,} to {high:,}"


def _put(whole: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for part in parents:
        whole = whole.setdefault(part, {})
    whole[last] = value


def _by_field(error: ValidationError) -> dict[str, str]:
    """A rule that two fields break together is shown at the one that its sentence begins with."""
    found: dict[str, str] = {}
    paths = {field.path for group in groups() for field in group.fields}
    for problem in error.errors(include_url=False, include_context=False):
        message = problem["msg"].removeprefix("Value error, ")
        parts = [str(part) for part in problem["loc"]]
        if DEVICES in ".".join(parts):
            path = DEVICES
            message = (
                f"line {int(parts[3]) + 1}: {message}" if len(parts) > 3 and parts[3].isdigit() else message
            )
        else:
            path = ".".join(parts)
            if path not in paths:
                path = f"{path}.{message.split(' ')[0]}" if f"{path}.{message.split(' ')[0]}" in paths else ""
        found.setdefault(path, message)
    return found


def _lines(devices: list[dict[str, Any]]) -> str:
    return "\n".join(f"{one['device']}, {one['min_c']:g}, {one['max_c']:g}" for one in devices)


def _devices(text: str) -> tuple[list[dict[str, object]], str]:
    """What stands in the lines, and what is wrong with the first bad one."""
    found: list[dict[str, object]] = []
    for number, line in _filled(text):
        parts = [part.strip() for part in line.split(",")]
        try:
            device, low, high = parts
            one = ColdDevice(device=device, min_c=float(low), max_c=float(high))
        except ValidationError as error:
            return found, f"line {number}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        except ValueError:
            return found, f"line {number}: {line[:40]!r} must be like: fridge-1, 2, 8"
        found.append(json.loads(one.model_dump_json()))
    return found, ""


def _filled(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())

"""Messages against docs/asyncapi.json, by a validator of JSON Schema that is not ours."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

PAGE = Path(__file__).parents[1] / "docs" / "asyncapi.json"


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PAGE.read_text(encoding="utf-8"))
    return found


@cache
def _validator(message: str) -> Any:
    found = document()
    ref = found["components"]["messages"][message]["payload"]["$ref"]
    return jsonschema_rs.Draft202012Validator({"$ref": ref, "components": found["components"]})


def problems(message: str, payload: Any) -> list[str]:
    """What the document's message of that name finds wrong with the payload, a JSON value."""
    return [
        f"{list(error.instance_path)}: {error.message[:200]}"
        for error in _validator(message).iter_errors(payload)
    ]


def message_of_topic(topic: str) -> str:
    """The message of the channel whose address fits the MQTT topic or the path. Raises LookupError when none or several do."""
    fitting = [
        name
        for channel in document()["channels"].values()
        if channel["address"] is not None and _fits(channel["address"], topic)
        for name in channel["messages"]
    ]
    if len(fitting) != 1:
        raise LookupError(f"{topic}: {fitting or 'no channel'}")
    return str(fitting[0])


def _fits(address: str, topic: str) -> bool:
    parts, given = address.split("/"), topic.split("/")
    return len(parts) == len(given) and all(
        part.startswith("{") or part == each for part, each in zip(parts, given, strict=True)
    )

"""The reference of all settings, printed from the classes that check them: the text cannot drift from the code."""

import argparse
import importlib
import json
import types
from enum import Enum
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runtime.errors import EXIT_OK
from runtime.settings import Settings

SETTINGS_MODULES = {
    "bridge": "firmware_bridge.settings",
    "edge": "edge.settings",
    "central": "central.settings",
    "hq": "hq.settings",
}

HEAD = """\
# Settings

Each process reads one TOML file (`--config FILE`) and then the environment, which wins. The whole is checked before
anything starts; a bad setting ends the start with status 78 and a message that names it.

This page is printed by `shelfloop docs settings`.
"""


_WORDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Path": "path",
    "SecretStr": "secret text",
    "NoneType": "nothing",
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="shelfloop docs", description="Prints reference pages.")
    parser.add_argument(
        "page",
        choices=["settings", "openapi", "asyncapi"],
        help="settings: every setting of every process (Markdown); openapi: the centre's API, asyncapi: all messages (JSON)",
    )
    page = parser.parse_args(argv).page
    if page == "asyncapi":
        print(asyncapi_text(), end="")
    elif page == "openapi":
        from central.api.description import openapi_text

        print(openapi_text(), end="")
    else:
        print(settings_page(), end="")
    return EXIT_OK


def asyncapi_text() -> str:
    """docs/asyncapi.json."""
    from cli.__main__ import version
    from contract.asyncapi import asyncapi_document

    return json.dumps(asyncapi_document(version()), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def settings_page() -> str:
    """docs/settings.md. Raises LookupError when a field has no description."""
    return "\n".join([HEAD, *(_section(room) for room in SETTINGS_MODULES)])


def settings_class(room: str) -> type[Settings]:
    """The settings class of `bridge`, `edge`, `central` or `hq`."""
    module = importlib.import_module(SETTINGS_MODULES[room])
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Settings) and value.room == room:
            return value
    raise LookupError(f"{module.__name__} has no subclass of Settings with room = {room!r}")


def _section(room: str) -> str:
    cls = settings_class(room)
    lines = [
        f"## {room}\n",
        f"`shelfloop {room} run --config {room}.toml`; environment: `SHELFLOOP_{room.upper()}_…`.\n",
        *_table(room, cls),
    ]
    for name, info in cls.model_fields.items():
        for inner in _models_in(info.annotation):
            lines += [f"Each of `{name}`:\n", *_table(f"{room}.{name}", inner)]
    return "\n".join(lines)


def _table(where: str, cls: type[BaseModel]) -> list[str]:
    rows = [_row(where, name, info) for name, info in cls.model_fields.items()]
    return ["| setting | type | default | meaning |", "|---|---|---|---|", *rows, ""]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The pydantic models that a setting's type holds, such as the ports of a bridge."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [found for each in get_args(annotation) for found in _models_in(each)]


def _row(room: str, name: str, info: FieldInfo) -> str:
    if not info.description:
        raise LookupError(f"setting {name} of {room} has no description: give its Field one")
    meaning = info.description.replace("|", "\\|").replace("\n", " ")
    bounds = _bounds(info)
    return f"| `{name}` | {_type_text(info.annotation)}{bounds} | {_default_text(info)} | {meaning} |"


def _bounds(info: FieldInfo) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    found = [
        f"{sign} {getattr(limit, name)}"
        for limit in info.metadata
        for name, sign in signs.items()
        if getattr(limit, name, None) is not None
    ]
    return f" {', '.join(found)}" if found else ""


def _default_text(info: FieldInfo) -> str:
    if info.is_required():
        return "**required**"
    value = info.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None:
        return "none"
    if isinstance(value, SecretStr):
        return "empty"
    if isinstance(value, str) and not isinstance(value, Enum):
        return f"`{value}`" if value else "empty"
    shown = json.dumps(value.value if isinstance(value, Enum) else value, default=str)
    return f"`{shown}`".replace("|", "\\|")


def _type_text(annotation: object) -> str:
    origin = get_origin(annotation)
    if origin is None:
        name = getattr(annotation, "__name__", str(annotation))
        return _WORDS.get(name, f"[{name}]" if _models_in(annotation) else name)
    if origin is Annotated:
        return _type_text(get_args(annotation)[0])
    if origin is Literal:
        return " or ".join(json.dumps(each) for each in get_args(annotation))
    inside = [_type_text(each) for each in get_args(annotation) if each is not Ellipsis]
    if origin in (Union, types.UnionType):
        return " or ".join(inside)
    if origin is dict:
        return f"table of {inside[1]} by {inside[0]}"
    return f"list of {', '.join(inside)}"

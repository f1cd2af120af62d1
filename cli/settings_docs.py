"""The reference of all settings, printed from the classes that check them: the text cannot drift from the code."""

import argparse
import importlib
import types
from enum import Enum
from typing import get_args, get_origin

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


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="shelfloop docs", description="Prints reference pages (Markdown).")
    parser.add_argument("page", choices=["settings"], help="settings: every setting of every process")
    parser.parse_args(argv)
    print(settings_page(), end="")
    return EXIT_OK


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
    rows = [_row(room, name, info) for name, info in cls.model_fields.items()]
    return "\n".join(
        [
            f"## {room}\n",
            f"`shelfloop {room} run --config {room}.toml`; environment: `SHELFLOOP_{room.upper()}_…`.\n",
            "| setting | type | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


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
    if isinstance(value, str) and not isinstance(value, Enum):
        return f"`{value}`" if value else "empty"
    shown = repr(value.value) if isinstance(value, Enum) else repr(value)
    return f"`{shown}`".replace("|", "\\|")


def _type_text(annotation: object) -> str:
    origin = get_origin(annotation)
    if origin is None:
        return getattr(annotation, "__name__", str(annotation))
    inside = [_type_text(each) for each in get_args(annotation) if each is not Ellipsis]
    if isinstance(origin, types.UnionType) or origin is types.UnionType or str(origin) == "typing.Union":
        return " or ".join(inside)
    if str(origin) == "typing.Literal":
        return " or ".join(repr(each) for each in get_args(annotation))
    if str(origin) == "typing.Annotated":
        return _type_text(get_args(annotation)[0])
    return f"{getattr(origin, '__name__', origin)} of {', '.join(inside)}"

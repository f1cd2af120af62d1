"""Settings: one frozen object a process, from a TOML file and the environment, checked whole before anything starts."""

import os
import tomllib
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from runtime.errors import OperatorError


class Settings(BaseSettings):
    """Base of every process' settings. Subclasses set `room` and describe each field.

    The environment overrides the file: `SHELFLOOP_EDGE_BROKER_PORT=1884`.
    """

    room: ClassVar[str] = ""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """The settings of `path` and the environment. Raises OperatorError that names the bad setting."""
        where = str(path) if path else "the environment"
        values = _values_from_toml(path) if path else {}
        known = {f"{cls._prefix()}{name}".upper() for name in cls.model_fields}
        for name in os.environ:
            if name.startswith(cls._prefix().upper()) and name.upper() not in known:
                raise OperatorError(
                    f"{name} in the environment is no setting of {cls.room}; see docs/settings.md"
                )
        try:
            return cls(**values, _env_prefix=cls._prefix())  # type: ignore[call-arg]  # pydantic-settings reads it
        except ValidationError as error:
            raise OperatorError(_message_from_validation(where, error)) from None

    @classmethod
    def _prefix(cls) -> str:
        return f"SHELFLOOP_{cls.room.upper()}_"


def _values_from_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(
            f"settings file {path}: {error.strerror}; give --config the path of a readable file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"settings file {path}: not valid TOML: {error}") from None


def _message_from_validation(where: str, error: ValidationError) -> str:
    lines = [f"bad settings in {where}:"]
    for problem in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"]) or "settings"
        if problem["type"] == "missing":
            lines.append(f"  {name}: is missing; set it (docs/settings.md says what it means)")
        elif problem["type"] == "extra_forbidden":
            lines.append(f"  {name}: is no setting; see docs/settings.md for those that are")
        else:
            lines.append(
                f"  {name}: {problem['msg'].removeprefix('Value error, ')}, got {problem['input']!r}"
            )
    return "\n".join(lines)


def secret_from_file(path: str, what: str) -> str:
    """The one line in the file at `path`, "" when `path` is "". Raises OperatorError that names `what`."""
    if not path:
        return ""
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OperatorError(
            f"{what} {path}: {error.strerror}; make the file readable for this user"
        ) from None
    if not secret:
        raise OperatorError(f"{what} {path}: the file is empty; put the secret in it")
    return secret

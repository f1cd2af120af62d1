"""The base of all messages: frozen, strict, and closed to unknown fields."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from contract.errors import MalformedMessageError

MAX_REASON_CHARS = 300
VALUE_ERROR = "Value error, "
"""What pydantic puts before the words of a validator of ours."""


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_json(cls, payload: bytes | str, what: str = "") -> Self:
        """The message in `payload`. Raises MalformedMessageError that names the field, the limit and the value."""
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            raise MalformedMessageError(what or cls.__name__, reason_from_validation(error)) from None

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self)


def reason_from_validation(error: ValidationError) -> str:
    """The first problem in one line, and how many there are."""
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"]) or "message"
    value = repr(first["input"])
    shown = value if len(value) <= 60 else f"{value[:57]}..."
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {first['msg'].removeprefix(VALUE_ERROR)}, got {shown}{more}"[:MAX_REASON_CHARS]

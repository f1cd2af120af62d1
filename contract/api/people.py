"""Log-in of people, and what a caller is told of itself."""

from typing import Annotated

from pydantic import Field

from contract.api.common import ApiModel
from contract.ids import EpochMs


class LogIn(ApiModel):
    """name and password, or the code of a one-time link (`shelfloop central person link`) alone."""

    name: Annotated[str, Field(max_length=80)] = ""
    password: Annotated[str, Field(max_length=200)] = ""
    link: Annotated[str, Field(max_length=200)] = ""


class SessionMade(ApiModel):
    """token: send it as `Authorization: Bearer`; it works until `expires_ms` (real time) or `DELETE /v1/sessions/mine`."""

    token: str
    name: str
    role: str
    expires_ms: EpochMs


class Me(ApiModel):
    """stores: those whose rows the caller sees; None is the whole chain. expires_ms: None when it never does."""

    name: str
    scope: str
    is_person: bool
    stores: list[str] | None
    expires_ms: EpochMs | None

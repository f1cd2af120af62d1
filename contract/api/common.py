"""What every part of the API shares: pages, problems, acceptance."""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from contract.ids import EpochMs


class ApiModel(BaseModel):
    """Frozen and closed to unknown fields; lax on scalars, because query strings and forms are text."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Row = TypeVar("Row")


class Page(ApiModel, Generic[Row]):
    """`next`: give it as `after` for the following rows; None at the end. `total`: None where counting is not free."""

    rows: list[Row]
    next: str | None = None
    total: int | None = None


class Problem(ApiModel):
    """RFC 9457. detail says what, which, the limit and the next step."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""


class Accepted(ApiModel):
    """version: of the desired-state document that the change made, where it made one."""

    accepted: int
    version: int | None = None
    rejected: list[str] = []


class Decision(ApiModel):
    """By a person; `who` and `reason` go into the audit."""

    who: Annotated[str, Field(min_length=1, max_length=80)]
    reason: Annotated[str, Field(max_length=300)] = ""
    quantity_units: Annotated[int, Field(ge=0, le=100_000)] | None = None


class Health(ApiModel):
    status: str
    version: str
    now_ms: EpochMs
    problems: list[str] = []


class AuditView(ApiModel):
    at_ms: EpochMs
    store: str | None
    who: str
    action: str
    subject: str
    reason: str

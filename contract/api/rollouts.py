"""Bundles at the centre, their spreading over the shops, their scores, and notes on alerts."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contract.api.common import ApiModel
from contract.documents import FileName, Sha256
from contract.ids import DayText, EpochMs, Id
from contract.rules import Gates, Rules

MAX_FILE_CHARS = 11_000_000
Who = Annotated[str, Field(min_length=1, max_length=80)]
Reason = Annotated[str, Field(max_length=300)]
Percent = Annotated[int, Field(ge=0, le=100)]


class RolloutMode(StrEnum):
    """shadow: scored beside the current bundle. live: forecasts and proposes."""

    SHADOW = "shadow"
    LIVE = "live"


class RolloutState(StrEnum):
    RUNNING = "running"
    HALTED = "halted"
    ROLLED_BACK = "rolled-back"
    PROMOTED = "promoted"


class BundlePut(ApiModel):
    """A bundle's files as base64: manifest.json, manifest.sig and those that the manifest names."""

    files: Annotated[
        dict[FileName, Annotated[str, Field(max_length=MAX_FILE_CHARS)]], Field(min_length=2, max_length=12)
    ]


class BundleView(ApiModel):
    sha256: str
    name: str
    size_bytes: int
    who: str
    created_ms: EpochMs


class RolloutPost(ApiModel):
    """percent: of the stores, chosen by a hash of their ids. max_refusals: stores that may refuse it before it is halted."""

    sha256: Sha256
    mode: RolloutMode = RolloutMode.LIVE
    percent: Percent
    max_refusals: Annotated[int, Field(ge=1, le=100_000)] = 1
    who: Who
    reason: Reason = ""


class RolloutAction(ApiModel):
    """percent: for `widen` and `promote`. override: promote although the evidence does not say so; needs a reason."""

    who: Who
    reason: Reason = ""
    percent: Percent | None = None
    override: bool = False


class ScoreView(ApiModel):
    """A bundle's forecasts of realised days, a day ahead, over all stores that scored it. wql: lower is better.

    coverage: the share of SKU-days whose sales lay in the central band. bias: (expected - sold) / sold.
    """

    bundle: str
    stores: int
    days: int
    sku_days: int
    wql: float | None
    bias: float | None
    coverage_80: float | None
    coverage_95: float | None


class ScoreDay(ApiModel):
    day: DayText
    current_wql: float | None
    candidate_wql: float | None


class RolloutView(ApiModel):
    """stores: in its share. by_state: how many of them said what last (`waiting`: nothing yet). refusals: why, newest first.

    current, candidate: on the same stores and days; None until a day was scored. advice: what the evidence says.
    """

    rollout: int
    sha256: str
    name: str
    mode: RolloutMode
    state: RolloutState
    percent: int
    max_refusals: int
    who: str
    reason: str
    created_ms: EpochMs
    changed_ms: EpochMs
    stores: int
    by_state: dict[str, int]
    refusals: list[str]
    current: ScoreView | None
    candidate: ScoreView | None
    days: list[ScoreDay]
    may_promote: bool
    advice: str


class RolloutStore(ApiModel):
    """One store's part. at_ms: of what it said last."""

    store: str
    state: str
    reason: str
    at_ms: EpochMs | None


class ConfigPut(ApiModel):
    """The whole configuration of a store's gateways; what is left out has its default."""

    rules: Rules = Rules()
    gates: Gates = Gates()


class ConfigView(ApiModel):
    """What stands in the centre; version 0: nothing was put yet, the defaults hold."""

    version: int
    rules: Rules = Rules()
    gates: Gates = Gates()


class AlertNote(ApiModel):
    """Somebody takes note of an open alert."""

    store: Id
    code: Id
    subject: Annotated[str, Field(min_length=1, max_length=200)]
    who: Who

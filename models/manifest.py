"""What a bundle says of itself: manifest.json, whose bytes the signature covers."""

from typing import Annotated, Literal

from pydantic import Field

from contract.ids import DayText
from contract.message import Message

DEMAND_FILE = "demand.onnx"
REPLENISHMENT_FILE = "replenishment.onnx"
ORDER_FILE = "order.onnx"
"""Optional: a bundle from before it orders by its replenishment graph."""
GOLDEN_FILE = "golden.json"
MANIFEST_FILE = "manifest.json"
SIGNATURE_FILE = "manifest.sig"
REQUIRED_FILES = (DEMAND_FILE, REPLENISHMENT_FILE, GOLDEN_FILE)
SIGNED_FILES = (*REQUIRED_FILES, ORDER_FILE)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Word = Annotated[str, Field(min_length=1, max_length=200)]


class FeatureSet(Message):
    names: Annotated[list[Word], Field(min_length=1, max_length=500)]
    sha256: Sha256
    history_days: Annotated[int, Field(ge=1, le=1000)]


class Score(Message):
    """One method on the held-out part, lower is better but for coverage, which should equal its level.

    wql: sum of pinball losses over .1-.9 and .95 per unit sold, doubled and averaged over levels. bias: (sum of means
    minus units) / units. window_wql: the same for sums over 7 days.
    """

    method: Word
    wql: float
    window_wql: float
    wape: float
    bias: float
    coverage_80: Share
    coverage_95: Share


class Training(Message):
    source: Word
    first_day: DayText
    last_day: DayText
    series: Annotated[int, Field(ge=1)]
    rows: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=1)]
    seed: int


class HeldOut(Message):
    first_day: DayText
    last_day: DayText
    series: Annotated[int, Field(ge=1)]
    horizon_days: Annotated[int, Field(ge=1)]
    scores: list[Score]


class Manifest(Message):
    """correlation: between two days' forecast errors of one SKU, for sums over a window."""

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,46}$")]
    features: FeatureSet
    quantile_levels: list[float]
    horizon_days: Annotated[int, Field(ge=1, le=28)]
    correlation: Share
    training: Training
    held_out: HeldOut | None = None
    files: dict[str, Sha256]

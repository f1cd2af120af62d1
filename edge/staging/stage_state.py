"""What the gateway remembers of bundles, in one small file: which runs, which was the last good one, which were refused."""

from typing import Annotated

from pydantic import Field

from contract.message import Message
from contract.records import StagingState
from models.health import Realised

INSTALLED = ""
"""Stands as the sha256 of the bundle that the gateway was installed with."""
MAX_REFUSED = 20

Sha256OrInstalled = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class DaySums(Message):
    """Over the realised days of a trial; see models.health.Realised."""

    rows: int = 0
    units: float = 0.0
    mean_units: float = 0.0
    pinball: float = 0.0
    inside_95: int = 0

    def plus(self, other: "DaySums") -> "DaySums":
        return DaySums(
            rows=self.rows + other.rows, units=self.units + other.units,
            mean_units=self.mean_units + other.mean_units, pinball=self.pinball + other.pinball,
            inside_95=self.inside_95 + other.inside_95,
        )  # fmt: skip

    def realised(self, problem: str = "") -> Realised:
        return Realised(self.rows, self.units, self.mean_units, self.pinball, self.inside_95, problem)


class Trial(Message):
    """starts: of the process since the bundle last answered. days: business days scored. before: the last good one's sums."""

    starts: int = 0
    days: int = 0
    sums: DaySums = DaySums()
    before: DaySums = DaySums()


class Refused(Message):
    """models_version: of the `models` document that asked for it; a later one may ask again."""

    name: str
    reason: str
    models_version: int
    state: StagingState = StagingState.REFUSED


class StageState(Message):
    """current: what runs. good: the last one that stood its trial; the same as current when none is running.

    models_version: of the `models` document that the gateway followed last.
    """

    current: Sha256OrInstalled = INSTALLED
    current_name: str = ""
    good: Sha256OrInstalled = INSTALLED
    good_name: str = ""
    trial: Trial | None = None
    candidate: Sha256OrInstalled | None = None
    refused: dict[str, Refused] = {}
    models_version: int = 0

    def with_refused(self, sha256: str, refused: Refused) -> "StageState":
        """The oldest are forgotten beyond MAX_REFUSED."""
        kept = {key: value for key, value in self.refused.items() if key != sha256}
        while len(kept) >= MAX_REFUSED:
            del kept[next(iter(kept))]
        return self.model_copy(update={"refused": {**kept, sha256: refused}})

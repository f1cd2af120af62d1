"""The question how bundles forecast a day that has passed, and its answer."""

from dataclasses import dataclass
from datetime import date

from contract.records import ScoreRole
from edge.core.calibration import Evidence, added
from edge.core.replenish import SkuInputs


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """inputs: as they were before the job's day. sold_units: of that day, NaN when unknown (probes only).

    is_cut: the shelf was empty for a part of the day, so that demand was what sold or more.
    """

    inputs: SkuInputs
    sold_units: float
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """A part of a day's SKUs; is_first and is_last say where the day begins and ends.

    calibrations: by bundle, as they were before the day: what the forecasts of that day were corrected with.
    """

    day: date
    lines: tuple[ScoreLine, ...]
    is_first: bool
    is_last: bool
    calibrations: tuple[tuple[str, Evidence], ...] = ()

    def calibration_of(self, bundle: str) -> Evidence:
        return dict(self.calibrations).get(bundle, ())


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """Over SKUs whose sales are known. problem: "" or what no forecast may be (not a number, negative, out of range).

    evidence: what the day says of the uncorrected forecasts' levels.
    """

    skus: int = 0
    units: int = 0
    mean_units: float = 0.0
    pinball: float = 0.0
    inside_80: int = 0
    inside_95: int = 0
    problem: str = ""
    evidence: Evidence = ()

    def plus(self, other: "ScoreSums") -> "ScoreSums":
        return ScoreSums(
            self.skus + other.skus,
            self.units + other.units,
            self.mean_units + other.mean_units,
            self.pinball + other.pinball,
            self.inside_80 + other.inside_80,
            self.inside_95 + other.inside_95,
            self.problem or other.problem,
            added(self.evidence, other.evidence),
        )


@dataclass(frozen=True, slots=True)
class BundleScore:
    """sha256: "" for the bundle that the gateway was installed with."""

    role: ScoreRole
    bundle: str
    sha256: str
    sums: ScoreSums


@dataclass(frozen=True, slots=True)
class ScoreDone:
    """Of one job, or of a whole day once they are added up."""

    job: ScoreJob
    scores: tuple[BundleScore, ...]

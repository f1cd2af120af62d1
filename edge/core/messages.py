"""What drives the core, besides time."""

from dataclasses import dataclass
from typing import TypeAlias

from contract.documents import AnyDocument
from contract.records import StagingState
from edge.core.lean import LeanDocument
from edge.core.replenish import ForecastDone
from edge.core.score_job import ScoreDone


@dataclass(frozen=True, slots=True)
class DeviceMessage:
    """As it came from the broker."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class DocumentArrived:
    document: AnyDocument | LeanDocument


@dataclass(frozen=True, slots=True)
class BadInput:
    """What a shell could not even decode. kind, version: of a document that the centre sent, where they are readable."""

    source: str
    stream: str
    reason: str
    payload: bytes
    kind: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class ConditionReported:
    """A shell's own state, for the alerts: the bundle is bad, the centre refuses the key, the disk fills up."""

    code: str
    subject: str
    active: bool
    text: str


@dataclass(frozen=True, slots=True)
class BundleNews:
    """What became of a bundle that the centre sent; see contract.records.StagingRecord.

    is_again: said once more after a start, in case that the first time was lost.
    """

    name: str
    state: StagingState
    sha256: str
    reason: str
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class AlertNoted:
    """Somebody in the shop took note of an open alert."""

    code: str
    subject: str
    who: str


Message: TypeAlias = (
    DeviceMessage
    | DocumentArrived
    | ForecastDone
    | ScoreDone
    | BadInput
    | ConditionReported
    | BundleNews
    | AlertNoted
)

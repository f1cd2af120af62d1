"""What the core wants done. Records and what is put aside go into the transaction; the rest follows the commit."""

from dataclasses import dataclass
from typing import TypeAlias

from contract.records import Record
from edge.core.replenish import ForecastJob
from edge.core.score_job import ScoreJob


@dataclass(frozen=True, slots=True)
class Emit:
    """A record for the outbox; its `seq` is given by the store."""

    record: Record


@dataclass(frozen=True, slots=True)
class PutAside:
    """Bad input for the quarantine table, with its bytes."""

    source: str
    stream: str
    reason: str
    payload: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class PublishStored:
    device: str
    boot_id: str
    through_seq: int


@dataclass(frozen=True, slots=True)
class PublishCommand:
    device: str
    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class RunForecast:
    """Ask the models; the answer comes back as a `ForecastDone` message. Asked again after a restart."""

    job: ForecastJob


@dataclass(frozen=True, slots=True)
class RunScore:
    """Ask the bundles about a day that has passed; the answer comes back as a `ScoreDone` message."""

    job: ScoreJob


Effect: TypeAlias = Emit | PutAside | PublishStored | PublishCommand | RunForecast | RunScore

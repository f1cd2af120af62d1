"""What a gateway tells of itself beside its records: it rides in a batch's envelope, so a disk that hangs does not hide it."""

from typing import Annotated

from pydantic import ConfigDict, Field

from contract.devices import ClockQuality
from contract.message import Message

Count = Annotated[int, Field(ge=0, le=2**53)]


class GatewayState(Message):
    """Levels of this moment. A centre that knows fewer of these fields than the gateway passes the others by.

    host: the machine's own name, to tell two boxes with one identity apart. uptime_s: of the process.
    outbox_rows, outbox_bytes: not acknowledged yet; outbox_max_bytes: from there on windows get coarser.
    oldest_waiting_ms: how long the oldest of these has waited, 0 when none does.
    slowest_commit_ms: of the last ten minutes, one that is still under way included.
    disk_problem: what the disk answers when it refuses, "" when it does not.
    inbox_messages: taken from the broker and not on the disk yet.
    quarantine_messages: bad input that is kept. damaged_rows: found damaged on the disk since the start.
    clock_quality: synced, kept by the network; estimated, not kept by it; unknown, nobody can say.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    host: Annotated[str, Field(max_length=64)] = ""
    uptime_s: Count = 0
    outbox_rows: Count = 0
    outbox_bytes: Count = 0
    outbox_max_bytes: Count = 0
    oldest_waiting_ms: Count = 0
    slowest_commit_ms: Count = 0
    disk_problem: Annotated[str, Field(max_length=200)] = ""
    inbox_messages: Count = 0
    quarantine_messages: Count = 0
    damaged_rows: Count = 0
    clock_quality: ClockQuality = ClockQuality.UNKNOWN

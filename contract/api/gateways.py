"""How gateways do: what each tells of itself, what the centre noticed, and what a person should do about it."""

from typing import Literal

from contract.api.common import ApiModel
from contract.ids import EpochMs


class TwinView(ApiModel):
    """A second box that speaks in a gateway's name and is refused; it keeps its records. Hosts are as the boxes name themselves.

    heard_host: of the box that is heard. refusals: of batches, since first_ms.
    """

    run: str
    host: str
    heard_host: str
    first_ms: EpochMs
    last_ms: EpochMs
    refusals: int


class GatewaySign(ApiModel):
    """What is out of order at a gateway: a word for programs, a sentence for people, and the next step."""

    code: Literal[
        "twin", "silent", "disk-refuses", "disk-stalls", "disk-slow", "disk-damaged", "outbox-full", "outbox-filling",
        "records-late", "clock-off", "clock-unkept",
    ]  # fmt: skip
    tone: Literal["bad", "warn"]
    text: str
    do: str

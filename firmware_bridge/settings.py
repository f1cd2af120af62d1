"""The bridge's settings, checked whole before anything starts."""

from collections import Counter
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contract.ids import Id
from firmware_bridge.core.hello import MAX_TEXT_BYTES
from runtime.settings import Settings

BAUDS = (9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600, 1_000_000, 2_000_000)
Uid = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_BYTES)]


class PortSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        description="Serial device (/dev/serial/by-id/…), a glob of such (/dev/ttyACM*), or socket://host:port."
    )
    baud: int = Field(115_200, description="Line speed in bits a second; a pty, USB or socket does not mind.")

    @model_validator(mode="after")
    def _speed_exists(self) -> Self:
        if self.baud not in BAUDS:
            raise ValueError(f"baud {self.baud} is no line speed; choose one of {', '.join(map(str, BAUDS))}")
        return self


class BridgeSettings(Settings):
    room: ClassVar[str] = "bridge"

    bridge: Id = Field(
        description="This bridge's own device id on the broker; one for each bridge of a store."
    )
    ports: list[PortSettings] = Field(
        description="Where devices may be plugged in.", min_length=1, max_length=64
    )
    devices: dict[Uid, Id] = Field(
        description="Device id for each microcontroller's uid, as HELLO says it. A uid not listed is refused.",
        min_length=1,
        max_length=256,
    )
    state_dir: str = Field(
        description="Folder for the counters that outlive a kill. Nothing else is kept.", min_length=1
    )
    broker_host: str = Field("127.0.0.1", description="Host of the store's MQTT broker.", min_length=1)
    broker_port: int = Field(1883, description="Port of the store's MQTT broker.", ge=1, le=65_535)
    broker_protocol: Literal[4, 5] = Field(
        5, description="5 for MQTT 5; 4 (MQTT 3.1.1) for brokers without it."
    )
    broker_username: str = Field("", description="User at the broker; empty: none.")
    broker_password_file: str = Field("", description="File with that user's password; empty: none.")
    tls_ca_file: str = Field(
        "", description="File with the CA that signed the broker's certificate; empty: no TLS."
    )
    status_port: int = Field(
        0, description="Loopback port of GET /status and /healthz; 0 picks a free one.", ge=0, le=65_535
    )
    clock_file: str = Field("", description="Clock of a simulation; empty: the system's clock.")
    heartbeat_s: float = Field(
        60.0, description="Real seconds between the bridge's own heartbeat events.", ge=1, le=86_400
    )
    max_unpublished: int = Field(
        32,
        description="Messages of one device that may wait for the broker's confirmation before the device has to wait.",
        ge=1,
        le=1000,
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged."
    )

    @model_validator(mode="after")
    def _each_id_is_one_device(self) -> Self:
        uses = Counter(self.devices.values())
        double = sorted(device for device, count in uses.items() if count > 1)
        if double:
            raise ValueError(
                f"devices: {', '.join(double)} is given to more than one uid; ids are one a device"
            )
        if self.bridge in uses:
            raise ValueError(f"devices: {self.bridge} is the bridge's own id; give the device another")
        return self

"""The gateway's settings, from edge.toml and SHELFLOOP_EDGE_…"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contract.ids import Id
from runtime.settings import Settings

Port = Annotated[int, Field(ge=0, le=65_535)]
Milliseconds = Annotated[int, Field(ge=0, le=600_000)]


class EdgeSettings(Settings):
    room: ClassVar[str] = "edge"

    gateway: Id = Field(description="This gateway's id, as it was added at the centre.")
    store: Id = Field(description="The store in which the gateway stands.")
    state_dir: str = Field(description="Folder of the gateway's database; made when absent.")
    broker_host: str = Field(default="127.0.0.1", description="Host of the local MQTT broker.")
    broker_port: Port = Field(default=1883, description="Port of the local MQTT broker.")
    broker_protocol: Literal[4, 5] = Field(
        default=5, description="MQTT version: 5, or 4 (that is 3.1.1) for brokers without 5."
    )
    broker_username: str = Field(default="", description="User at the broker; empty: none.")
    broker_password_file: str = Field(default="", description="File with the broker password; empty: none.")
    tls_ca_file: str = Field(
        default="", description="CA certificate of the broker; empty: no TLS to the broker."
    )
    central_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s]+)?$",
        description="Base URL of the centre, such as https://central.example; empty: the shop works alone.",
    )
    central_ca_file: str = Field(
        default="", description="CA certificate of the centre; empty: those that the system trusts."
    )
    key_file: str = Field(default="", description="File with this gateway's key, sent as a bearer token.")
    bundle_dir: str = Field(
        default="", description="Folder of the signed model bundle; empty: the one that comes with Shelfloop."
    )
    bundle_public_key_file: str = Field(
        default="",
        description="PEM file of the key that signs bundles; empty: the one that comes with Shelfloop.",
    )
    status_port: Port = Field(
        default=0, description="Port of the shop's page, /status, /healthz and /metrics; 0 picks one."
    )
    status_host: str = Field(
        default="127.0.0.1",
        description="Address of that port; 0.0.0.0 shows the page, which only reads, to the shop's whole network.",
    )
    clock_file: str = Field(default="", description="Clock file of a simulation; empty: the system's clock.")
    commit_linger_ms: Milliseconds = Field(
        default=250,
        description="How long a commit may wait for company when more than 100 messages a second come.",
    )
    commit_idle_linger_ms: Milliseconds = Field(
        default=1000,
        description="How long a commit may wait for company when fewer come. Receipts, counts and the like never wait.",
    )
    uplink_linger_ms: Milliseconds = Field(
        default=1000, description="How long records may wait for company before a batch goes up."
    )
    poll_interval_s: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="How often the centre is asked for news when nothing is to be sent.",
    )
    window_ms: int = Field(
        default=60_000, ge=1000, le=3_600_000, description="Span of the shelf windows, in shop time."
    )
    outbox_max_bytes: int = Field(
        default=536_870_912,
        ge=65_536,
        description="Bytes that unsent records may take; above it windows get coarser, then the oldest are dropped and declared.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="How much to log."
    )

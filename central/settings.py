"""The centre's settings (`central.toml`)."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from contract.api.deliveries import MAX_NOTE_AGE_DAYS
from contract.api.feed import EventType
from contract.ids import SkuText
from runtime.settings import Settings

STANDARD_SCHEDULE_S = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Waits before each attempt, over three days. Source: Standard Webhooks 1.0, "Deliverability and reliability"."""

WaitSeconds = Annotated[float, Field(ge=0, le=7 * 86_400)]


class CentralSettings(Settings):
    room: ClassVar[str] = "central"

    state_dir: Path = Field(
        description="Folder of the ledger and its companions; made by `shelfloop central init`."
    )
    host: str = Field(
        default="127.0.0.1", description="Address to listen on; loopback unless told otherwise."
    )
    port: int = Field(default=8700, ge=0, le=65_535, description="Port of the API.")
    status_port: int = Field(
        default=8701,
        ge=0,
        le=65_535,
        description="Loopback port of /status and /healthz; 0 picks a free one.",
    )
    clock_file: str = Field(
        default="", description="A simulation's clock file; empty for the system's clock."
    )
    database_url: str = Field(
        default="",
        description="URL of the ledger: postgresql://user@host/database (15 or newer); empty for SQLite in state_dir.",
    )
    allow_private_webhooks: bool = Field(
        default=False,
        description="Whether webhooks may go to loopback and private addresses; only where callers are trusted.",
    )
    retry_schedule_s: list[WaitSeconds] = Field(
        default=list(STANDARD_SCHEDULE_S),
        min_length=1,
        max_length=50,
        description="Real seconds to wait before each attempt to deliver a webhook; the first is the first attempt.",
    )
    webhook_timeout_s: float = Field(
        default=15.0, gt=0, le=60, description="Real seconds that a webhook receiver has to answer."
    )
    event_source: str = Field(
        default="/shelfloop/central",
        min_length=1,
        max_length=200,
        description="CloudEvents `source` of what is sent.",
    )
    auto_approve_below_cents: int = Field(
        default=20_000,
        ge=0,
        description="Orders below this value need no person, when nothing speaks against them.",
    )
    auto_approve_from_confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Orders need a person when demand exceeds the stock with less than this probability; 0: never for that.",
    )
    transfer_interval_min: int = Field(
        default=60,
        ge=0,
        le=1440,
        description="Minutes between two looks for goods that one store has to spare and another will miss; 0: never.",
    )
    transfer_reach_km: float = Field(
        default=30.0, gt=0, le=1000, description="How far goods are carried from store to store, in km."
    )
    transfer_handling_cents: int = Field(
        default=300, ge=0, description="What carrying one SKU from store to store costs besides the way."
    )
    transfer_cents_per_km: int = Field(
        default=30, ge=0, description="What a km of the way between two stores costs."
    )
    stale_after_min: int = Field(
        default=180,
        ge=1,
        description="Minutes after which a proposal's data is too old for an automatic order.",
    )
    stale_forecast_days: int = Field(
        default=2,
        ge=1,
        description="Days after which the newest forecast of a SKU is too old for an automatic order.",
    )
    stale_bundle_days: int = Field(
        default=365,
        ge=0,
        description="Days after the last day that a bundle was trained on from which its orders wait for a person; 0: never.",
    )
    ask_when_drifted: bool = Field(
        default=True,
        description="Whether orders wait for a person while a gateway tells that its forecasts' levels are off (model-drift).",
    )
    trigger_expiry_h: int = Field(
        default=72,
        ge=1,
        description="Hours after which a trigger that nobody approved or acknowledged expires.",
    )
    order_overdue_days: int = Field(
        default=21,
        ge=1,
        description="Days without progress after which an acknowledged order expires and is no longer on order.",
    )
    gateway_silent_min: int = Field(
        default=30, ge=1, description="Minutes without a batch after which a gateway shows as offline."
    )
    campaign_interval_min: int = Field(
        default=60, ge=1, description="Minutes of shop time between two evaluations of the campaigns."
    )
    campaign_lease_min: int = Field(
        default=120,
        ge=1,
        le=10_080,
        description="Minutes of shop time for which a store holds its part of a campaign's budget before it gives back the rest.",
    )
    coupons_per_member_a_day: int = Field(
        default=1, ge=0, description="Coupons that one member gets a day at most, over all campaigns."
    )
    code_retention_h: int = Field(
        default=72, ge=1, description="Hours after which an issued coupon's code is blanked in the feed."
    )
    bundle_public_key_file: Path | None = Field(
        default=None,
        description="PEM file of the key that signs bundles; the centre takes no others. Empty: the one of the demo.",
    )
    window_days: int = Field(
        default=400, ge=0, description="Days for which windows are kept, one by one; 0: for ever. Sums stay."
    )
    receipt_days: int = Field(
        default=800,
        ge=0,
        description="Days for which receipts, their lines and the tills' totals are kept; 0: for ever. Sums stay.",
    )
    stock_fact_days: int = Field(
        default=800, ge=0, description="Days for which levels, deliveries and counts are kept; 0: for ever."
    )
    proposal_days: int = Field(
        default=400,
        ge=0,
        description="Days for which proposals are kept, longer while an order of their SKU is open; 0: for ever.",
    )
    delivery_note_days: int = Field(
        default=800,
        ge=0,
        description="Days for which delivery notes are kept, longer while an order waits for their load; at least 31, or 0: for ever.",
    )
    alert_days: int = Field(
        default=400, ge=0, description="Days for which alerts that were cleared are kept; 0: for ever."
    )
    quarantine_days: int = Field(
        default=400, ge=0, description="Days for which refused records are shown; 0: for ever."
    )
    forecast_days: int = Field(
        default=400,
        ge=0,
        description="Days for which forecasts are kept, of each SKU the newest; 0: for ever.",
    )
    quarter_rollup_days: int = Field(
        default=100, ge=0, description="Days for which sums by the quarter hour are kept; 0: for ever."
    )
    hour_rollup_days: int = Field(
        default=800,
        ge=0,
        description="Days for which sums by the hour are kept; 0: for ever. Sums by the day are kept for ever.",
    )
    requests_per_s: float = Field(
        default=1000.0,
        ge=0,
        description="Requests a second that one key, token or person may send for ever; 0: no limit.",
    )
    requests_burst: int = Field(
        default=10_000, ge=1, description="Requests that one key, token or person may send at once."
    )
    session_h: float = Field(
        default=12.0, gt=0, le=24 * 31, description="Real hours after which a person logs in again."
    )
    mqtt_host: str = Field(
        default="", description="MQTT broker to which outgoing events are published, too; empty: off."
    )
    mqtt_port: int = Field(default=1883, ge=1, le=65_535, description="Its port.")
    mqtt_protocol: Literal[4, 5] = Field(default=5, description="MQTT 5, or 4 for brokers of MQTT 3.1.1.")
    mqtt_username: str = Field(default="", description="User name there; empty: none.")
    mqtt_password_file: str = Field(default="", description="File with that user's password; empty: none.")
    mqtt_tls_ca_file: str = Field(
        default="",
        description="PEM file of the authority that signed the broker's certificate; empty: no TLS.",
    )
    mqtt_topic: str = Field(
        default="shelfloop/events",
        pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$",
        max_length=100,
        description="What the topics begin with; an event goes to this/STORE/TYPE.",
    )
    mqtt_types: list[EventType] = Field(
        default=[
            "shelfloop.restock.trigger.v1",
            "shelfloop.restock.change.v1",
            "shelfloop.restock.cancelled.v1",
        ],
        min_length=1,
        description="Types of events that are published; those of coupons name members' pseudonyms and carry codes.",
    )
    influx_url: str = Field(default="", description="InfluxDB-compatible server for time series; empty: off.")
    influx_server: Literal["influxdb-1", "influxdb-2", "victoria-metrics"] = Field(
        default="influxdb-2",
        description="What stands there; InfluxDB 3 is written and read as influxdb-2 (docs/howto/time-series.md).",
    )
    watch_skus: list[SkuText] = Field(
        default=[],
        max_length=200,
        description="SKUs that have a series of their own there, beside those of the categories; at most 200.",
    )
    influx_token: SecretStr = Field(default=SecretStr(""), description="Token of the InfluxDB server.")
    influx_org: str = Field(default="", description="Organisation in the InfluxDB server.")
    influx_bucket: str = Field(default="", description="Bucket in the InfluxDB server.")
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR."
    )

    @field_validator("delivery_note_days")
    @classmethod
    def _note_may_come_again(cls, days: int) -> int:
        """The same note again changes nothing only while it is known, and one is taken that is 30 days old."""
        if 0 < days <= MAX_NOTE_AGE_DAYS:
            raise ValueError(
                f"{days} is too few: a note of the last {MAX_NOTE_AGE_DAYS} days may come again; set {MAX_NOTE_AGE_DAYS + 1} or more, or 0"
            )
        return days

    @property
    def url(self) -> str:
        """The ledger's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.state_dir / 'ledger.sqlite3'}"

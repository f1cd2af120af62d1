"""HQ's settings (`hq.toml`, environment `SHELFLOOP_HQ_…`)."""

import ipaddress
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from runtime.settings import Settings


class HqSettings(Settings):
    room: ClassVar[str] = "hq"

    central_url: str = Field(description="Where the centre listens, such as `http://127.0.0.1:8700`.")
    token_file: str = Field(
        "",
        description="Empty: people log in with name and password. Else a file whose one line is a token "
        "(`shelfloop central token create --scope hq`), with which all who reach the pages act, without a log-in: "
        "only with a loopback `host`.",
    )
    host: str = Field(
        "127.0.0.1",
        description="Address that the pages listen on. Loopback unless a proxy or firewall stands before them.",
    )
    port: int = Field(8702, ge=0, le=65_535, description="Port of the pages.")
    status_port: int = Field(
        0, ge=0, le=65_535, description="Loopback port of /status and /healthz; 0 picks a free one."
    )
    clock_file: str = Field("", description="Clock file of a simulation; empty: the system's clock.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severity that is logged."
    )
    refresh_s: float = Field(
        3.0, ge=0.5, le=300, description="Seconds between two looks at the centre, for each open page."
    )
    undo_s: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Seconds in which an approval or a rejection can be taken back before it goes out.",
    )
    allowed_hosts: list[str] = Field(
        [],
        description="Names by which browsers may call the pages, besides the address itself; `*` allows any.",
    )

    @field_validator("host")
    @classmethod
    def _is_nobodys_open_door(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("token_file") and not _is_loopback(value):
            raise ValueError(
                "token_file opens the pages without a log-in, so it goes with a loopback address such as 127.0.0.1 only; "
                "leave token_file out, and people log in"
            )
        return value

    @field_validator("central_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

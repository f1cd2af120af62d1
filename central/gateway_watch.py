"""What gateways told of themselves, and boxes that share an identity: noted by ingestion, brought to the ledger by the tick."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from contract.api.gateways import TwinView
from contract.gateway_state import GatewayState
from runtime.logs import Log

log = Log("central.gateways")

MAX_TWINS = 1000
"""Gateways with a twin that are remembered at once between two flushes."""

_PUT_STATE = sa.text(
    """UPDATE gateways SET state = :state, told_ms = :told_ms, ahead_ms = :ahead_ms
    WHERE gateway = :gateway AND coalesce(told_ms, 0) < :told_ms"""
)
_TWIN = sa.text("SELECT twin FROM gateways WHERE gateway = :gateway")
_PUT_TWIN = sa.text("UPDATE gateways SET twin = :twin WHERE gateway = :gateway")


@dataclass(frozen=True, slots=True)
class Told:
    """ahead_ms: of the gateway's clock when it told."""

    state: GatewayState
    told_ms: int
    ahead_ms: int


class GatewayWatch:
    """Written by whichever thread takes a batch, one entry at a time; read by any."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self.twins: dict[str, TwinView] = {}
        self.has_news = False
        """A twin spoke that the ledger does not know of yet."""
        self._flushed_ms: dict[str, int] = {}
        self._flushed_refusals: dict[str, tuple[str, int]] = {}

    def note(self, gateway: str, state: GatewayState | None, sent_at_ms: int, now_ms: int) -> None:
        if state is not None:
            self.told[gateway] = Told(state, now_ms, sent_at_ms - now_ms)

    def refused(self, gateway: str, run: str, state: GatewayState | None, now_ms: int) -> None:
        """`run` spoke while another box speaks for `gateway`."""
        known = self.twins.get(gateway)
        if known is not None and known.run == run:
            host = known.host if state is None else state.host
            heard = known.heard_host or self._host_of(gateway)
            self.twins[gateway] = known.model_copy(
                update={"last_ms": now_ms, "refusals": known.refusals + 1, "host": host, "heard_host": heard}
            )
            return
        if len(self.twins) >= MAX_TWINS:
            self.twins.pop(next(iter(self.twins)), None)
        heard_host = self._host_of(gateway)
        host = "" if state is None else state.host
        self.twins[gateway] = TwinView(
            run=run, host=host, heard_host=heard_host, first_ms=now_ms, last_ms=now_ms, refusals=1
        )
        self.has_news = True
        log.warning("two gateways speak in one name", gateway=gateway, heard=heard_host, refused=host)

    def _host_of(self, gateway: str) -> str:
        told = self.told.get(gateway)
        return "" if told is None else told.state.host

    def flush(self, connection: Connection) -> None:
        """Brings what is new to the ledger, in a transaction of the chain; the newest of all workers stays."""
        self.has_news = False
        rows = []
        for gateway, told in sorted(self.told.items()):
            if told.told_ms > self._flushed_ms.get(gateway, 0):
                self._flushed_ms[gateway] = told.told_ms
                state = told.state.model_dump_json()
                rows.append(
                    {"gateway": gateway, "state": state, "told_ms": told.told_ms, "ahead_ms": told.ahead_ms}
                )
        if rows:
            connection.execute(_PUT_STATE, rows)
        for gateway, twin in sorted(self.twins.items()):
            self._flush_twin(connection, gateway, twin)

    def _flush_twin(self, connection: Connection, gateway: str, twin: TwinView) -> None:
        run, refusals = self._flushed_refusals.get(gateway, ("", 0))
        new = twin.refusals - (refusals if run == twin.run else 0)
        if not new:
            return
        self._flushed_refusals[gateway] = (twin.run, twin.refusals)
        kept = connection.execute(_TWIN, {"gateway": gateway}).scalar()
        merged = merged_twin(None if kept is None else TwinView.model_validate_json(kept), twin, new)
        connection.execute(_PUT_TWIN, {"gateway": gateway, "twin": merged.model_dump_json()})


def merged_twin(kept: TwinView | None, found: TwinView, new_refusals: int) -> TwinView:
    """What several workers saw of one second box. Another box than the one that is kept begins anew."""
    if kept is None or kept.run != found.run:
        return found
    return found.model_copy(
        update={
            "first_ms": min(kept.first_ms, found.first_ms),
            "last_ms": max(kept.last_ms, found.last_ms),
            "refusals": kept.refusals + new_refusals,
            "host": found.host or kept.host,
            "heard_host": found.heard_host or kept.heard_host,
        }
    )

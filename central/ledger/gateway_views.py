"""What people read of gateways: the ledger's rows, with what this process heard since."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from central.core.gateway_signs import Watched, signs_of
from central.gateway_watch import GatewayWatch, Told
from central.ledger.of_stores import Stores, named, of_stores
from contract.api.gateways import TwinView
from contract.api.stores import GatewayView
from contract.gateway_state import GatewayState

_GATEWAYS = of_stores(
    """SELECT g.*, (SELECT count(*) FROM positions p WHERE p.store_id = g.store_id AND p.gateway = g.gateway) AS epochs,
    (SELECT p.through_seq FROM positions p WHERE p.store_id = g.store_id AND p.gateway = g.gateway
     ORDER BY p.ordinal DESC LIMIT 1) AS through_seq FROM gateways g WHERE {stores} ORDER BY g.gateway"""
)

_HEARD = of_stores("SELECT gateway, last_heard_ms FROM gateways WHERE {stores}")


@dataclass(frozen=True, slots=True)
class GatewayLook:
    """What this process knows beside the ledger: a poll without rows writes nothing, and what is told is flushed now and then.

    is_simulated: shop time runs as it likes, so ages and clocks of gateways are not judged.
    """

    heard_ms: dict[str, int]
    watch: GatewayWatch
    silent_ms: int
    is_simulated: bool


def gateway_views(
    connection: Connection, *, now_ms: int, look: GatewayLook, stores: Stores = None
) -> list[GatewayView]:
    return [_view(row, now_ms, look) for row in connection.execute(_GATEWAYS, named(stores))]


def gateways_online(
    connection: Connection, *, now_ms: int, look: GatewayLook, stores: Stores = None
) -> tuple[int, int]:
    """How many are heard of, and how many there are."""
    rows = connection.execute(_HEARD, named(stores)).all()
    heard = [max(last_ms or 0, look.heard_ms.get(gateway, 0)) for gateway, last_ms in rows]
    return sum(last_ms > 0 and now_ms - last_ms <= look.silent_ms for last_ms in heard), len(rows)


def _view(row: Any, now_ms: int, look: GatewayLook) -> GatewayView:
    last = max(row.last_heard_ms or 0, look.heard_ms.get(row.gateway, 0)) or None
    online = last is not None and now_ms - last <= look.silent_ms
    told, twin = _told(row, look), _twin(row, look)
    state, ahead_ms = (None, 0) if told is None else (told.state, told.ahead_ms)
    seen = Watched(row.gateway, online, state, ahead_ms, twin, look.is_simulated)
    return GatewayView(
        gateway=row.gateway, store=row.store_id, version=row.version, bundle=row.bundle, online=online,
        last_heard_ms=last, watermark_ms=row.watermark_ms, epochs=row.epochs, through_seq=row.through_seq or 0,
        rejected_total=row.rejected_total, quarantined_total=row.quarantined_total, gaps_total=row.gaps_total,
        counters=json.loads(row.counters), devices_online=json.loads(row.devices_online),
        devices_offline=json.loads(row.devices_offline), state=state, told_ms=None if told is None else told.told_ms,
        clock_ahead_ms=ahead_ms, twin=twin, signs=signs_of(seen, now_ms) if last is not None or told is not None else [],
    )  # fmt: skip


def _told(row: Any, look: GatewayLook) -> Told | None:
    """The newest that any worker was told."""
    here = look.watch.told.get(row.gateway)
    if row.state is None or (here is not None and here.told_ms >= row.told_ms):
        return here
    return Told(GatewayState.from_json(row.state), row.told_ms, row.ahead_ms)


def _twin(row: Any, look: GatewayLook) -> TwinView | None:
    here = look.watch.twins.get(row.gateway)
    kept = None if row.twin is None else TwinView.model_validate_json(row.twin)
    if here is None or kept is None:
        return here or kept
    return max(here, kept, key=lambda twin: (twin.last_ms, twin.refusals))

"""Reads both sides of every account when the run is over: the shops and systems outside, and ours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from firmware_bridge.core.link_events import LinkLimits
from simulator.catalogue import CellPlan, ShopFile
from simulator.orchestrator.centre_admin import CentreAdmin
from simulator.orchestrator.courier import Courier
from simulator.orchestrator.layout import CENTRAL_NAME, MEMBER_APP_NAME, REPLENISHER_NAME, Layout
from simulator.orchestrator.ledger_facts import LedgerFacts, ledger_facts
from simulator.orchestrator.shop_link import ShopLink
from simulator.orchestrator.status_client import StatusClient
from simulator.orchestrator.supervisor import ChildError
from simulator.report import (
    COUNTED,
    Books,
    Cells,
    ClosedDay,
    Coupons,
    DayKey,
    Deliveries,
    EventWire,
    FrameWire,
    Totals,
    Triggers,
)

WEIGHING = frozenset({"shelf-1", "shelf-2", "shelf-3", "shelf-4"})
"""Their readings are state: nobody keeps what a newer one replaces."""
TRIGGER_TYPE = "shelfloop.restock.trigger.v1"
WAITING = frozenset({"proposed", "snoozed"})
APPROVED = frozenset({"approved", "sent", "acknowledged", "ordered", "shipped", "received", "closed"})
"""Not those that ended otherwise: they may have ended before anybody approved them."""
MOST_LOST_PER_KILL = LinkLimits().window * (LinkLimits().max_tries + 1)
"""What a killed bridge had read and not counted, and a full window sent as often as the link tries before it gives up."""


class Bookkeeper:
    """kills: of each process, by name. watched: the clock ran at a scale."""

    def __init__(
        self,
        layout: Layout,
        shops: Mapping[str, ShopLink],
        status: Mapping[str, StatusClient],
        admin: CentreAdmin,
        courier: Courier,
        kills: Mapping[str, int],
        files: Mapping[str, ShopFile],
        *,
        watched: bool,
    ) -> None:
        self._layout, self._shops, self._status = layout, shops, status
        self._admin, self._courier, self._kills = admin, courier, kills
        self._files, self._watched = files, watched

    def books(self, now_ms: int, kills_undone: int) -> Books:
        shops = {shop: link.ask({"cmd": "report"}) for shop, link in self._shops.items()}
        edges = {place.store: self._ask(place.name("edge")) for place in self._layout.shops}
        replenisher, member_app = (
            self._ask(REPLENISHER_NAME, "/report"),
            self._ask(MEMBER_APP_NAME, "/report"),
        )
        accounting = self._admin.get("/v1/accounting", limit=50_000)
        events = tuple(self._events(shops, edges))
        missed = self._watched or any(wire.missing > 0 for wire in events if not wire.kept)
        return Books(
            tills=sum(
                (_totals(till) for shop in shops.values() for till in shop["tills"].values()), Totals()
            ),
            ledger=Totals(**{name: accounting[name]["ledger"] for name in COUNTED}),
            days=_days(shops, accounting),
            open_days=accounting["open_days"],
            declared_gaps=accounting["declared_gaps"],
            cells=replace(_cells(shops, edges), readings_missed=missed),
            frames=tuple(self._frames(shops)),
            events=events,
            triggers=self._triggers(replenisher),
            coupons=self._coupons(shops, member_app),
            deliveries=Deliveries(
                due=tuple(row["despatch"] for row in self._courier.despatched if row["arrive_ms"] <= now_ms),
                at_dock=tuple(name for shop in shops.values() for name in shop["deliveries"]),
                in_ledger=self._ledger().despatches,
            ),
            pending=sum(int(shop["pending"]) for shop in shops.values()),
            refused=tuple(f"{path}: {why}" for path, why in replenisher["refused_reports"]),
            kills_undone=kills_undone,
        )

    def happened(self) -> dict[str, int]:
        """What befell the shops besides plain sales."""
        shops = {shop: link.ask({"cmd": "report"}) for shop, link in self._shops.items()}
        names = (
            "stock_outs",
            "lost_sales_units",
            "stolen_units",
            "damaged_units",
            "returned_units",
            "voided_units",
        )
        despatched = self._courier.despatched
        ledger = self._ledger()
        return {
            **{name: sum(int(shop[name]) for shop in shops.values()) for name in names},
            "hand_orders": int(self._ask(REPLENISHER_NAME, "/report")["hand_orders"]),
            "short_shipments": sum(row["quantity_units"] < row["expected_units"] for row in despatched),
            "short_deliveries": ledger.short_deliveries,
            "opening_counts": ledger.opening_counts,
            "stocktakes": ledger.stocktakes,
            "damages": ledger.damages,
            "swapped_facings": sum(
                swapped_facings(self._files[shop].cells, report["stock"]) for shop, report in shops.items()
            ),
        }

    def _ledger(self) -> LedgerFacts:
        return ledger_facts(self._layout.folder(CENTRAL_NAME) / "ledger.sqlite3")

    def _ask(self, name: str, path: str = "/status") -> dict[str, Any]:
        answer = self._status[name].get(path)
        if answer is None:
            raise ChildError(f"{name} does not answer GET {path} when the books are read")
        return answer

    def _frames(self, shops: Mapping[str, dict[str, Any]]) -> list[FrameWire]:
        wires = []
        for place in self._layout.shops:
            bridge = self._ask(place.name("bridge"))
            for device, at_bridge in bridge["devices"].items():
                counted = at_bridge["counters"]
                names = ("frames_duplicate", "frames_out_of_window", "frames_stale")
                wires.append(
                    FrameWire(
                        name=f"{device} in {place.store}",
                        sent=shops[place.store]["devices"][device]["frames_sent"],
                        accepted=counted["frames_accepted"],
                        duplicates=sum(counted[name] for name in names),
                        crc_rejected=counted["frames_crc_rejected"],
                        bridge_kills=self._kills.get(place.name("bridge"), 0),
                        most_lost_per_kill=MOST_LOST_PER_KILL,
                    )
                )
        return wires

    def _events(
        self, shops: Mapping[str, dict[str, Any]], edges: Mapping[str, dict[str, Any]]
    ) -> list[EventWire]:
        wires = []
        for place in self._layout.shops:
            killed = any(self._kills.get(place.name(kind)) for kind in ("bridge", "broker", "edge"))
            for device, sent in shops[place.store]["devices"].items():
                heard = edges[place.store]["devices"].get(device, {})
                wires.append(
                    EventWire(
                        name=f"{device} in {place.store}",
                        made=sent["events"],
                        accepted=int(heard.get("accepted", 0)),
                        duplicates=int(heard.get("duplicates", 0)),
                        rejected=int(heard.get("rejected", 0)),
                        kept=device not in WEIGHING,
                        killed=killed,
                    )
                )
        return wires

    def _triggers(self, replenisher: Mapping[str, Any]) -> Triggers:
        rows = self._admin.rows("/v1/triggers", limit=500)
        waiting = [row for row in rows if row["state"] in WAITING]
        return Triggers(
            created=len(rows),
            approved=frozenset(
                row["trigger"] for row in rows if row["state"] in APPROVED and not _is_held(row)
            ),
            held=sum(map(_is_held, rows)),
            dispatched=frozenset(self._dispatched()),
            consumed=frozenset(replenisher["triggers"]),
            duplicates_in_effect=replenisher["duplicates_in_effect"],
            waiting=tuple(
                f"{row['trigger']}: {row['quantity_units']} x {row['name']} for {row['store']}, {row['doubt'] or row['why']}"
                for row in waiting
            ),
        )

    def _dispatched(self) -> set[str]:
        found: set[str] = set()
        after = 0
        while True:
            feed = self._admin.get("/v1/feed", after=after, limit=500, wait=0, types=TRIGGER_TYPE)
            found.update(
                row["event"]["data"]["trigger"]
                for row in feed["rows"]
                if row["event"]["type"] == TRIGGER_TYPE
            )
            if not feed["rows"] or feed["next"] == after:
                return found
            after = feed["next"]

    def _coupons(self, shops: Mapping[str, dict[str, Any]], member_app: Mapping[str, Any]) -> Coupons:
        campaigns = self._admin.rows("/v1/campaigns")
        return Coupons(
            issued=sum(row["issued"] for row in campaigns),
            in_wallets=member_app["issued"],
            redeemed=sum(row["redeemed"] for row in campaigns),
            redeemed_at_tills=sum(len(shop["redemptions"]) for shop in shops.values()),
            reversed=sum(row["reversed"] for row in campaigns),
            reversed_at_tills=sum(len(shop["reversals"]) for shop in shops.values()),
            duplicates_in_effect=member_app["duplicates_in_effect"],
        )


def swapped_facings(cells: Sequence[CellPlan], stock: Sequence[Mapping[str, Any]]) -> int:
    """Cells that carry other goods at the end than they were fitted with."""
    fitted = {(cell.device, cell.cell): cell.sku for cell in cells}
    return sum(fitted[row["device"], row["cell"]] != row["sku"] for row in stock)


def _totals(row: Mapping[str, Any]) -> Totals:
    return Totals(**{name: row[name] for name in COUNTED})


def _days(shops: Mapping[str, dict[str, Any]], accounting: Mapping[str, Any]) -> dict[DayKey, ClosedDay]:
    told = {
        (shop, row["register_id"], row["business_date"]): _totals(row)
        for shop, report in shops.items()
        for row in report["day_closes"]
    }
    at_centre = {(row["store"], row["register_id"], row["business_date"]): row for row in accounting["days"]}
    return {
        key: ClosedDay(
            told=told.get(key),
            arrived=_side(at_centre.get(key), "tills"),
            ledger=_side(at_centre.get(key), "ledger"),
        )
        for key in told.keys() | at_centre.keys()
    }


def _side(row: Mapping[str, Any] | None, side: str) -> Totals | None:
    return None if row is None else Totals(**{name: row[name][side] for name in COUNTED})


def _cells(shops: Mapping[str, dict[str, Any]], edges: Mapping[str, dict[str, Any]]) -> Cells:
    def truth(name: str) -> int:
        return sum(int(report["cells"][name]) for report in shops.values())

    def counted(name: str) -> int:
        return sum(int(edge["counters"].get(name, 0)) for edge in edges.values())

    return Cells(
        units_taken=truth("units_taken"),
        put_back_units=truth("put_back_units"),
        refilled_units=truth("refilled_units"),
        picks_counted=counted("picks_counted_units"),
        put_backs_counted=counted("put_back_units"),
        refills_counted=counted("refilled_units"),
        unresolved=counted("unresolved_units"),
    )


def _is_held(row: Mapping[str, Any]) -> bool:
    """Whether it waits for its supplier's cut-off: approved, and rightly not sent yet."""
    return row["state"] == "approved" and row["due_ms"] is not None

"""Everything the core knows, as rows that are saved with each commit and restored at the start."""

from collections.abc import Iterable
from typing import Protocol

from pydantic import TypeAdapter

from contract.records import AlertRecord, Record, Severity, StagingRecord, StagingState
from edge.core.ages import Ages
from edge.core.alerts import Alerts
from edge.core.calibration import Calibrations
from edge.core.config_trial import ConfigTrial
from edge.core.coupons import Coupons
from edge.core.day import ShopCalendar
from edge.core.demand import Demand
from edge.core.despatches import Despatches
from edge.core.devices import Devices
from edge.core.documents import Documents
from edge.core.effects import Effect, Emit
from edge.core.esl import Labels
from edge.core.hours import Hours
from edge.core.levels import Levels
from edge.core.marks import Marks, Tally
from edge.core.replenish import Plans
from edge.core.rows import Row, Rows
from edge.core.rules.cold_chain import ColdRooms
from edge.core.rules.label_price import WrongLabels
from edge.core.rules.removal import Removals
from edge.core.sales import KnownSales
from edge.core.shelf import Shelves
from edge.core.stock import Level, Stock
from edge.core.stockout import StockOutPiece, StockOuts
from edge.core.windows import Windows

PLANNED = "planned_ms"


class _Saved(Protocol):
    def changed(self) -> list[Row]: ...


class EdgeState:
    """The rooms of the core. `effects` gathers what is to be done; `touched` the SKUs whose level may have changed."""

    def __init__(self, window_ms: int) -> None:
        self.documents = Documents()
        self.devices = Devices()
        self.shelves = Shelves(self.documents)
        self.stock = Stock()
        self.despatches = Despatches()
        self.levels = Levels()
        self.windows = Windows(window_ms)
        self.stock_outs = StockOuts()
        self.demand = Demand()
        self.hours = Hours()
        self.ages = Ages()
        self.sales = KnownSales()
        self.plans = Plans()
        self.labels = Labels(self.documents)
        self.coupons = Coupons()
        self.alerts = Alerts()
        self.cold_rooms = ColdRooms()
        self.removals = Removals()
        self.wrong_labels = WrongLabels()
        self.config_trial = ConfigTrial()
        self.bundles_told: Rows[str] = Rows("bundle-told", TypeAdapter(str))
        """By sha256: what the centre was last told of a bundle."""
        self.calibrations = Calibrations()
        self.bundle = ""
        """Of the models that answer, as the shell says it."""
        self.marks = Marks()
        self.tally = Tally()
        self.effects: list[Effect] = []
        self.touched: dict[str, int] = {}

    def emit(self, record: Record) -> None:
        self.effects.append(Emit(record))

    def emit_all(self, records: Iterable[Record]) -> None:
        for record in records:
            self.emit(record)

    def touch(self, sku: str, at_ms: int) -> None:
        self.touched[sku] = max(at_ms, self.touched.get(sku, 0))

    def alert(
        self,
        code: str,
        subject: str,
        *,
        active: bool,
        text: str,
        now_ms: int,
        severity: Severity = Severity.WARNING,
    ) -> None:
        """The rule that governs `code`, if any, says whether it is on and how loud it is."""
        rule = self.documents.rule_of(code)
        if rule is not None:
            severity, active = rule.severity, active and rule.enabled
        records: list[AlertRecord] = self.alerts.set(
            code, subject, active=active, severity=severity, text=text, now_ms=now_ms
        )
        for record in records:
            self.emit(record)
            if rule is not None and not record.cleared:
                self.config_trial.raised(code, rule)

    def staged(
        self, what: str, name: str, state: StagingState, now_ms: int, *, reason: str = "", sha256: str = ""
    ) -> None:
        """Tells the centre what became of a document or bundle that it sent."""
        self.emit(
            StagingRecord(
                seq=1, at_ms=now_ms, what=what, name=name[:200], state=state, reason=reason[:300], sha256=sha256
            )
        )  # fmt: skip

    def was_empty(self, piece: StockOutPiece, calendar: ShopCalendar) -> None:
        """Opening time with an empty facing counts for the day and its hour."""
        day = calendar.business_day(piece.from_ms).isoformat()
        self.demand.was_empty(piece.sku, day, piece.open_ms)
        if self.documents.is_managed(piece.sku):
            self.hours.was_empty(piece.sku, day, calendar.hour_of(piece.from_ms), piece.open_ms)

    def level(self, sku: str) -> Level:
        return self.stock.level(sku, self.shelves.on_shelf_units(sku), has_cell=self.shelves.has_cell(sku))

    def changed(self) -> list[Row]:
        """The rows to save with the next commit."""
        parts: tuple[_Saved, ...] = (
            self.documents, self.devices, self.shelves, self.stock, self.levels, self.windows, self.stock_outs,
            self.demand, self.sales, self.plans, self.labels, self.coupons, self.alerts, self.marks, self.tally,
            self.cold_rooms, self.removals, self.wrong_labels, self.config_trial, self.bundles_told, self.calibrations,
            self.hours, self.despatches, self.ages,
        )  # fmt: skip
        return [row for part in parts for row in part.changed()]

    def restore(self, rows: list[tuple[str, str, str]]) -> None:
        """Takes back what `changed` gave. Raises ValueError (pydantic's) when a row is none of ours."""
        by_kind = {
            "document": self.documents.restore,
            "device": self.devices.rows.restore,
            "cell": self.shelves.restore,
            "stock": self.stock.rows.restore,
            "level": self.levels.rows.restore,
            "window": self.windows.rows.restore,
            "empty": self.stock_outs.rows.restore,
            "sold": self.demand.rows.restore,
            "heard": self.demand.heard.restore,
            "sale": self.sales.rows.restore,
            "plan": self.plans.restore,
            "tag": self.labels.rows.restore,
            "coupon": self.coupons.used.restore,
            "quota": self.coupons.counts.restore,
            "alert": self.alerts.rows.restore,
            "mark": self.marks.rows.restore,
            "tally": self.tally.rows.restore,
            "refused": self.documents.restore_refused,
            "cold": self.cold_rooms.rows.restore,
            "removal": self.removals.rows.restore,
            "wrong-label": self.wrong_labels.rows.restore,
            "trial": self.config_trial.rows.restore,
            "bundle-told": self.bundles_told.restore,
            "ages": self.ages.rows.restore,
            "sold-hours": self.hours.sold_rows.restore,
            "empty-hours": self.hours.restore_empty,
            "hour-profile": self.hours.profiles.restore,
            "load": self.despatches.rows.restore,
            "calibration": self.calibrations.rows.restore,
        }
        for kind, key, text in rows:
            take_back = by_kind.get(kind)
            if take_back is None:
                raise ValueError(f"state row of unknown kind {kind!r}: the file is from a newer version")
            take_back(key, text)
        planned_ms = self.marks.at(PLANNED)
        self.shelves.rebuild(planned_ms)
        self.labels.plan(planned_ms)
        # What was touched but not yet told: comparing with what was told finds it.
        for sku in self.stock.rows.by_key.keys() | set(self.shelves.skus()):
            self.touched[sku] = 0

"""Try a rule: the chain's own weeks under a changed rule or bundle, before anybody enables it."""

from typing import Any

from nicegui import ui

from contract.api.replays import ReplayPost, ReplayView, RuleChange
from contract.api.rollouts import BundleView
from contract.api.stores import StoreView
from hq.charts.replay_chart import HEIGHT_PX, replay_chart
from hq.desk import Desk
from hq.errors import CentralRefusedError, HqError
from hq.pages.chart import chart
from hq.pages.frame import frame, section
from hq.pages.restock_tabs import restock_tabs
from hq.pages.table import Column, DataTable, cell
from hq.replay_sum import agreed, lines_of, sentence, together
from hq.scope import Scope
from hq.words import counted, number, percent

PERIODS = {7: "1 week", 14: "2 weeks", 28: "4 weeks", 56: "8 weeks", 91: "13 weeks"}
MAX_SHOPS = 50
"""Played at once, one after the other: more say no more, and the centre has other work."""
FIELDS: dict[str, tuple[str, str, float]] = {
    "service_level": ("Service level", "of orders, such as 0.97", 0.01),
    "lead_time_days": ("Lead time, days", "until an order arrives", 1),
    "review_days": ("Review, days", "between two orders", 1),
    "pack_units": ("Pack, units", "", 1),
    "min_order_units": ("Least order, units", "", 1),
    "max_stock_units": ("Room for one SKU, units", "", 1),
    "presentation_units": ("Least on the shelf, units", "what it must show", 1),
    "cutoff_minute": ("Cut-off, minute of the day", "such as 1080 for 18:00", 30),
    "emergency_lead_days": ("Emergency lane, days", "of suppliers with a calendar", 1),
    "budget_cents": ("Budget of the day, cents", "of each shop", 100),
    "auto_approve_from_confidence": ("Ask a person below", "probability of need, 0 to 1", 0.05),
    "auto_approve_below_cents": ("Ask a person from, cents", "value of an order", 100),
}
WEEKDAYS = {0: "Mon", 1: "Tue", 2: "Wed", 3: "Thu", 4: "Fri", 5: "Sat", 6: "Sun"}
DAY_FIELDS = {"order_weekdays": "Suppliers take orders on", "delivery_weekdays": "Lorries come on"}
_COLUMNS = [
    Column("figure", "Figure", sortable=False),
    Column("made", "Really made", numeric=True, sortable=False),
    Column("now", "As it is, played", numeric=True, sortable=False),
    Column("then", "Changed, played", numeric=True, sortable=False),
    Column("difference", "Difference", numeric=True, sortable=False),
]
_TONES = {"better": ("ok", "trending_up"), "worse": ("bad", "trending_down"), "": ("", "")}


def register(desk: Desk) -> None:
    @ui.page("/restock/replay")
    async def replay_page(scope: str = "") -> None:
        chosen = Scope.from_text(scope)
        with frame(desk, "restock", "Try a rule", chosen):
            restock_tabs(chosen, "/restock/replay")
            with ui.element("div").classes("live-content"):
                page = _Replay(desk, chosen)
        await page.find_bundles()


class _Replay:
    def __init__(self, desk: Desk, scope: Scope) -> None:
        self._desk, self._scope = desk, scope
        self._stopped = False
        self._bundles: list[BundleView] = []
        with section("What to change", "empty fields stay as they are, for each SKU as it is set"):
            with ui.element("div").classes("form"):
                self._days = ui.select(PERIODS, value=28, label="Newest days that are over")
                self._fields = {
                    name: ui.number(label=label, step=step).props(f'hint="{hint}"' if hint else "")
                    for name, (label, hint, step) in FIELDS.items()
                }
                self._day_fields = {
                    name: ui.select(WEEKDAYS, multiple=True, value=[], label=label).props("use-chips")
                    for name, label in DAY_FIELDS.items()
                }
                self._bundle = ui.select({"": "The one that ran"}, value="", label="Bundle")
                for field in (self._days, self._bundle, *self._fields.values(), *self._day_fields.values()):
                    field.props("dense outlined")
            with ui.element("div").classes("bulk-acts"):
                self._go = ui.button("Play", on_click=self._play).props("unelevated no-caps color=primary")
                self._stop = ui.button("Stop", on_click=self._end).props("outline no-caps color=ink")
                self._stop.set_visibility(False)
                self._said = ui.label(
                    "Plays the stored weeks again, as they were and as they would have been. Nothing is changed by trying."
                ).classes("panel-note")
            self._bar = ui.linear_progress(0.0, show_value=False).props("instant-feedback")
            self._bar.set_visibility(False)
        self._result = section("What would have come of it")
        self._result.set_visibility(False)
        with self._result:
            self._sentence = ui.label().classes("verdict-text")
            self._table = DataTable(_COLUMNS, empty="")
            self._chart = chart(replay_chart([]), HEIGHT_PX)
            self._note = ui.label().classes("panel-note")

    async def find_bundles(self) -> None:
        try:
            self._bundles = (await self._desk.central.bundles()).rows
        except HqError:
            return  # who sees some shops only tries rules, not bundles
        options = {"": "The one that ran"} | {one.sha256: one.name for one in self._bundles}
        self._bundle.set_options(options, value="")

    def _end(self) -> None:
        self._stopped = True
        self._said.set_text("Stopping after this shop…")

    def _post(self) -> ReplayPost | str:
        """What is asked for, or what is wrong with it."""
        try:
            numbers = {
                name: _value(field.value) for name, field in self._fields.items() if field.value is not None
            }
            days = {name: sorted(field.value) for name, field in self._day_fields.items() if field.value}
            change = RuleChange.model_validate(numbers | days)
        except ValueError as error:
            return _wrong(error)
        if change == RuleChange() and not self._bundle.value:
            return "Change at least one field, or choose another bundle."
        return ReplayPost(days=int(self._days.value), changes=change, bundle=self._bundle.value or None)

    async def _play(self) -> None:
        post = self._post()
        if isinstance(post, str):
            self._say(post, "bad")
            return
        self._stopped = False
        self._busy(True)
        try:
            stores = self._scope.stores((await self._desk.central.stores()).rows)
            await self._play_all(post, stores)
        except HqError as error:
            self._say(f"{error.why} {error.do}", "bad")
        finally:
            self._busy(False)

    async def _play_all(self, post: ReplayPost, stores: list[StoreView]) -> None:
        asked = stores[:MAX_SHOPS]
        views: list[ReplayView] = []
        refused: list[str] = []
        for place, store in enumerate(asked):
            if self._stopped:
                break
            self._say(f"{store.name}: shop {place + 1} of {len(asked)}")
            self._bar.set_value(place / len(asked))
            try:
                views.append(await self._desk.central.replay(store.store, post))
            except CentralRefusedError as error:
                if error.status == 422:
                    raise
                refused.append(f"{store.name}: {error.why}")
            self._show(views, asked, len(stores))
        played = sum(view.skus > 0 for view in views)
        if not played:
            self._say(
                "No SKU has both sales and forecasts in these days: choose fewer days, or come back later.",
                "bad",
            )
            return
        self._say(
            " · ".join([f"{counted(played, 'shop')} played", *refused[:3]]), "bad" if refused else "quiet"
        )

    def _show(self, views: list[ReplayView], stores: list[StoreView], of_all: int) -> None:
        days, skus = together(views), sum(view.skus for view in views)
        self._result.set_visibility(skus > 0)
        currencies = {store.currency for store in stores}
        lines = lines_of(days, currencies.pop() if len(currencies) == 1 else "")
        self._sentence.set_text(sentence(days, skus, sum(view.skus > 0 for view in views)))
        self._table.set_rows([_row(line) for line in lines])
        self._chart(replay_chart(days))
        wanted = sum(day.now.demand_units for day in days)
        missed = sum(day.now.missed_units for day in days)
        notes = [
            f"As it is, {percent(wanted - missed, wanted)} of the demand is met, of {number(wanted)} units wanted."
        ]
        if left := sum(view.skus_left_out for view in views):
            notes.append(f"{counted(left, 'SKU')} that sell least were left out.")
        if of_all > len(stores):
            notes.append(f"The first {len(stores)} of {of_all} shops; choose a region above for others.")
        notes.append(agreed(views))
        notes.append(
            "Stored: what was sold by the hour, empty shelves, forecasts, opening stock, orders on their way. Played: the gateways' "
            "order graph and the centre's calendars, emergency lane, budget and approval; demand that an empty shelf hid is estimated, lost "
            "demand is lost. Kill-switches, what depots said they had, late and short loads are played as they were. Not in it: packs and "
            "lines that were others then, goods carried from here to other shops."
        )
        self._note.set_text(" ".join(notes))

    def _busy(self, busy: bool) -> None:
        self._go.set_enabled(not busy)
        self._stop.set_visibility(busy)
        self._bar.set_visibility(busy)

    def _say(self, text: str, tone: str = "quiet") -> None:
        self._said.set_text(text)
        self._said.classes(replace=f"panel-note tone-{tone}")


def _row(line: Any) -> dict[str, Any]:
    tone, icon = _TONES[line.verdict]
    return {
        "id": line.name,
        "figure": cell(line.name),
        "made": cell(line.made),
        "now": cell(line.now),
        "then": cell(line.then),
        "difference": cell(line.difference, tone=tone, icon=icon, sub=line.verdict),
    }


def _value(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _wrong(error: ValueError) -> str:
    """The first field that cannot be, by its label."""
    problems = error.errors() if hasattr(error, "errors") else []
    if not problems:
        return str(error)
    name = str(problems[0]["loc"][0])
    return f"{FIELDS.get(name, (DAY_FIELDS.get(name, name),))[0]}: {problems[0]['msg'].lower()}."

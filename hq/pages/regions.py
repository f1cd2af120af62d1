"""Regions: which categories they will want more of than usual, how sure that is, and which SKUs and shops carry it."""

from collections.abc import Callable
from urllib.parse import quote

from nicegui import ui

from contract.api.outlook import CategoryOutlook, Driver, RegionalOutlook
from hq.charts.interval import interval_svg
from hq.desk import Desk
from hq.pages.frame import figures, frame, section
from hq.pages.live import Live
from hq.pages.shops_tabs import shops_tabs
from hq.pages.table import Action, Column, DataTable, Row, cell
from hq.scope import Scope
from hq.words import UNKNOWN, counted, day, number

COLUMNS = [
    Column("category", "Category"),
    Column("verdict", "Coming week"),
    Column("change", "Against usual", numeric=True),
    Column("band", "80 % interval", sortable=False),
    Column("expected", "Expected units", numeric=True),
    Column("usual", "Usual week", numeric=True),
    Column("drivers", "Carried by", wide=True, sortable=False),
]
WORDS = {
    "hot": ("more than usual", "trending_up", "bad"),
    "cool": ("less than usual", "trending_down", "ours"),
    "usual": ("as usual", "trending_flat", "quiet"),
    "unknown": ("too little history", "hourglass_empty", "quiet"),
}
EDGE = 0.5
"""What the edges of the small picture stand for: 50 % more or less."""


def register(desk: Desk) -> None:
    @ui.page("/regions")
    def regions_page(scope: str = "") -> None:
        chosen = Scope.from_text(scope)
        with frame(desk, "shops", "Regions", chosen):
            _Regions(desk, chosen)


class _Regions:
    def __init__(self, desk: Desk, scope: Scope) -> None:
        self._desk, self._scope = desk, scope
        self._rows: dict[str, CategoryOutlook] = {}
        shops_tabs(scope, "/regions")
        Live(self._load, self._build, max(desk.refresh_s, 5.0), skeleton_rows=8)

    async def _load(self) -> RegionalOutlook:
        return await self._desk.central.outlook(self._scope.name if self._scope.kind == "region" else "")

    def _build(self, _: RegionalOutlook) -> Callable[[RegionalOutlook], None]:
        with section("Now"):
            show = figures(
                [
                    ("hot", "More than usual"),
                    ("cool", "Less than usual"),
                    ("expected", "Expected units"),
                    ("usual", "Usual week"),
                    ("shops", "Shops read"),
                ]
            )
        with section(
            "Categories", "forecast of the coming week against the same weekdays of the four weeks before"
        ):
            table = DataTable(
                COLUMNS,
                empty="No forecast of today yet: gateways send theirs once a day, from the first weeks of sales on.",
                filtered="Filter by region or category",
                page_rows=25,
                actions=(Action("why", "Why"),),
                on_act=lambda key, _: self._why(key),
            )
            ui.label(
                "More or less than usual: the difference is beyond what chance does in eight of ten weeks. "
                "The interval is of the forecast, widened by what SKUs and shops of the region missed together in the weeks before (Why says how much)."
            ).classes("panel-note")

        def update(seen: RegionalOutlook) -> None:
            self._rows = {f"{row.region}/{row.category}": row for row in seen.rows}
            show(_figures(seen))
            table.set_rows([outlook_row(row) for row in seen.rows])

        return update

    def _why(self, key: str) -> None:
        row = self._rows.get(key)
        if row is None:
            return
        with ui.dialog() as dialog, ui.element("div").classes("dialog"):
            ui.label(f"{row.category}, {row.region}").classes("panel-title")
            ui.label(sentence(row)).classes("consequence")
            with ui.element("dl").classes("facts"):
                for driver in row.drivers:
                    with ui.element("dt"):
                        ui.link(driver.name, sku_href(driver))
                    with ui.element("dd"):
                        ui.label(
                            f"{driver.store_name}: {number(driver.expected_units)} expected, {number(driver.usual_units)} usual"
                        )
            if not row.drivers:
                ui.label("No single SKU stands out.").classes("empty")
            ui.label(f"{counted(row.skus, 'SKU')} with a forecast in {counted(row.stores, 'shop')}").classes(
                "panel-note"
            )
            ui.label(shared_words(row)).classes("panel-note")
            ui.button("Close", on_click=dialog.close).props("flat no-caps color=link").classes("dialog-close")
        dialog.on("hide", dialog.delete)
        dialog.open()


def shared_words(row: CategoryOutlook) -> str:
    """What its SKUs and shops miss together."""
    return f"{row.shared * 100:.0f} % of the forecasts' variance is shared: missed by its SKUs and shops together in the weeks before."


def _figures(seen: RegionalOutlook) -> dict[str, tuple[str, str]]:
    hot, cool = ([row for row in seen.rows if row.verdict == word] for word in ("hot", "cool"))
    left = f"{counted(seen.skus_left_out, 'SKU')} without a forecast" if seen.skus_left_out else ""
    young = f"{counted(seen.stores_young, 'shop')} heard for less than two weeks" if seen.stores_young else ""
    compared = min((row.days_compared for row in seen.rows), default=seen.days)
    return {
        "hot": (number(len(hot)), f"of {counted(len(seen.rows), 'category', 'categories')}"),
        "cool": (number(len(cool)), ""),
        "expected": (
            number(sum(row.expected_units for row in seen.rows) if compared else None),
            f"{seen.days} days from {day(seen.from_day)}",
        ),
        "usual": (
            number(sum(row.usual_units for row in seen.rows) if compared else None),
            "same weekdays, four weeks"
            if compared >= seen.days
            else f"at least {counted(compared, 'weekday')} compared"
            if compared
            else "no weekday heard yet to compare with",
        ),
        "shops": (
            f"{number(seen.stores_read)} of {number(seen.stores_total)}",
            ", ".join(filter(None, (left, young))),
        ),
    }


def change_of(row: CategoryOutlook, units: float) -> float | None:
    """As a part of what is usual; None where nothing was sold, or too little was heard to say."""
    return None if row.usual_units <= 0 or row.verdict == "unknown" else units / row.usual_units - 1


def outlook_row(row: CategoryOutlook) -> Row:
    word, icon, tone = WORDS[row.verdict]
    expected, usual = (row.expected_units, row.usual_units) if row.days_compared else (None, None)
    change, low, high = (
        change_of(row, units) for units in (row.expected_units, row.low_units, row.high_units)
    )
    has_band = change is not None and low is not None and high is not None
    shown = ", ".join(f"{driver.name} ({driver.store_name})" for driver in row.drivers[:2])
    return {
        "id": f"{row.region}/{row.category}",
        "category": cell(row.category, sub=row.region),
        "verdict": cell(
            word, {"hot": 0, "cool": 1, "usual": 2, "unknown": 3}[row.verdict], icon=icon, tone=tone
        ),
        "change": cell(signed_percent(change), -1e9 if change is None else change),
        "band": cell(
            "" if has_band else UNKNOWN,
            svg=interval_svg(change or 0.0, low or 0.0, high or 0.0, row.verdict, EDGE) if has_band else "",
            sub=f"{signed_percent(low)} to {signed_percent(high)}" if has_band else "",
        ),
        "expected": cell(number(expected), -1 if expected is None else expected),
        "usual": cell(number(usual), -1 if usual is None else usual),
        "drivers": cell(shown or UNKNOWN),
        "acts": True,
    }


def sentence(row: CategoryOutlook) -> str:
    """What is expected and how sure it is, in one sentence."""
    band = f"{number(row.low_units)} to {number(row.high_units)} in eight of ten weeks"
    return (
        f"{number(row.expected_units)} units expected ({band}), {number(row.usual_units)} usual: "
        f"{signed_percent(change_of(row, row.expected_units))}, {WORDS[row.verdict][0]}."
    )


def signed_percent(part: float | None) -> str:
    if part is None:
        return UNKNOWN
    return f"{100 * part:+.0f} %".replace("-", "−")


def sku_href(driver: Driver) -> str:
    return f"/shops/{quote(driver.store)}/skus/{quote(driver.sku)}"

"""All shops of the scope, each a link to its page."""

from nicegui import ui

from contract.api.stores import Overview
from hq.desk import Desk
from hq.pages.frame import frame, section
from hq.pages.live import Live
from hq.pages.shop_table import COLUMNS, shop_rows
from hq.pages.shops_tabs import shops_tabs
from hq.pages.table import DataTable
from hq.scope import Scope

WEEK_MS = 7 * 86_400_000


def register(desk: Desk) -> None:
    @ui.page("/shops")
    def shops_page(scope: str = "") -> None:
        chosen = Scope.from_text(scope)

        async def load() -> Overview:
            until_ms = ((await desk.central.health()).now_ms // 3_600_000 + 1) * 3_600_000
            return await desk.central.overview(until_ms - WEEK_MS, until_ms)

        def build(_: Overview):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a closure over its table
            with section("", "those with most to do first; counts are of each shop's running business day"):
                ui.link("Download as CSV", "/export/shops.csv").classes("csv")
                table = DataTable(
                    COLUMNS,
                    empty="No shop here yet. Shops appear when the centre knows them (“PUT /v1/stores”).",
                    filtered="Filter shops",
                    page_rows=50,
                )
            return lambda overview: table.set_rows(shop_rows(overview, chosen.stores(overview.stores)))

        with frame(desk, "shops", "Shops", chosen):
            shops_tabs(chosen, "/shops")
            Live(load, build, desk.refresh_s, skeleton_rows=8)

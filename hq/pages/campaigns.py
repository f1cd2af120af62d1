"""Offers: how far each campaign's coupons came, what they cost, and what they changed."""

from collections.abc import Callable

from nicegui import ui

from contract.api.common import Page
from contract.api.offers import CampaignView
from hq.charts.funnel_chart import HEIGHT_PX, funnel_chart
from hq.desk import Desk
from hq.pages.campaign_dialog import open_campaign_dialog
from hq.pages.chart import chart
from hq.pages.frame import frame
from hq.pages.live import Live
from hq.pages.toast import Toast
from hq.scope import Scope
from hq.words import counted, instant_with_year, money, number, percent, zone_from_name

CAUSES = {"surplus": "Surplus or near expiry at a shop", "hot-category": "A category in demand"}


def register(desk: Desk) -> None:
    @ui.page("/campaigns")
    def campaigns_page(scope: str = "") -> None:
        with frame(desk, "campaigns", "Campaigns", Scope.from_text(scope)):
            _Campaigns(desk)


class _Campaigns:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._cards: dict[str, Callable[[CampaignView, str], None]] = {}
        self._toast = Toast()
        self._live = Live(self._load, self._build, desk.refresh_s, skeleton_rows=8)

    async def _load(self) -> tuple[Page[CampaignView], str]:
        campaigns = await self._desk.central.campaigns()
        stores = await self._desk.central.stores()
        currencies = {store.currency for store in stores.rows}
        return campaigns, currencies.pop() if len(currencies) == 1 else ""

    def _build(self, _: tuple[Page[CampaignView], str]) -> Callable[[tuple[Page[CampaignView], str]], None]:
        empty = ui.label(
            "No campaign yet. A campaign is made with “PUT /v1/campaigns/{campaign}”; its coupons then go to consenting members near the shop."
        ).classes("empty")
        grid = ui.element("div").classes("cards")

        def update(seen: tuple[Page[CampaignView], str]) -> None:
            page, currency = seen
            empty.set_visibility(not page.rows)
            if set(self._cards) - {campaign.campaign for campaign in page.rows}:
                grid.clear()
                self._cards.clear()
            for campaign in page.rows:
                if campaign.campaign not in self._cards:
                    with grid:
                        self._cards[campaign.campaign] = _card(campaign, self._change)
                self._cards[campaign.campaign](campaign, currency)

        return update

    def _change(self, campaign: CampaignView, currency: str) -> None:
        open_campaign_dialog(self._desk, self._toast, campaign, currency, self._live.look)


def _card(
    campaign: CampaignView, change: Callable[[CampaignView, str], None]
) -> Callable[[CampaignView, str], None]:
    with ui.element("section").classes("panel"):
        with ui.element("div").classes("panel-head"):
            name = ui.label().classes("panel-title").props('role="heading" aria-level="2"')
            state = ui.label().classes("state")
        cause = ui.label().classes("panel-note")
        show_chart = chart(funnel_chart(campaign), HEIGHT_PX)
        with ui.element("dl").classes("facts"):
            facts = {}
            for label in ("Effect", "Spent", "Held out", "Runs"):
                with ui.element("dt"):
                    ui.label(label)
                with ui.element("dd"):
                    facts[label] = ui.label()
        shown: list[tuple[CampaignView, str]] = []
        ui.button("Change…", on_click=lambda: change(*shown[-1])).props(
            "outline dense no-caps color=ink"
        ).classes("stop")

    def show(now: CampaignView, currency: str) -> None:
        shown[:] = [(now, currency)]
        name.set_text(now.name)
        state.set_text("● running" if now.active else "○ stopped")
        state.classes(replace=f"state tone-{'ok' if now.active else 'quiet'}")
        cause.set_text(f"{CAUSES.get(now.cause, now.cause)}")
        show_chart(funnel_chart(now))
        facts["Effect"].set_text(lift_text(now, currency))
        spent = f"{money(now.spent_cents, currency)} of {money(now.budget_cents, currency)}"
        facts["Spent"].set_text(f"{spent} ({percent(now.spent_cents, now.budget_cents)})")
        facts["Held out"].set_text(f"{counted(now.holdout, 'member')} get nothing, to measure against")
        utc = zone_from_name("UTC")
        facts["Runs"].set_text(
            f"{instant_with_year(now.starts_ms, utc)} to {instant_with_year(now.ends_ms, utc)} UTC · {number(now.expired)} coupons expired unused"
        )

    return show


def lift_text(campaign: CampaignView, currency: str) -> str:
    """What a treated member bought more than one held out, with its interval; or why that is not known yet."""
    if campaign.lift_cents is None or campaign.lift_low_cents is None or campaign.lift_high_cents is None:
        return "too few members yet to tell"
    low, high = campaign.lift_low_cents, campaign.lift_high_cents
    text = f"{_signed(campaign.lift_cents, currency)} a member (95 %: {_signed(low, currency)} to {_signed(high, currency)})"
    return text if low > 0 or high < 0 else f"{text}: could be chance"


def _signed(cents: float, currency: str) -> str:
    return f"{'+' if cents > 0 else '−' if cents < 0 else ''}{money(abs(cents), currency)}"

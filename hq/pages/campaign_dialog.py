"""Changes a running campaign: pause or resume, end, budget. What was issued stays valid."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from nicegui import ui

from contract.api.offers import CampaignChange, CampaignView
from hq.desk import Desk
from hq.errors import HqError
from hq.pages.person import remember, who_input
from hq.pages.toast import Toast
from hq.words import major_units, minor_units, money, number

STATES = {True: "Running", False: "Paused"}


def change_of(
    now: CampaignView,
    *,
    active: bool,
    last_day: str,
    budget: float | None,
    currency: str,
    who: str,
    reason: str,
) -> CampaignChange | str:
    """What differs from `now`, or what is wrong with what was typed. last_day: UTC, its end is the campaign's end."""
    if not who or not reason:
        return "Give your name and a reason: the audit keeps both."
    try:
        end = datetime.strptime(last_day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        return f"Last day {last_day!r} must be a day such as 2026-05-31."
    ends_ms: int | None = int(end.timestamp() * 1000)
    if last_day == last_day_of(now):
        ends_ms = None
    elif ends_ms is not None and ends_ms <= now.starts_ms:
        return "The last day must not be before the first."
    if budget is None or budget < 0:
        return "The budget must be a number from 0 on."
    cents: int | None = minor_units(budget, currency)
    cents = None if cents == now.budget_cents else cents
    is_active = None if active == now.active else active
    if ends_ms is None and cents is None and is_active is None:
        return "Nothing is changed."
    return CampaignChange(active=is_active, ends_ms=ends_ms, budget_cents=cents, who=who, reason=reason)


def last_day_of(campaign: CampaignView) -> str:
    return datetime.fromtimestamp((campaign.ends_ms - 1) / 1000, UTC).strftime("%Y-%m-%d")


def consequence(now: CampaignView, *, active: bool, budget_cents: int, currency: str) -> str:
    """What happens, before the click."""
    if not active:
        return (
            "No coupon is issued from the next round on. Those that members have stay valid until their day."
        )
    left = budget_cents - now.spent_cents
    if left <= 0:
        return f"{money(now.spent_cents, currency)} is spent already: with this budget no further coupon is issued."
    return f"Coupons go on being issued while {money(left, currency)} of the budget is left; {number(now.issued)} are out."


def open_campaign_dialog(
    desk: Desk,
    toast: Toast,
    campaign: CampaignView,
    currency: str,
    when_changed: Callable[[], Awaitable[None]],
) -> None:
    with ui.dialog() as dialog, ui.element("div").classes("dialog"):
        ui.label(campaign.name).classes("panel-title")
        state = (
            ui.select(STATES, value=campaign.active, label="State").props("dense outlined").classes("grow")
        )
        last = ui.input("Last day (UTC)", value=last_day_of(campaign)).props("type=date dense outlined")
        last.classes("grow")
        budget = ui.number(
            f"Budget{', ' + currency if currency else ''}",
            value=major_units(campaign.budget_cents, currency),
            min=0,
        )
        budget.props("dense outlined").classes("grow")
        told = ui.label().classes("consequence")

        def tell() -> None:
            cents = minor_units(budget.value or 0, currency)
            told.set_text(
                consequence(campaign, active=bool(state.value), budget_cents=cents, currency=currency)
            )

        tell()
        state.on_value_change(tell)
        budget.on_value_change(tell)
        who = who_input(desk.me)
        reason = ui.input("Reason").props('dense outlined maxlength="300"').classes("grow")
        problem = ui.label().classes("tone-bad")

        async def go() -> None:
            change = change_of(
                campaign, active=bool(state.value), last_day=str(last.value or ""), budget=budget.value,
                currency=currency, who=(who.value or "").strip(), reason=(reason.value or "").strip(),
            )  # fmt: skip
            if isinstance(change, str):
                problem.set_text(change)
                return
            remember(change.who)
            try:
                await desk.central.change_campaign(campaign.campaign, change)
            except HqError as error:
                problem.set_text(f"{error.why} {error.do}")
                return
            dialog.close()
            toast.show(f"{campaign.name} is changed; shops follow with their next call.")
            await when_changed()

        with ui.element("div").classes("dialog-acts"):
            ui.button("Back", on_click=dialog.close).props("flat no-caps color=ink")
            ui.button("Change", on_click=go).props("unelevated no-caps color=primary").classes("go")
    dialog.on("hide", dialog.delete)
    dialog.open()

"""Members, whom we know by a pseudonym and a coarse cell, and campaigns."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Path

from central import couponing, sagas
from central.api.gate import FromHq, FromMemberApp, TheCentre
from central.centre import Centre, real_ms
from central.context import CHAIN, Work
from central.core.audiences import CELL_RESOLUTION, is_cell
from central.core.vouched import CAMPAIGN
from central.errors import NotFoundError, SenderError
from central.ledger import coupon_rows
from central.ledger.campaign_views import campaign_views
from central.sagas import Saga
from contract.api import Page
from contract.api.offers import CampaignChange, CampaignPut, CampaignView, MemberPut
from contract.ids import ID_PATTERN

router = APIRouter(prefix="/v1", tags=["offers"])

MemberPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
CampaignPath = Annotated[str, Path(pattern=ID_PATTERN)]


@router.put("/members/{member}", status_code=204)
def put_member(member: MemberPath, put: MemberPut, _: FromMemberApp, centre: TheCentre) -> None:
    """Consents and the latest coarse cell. Coordinates are refused: there is no field for them."""
    try:
        ZoneInfo(put.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SenderError(f"timezone {put.timezone!r} is unknown; quiet hours could not be kept") from None
    if put.h3_cell is not None and not is_cell(put.h3_cell):
        raise SenderError(
            f"h3_cell {put.h3_cell} is no H3 cell of resolution {CELL_RESOLUTION}; send no finer one"
        )
    centre.call_store(CHAIN, lambda work: coupon_rows.put_member(work.connection, member, put, work.now_ms))


@router.delete("/members/{member}", status_code=204)
def delete_member(member: MemberPath, _: FromMemberApp, centre: TheCentre) -> None:
    """Removes what identifies the member; receipts and coupons stay in the books and lead to no one."""

    def job(work: Work) -> Saga:
        coupon_rows.delete_member(work.connection, member)
        work.audit("member-app", "delete-member", "a member")
        return sagas.begin(work.connection, sagas.UNLINK_MEMBER, member, real_ms())

    sagas.carry_out(centre, centre.call_store(CHAIN, job), real_ms)


@router.put("/campaigns/{campaign}")
def put_campaign(
    campaign: CampaignPath, put: CampaignPut, principal: FromHq, centre: TheCentre
) -> CampaignView:
    """Makes or changes a campaign; what was issued stays valid."""
    if put.ends_ms <= put.starts_ms:
        raise SenderError(f"ends_ms {put.ends_ms} must be after starts_ms {put.starts_ms}")

    def job(work: Work) -> Saga:
        couponing.put_campaign(work.connection, campaign, put, work.now_ms)
        work.audit(principal.name, "put-campaign", campaign, put.name, put.model_dump(mode="json"))
        work.vouch_for_row(CAMPAIGN, campaign)
        return sagas.begin(work.connection, sagas.CAMPAIGN_KEYS, campaign, real_ms())

    sagas.carry_out(centre, centre.call_store(CHAIN, job), real_ms)
    return _view(centre, campaign)


@router.post("/campaigns/{campaign}/change")
def change_campaign(
    campaign: CampaignPath, change: CampaignChange, principal: FromHq, centre: TheCentre
) -> CampaignView:
    """Pauses, resumes, ends or prolongs a campaign, or sets its budget anew; the rest stays."""
    changes = change.model_dump(exclude_none=True, exclude={"who", "reason"})
    if not changes:
        raise SenderError("nothing is changed; set active, ends_ms or budget_cents")
    who = principal.name if principal.is_person else change.who

    def job(work: Work) -> Saga:
        found = [one.put for one in coupon_rows.all_campaigns(work.connection) if one.campaign == campaign]
        if not found:
            raise NotFoundError(f"campaign {campaign} does not exist; GET /v1/campaigns lists those that do")
        put = found[0].model_copy(update=changes)
        if put.ends_ms <= put.starts_ms:
            raise SenderError(f"ends_ms {put.ends_ms} must be after the start, {put.starts_ms}")
        couponing.put_campaign(work.connection, campaign, put, work.now_ms)
        said = ", ".join(f"{name} {value}" for name, value in changes.items())
        reason = f"{said}: {change.reason}"
        work.audit(who, "change-campaign", campaign, reason[:300], put.model_dump(mode="json"))
        work.vouch_for_row(CAMPAIGN, campaign)
        return sagas.begin(work.connection, sagas.CAMPAIGN_KEYS, campaign, real_ms())

    sagas.carry_out(centre, centre.call_store(CHAIN, job), real_ms)
    return _view(centre, campaign)


@router.get("/campaigns")
def get_campaigns(_: FromHq, centre: TheCentre) -> Page[CampaignView]:
    with centre.ledger.read.connect() as connection:
        rows = campaign_views(connection, coupon_rows.all_campaigns(connection))
    return Page(rows=rows, total=len(rows))


def _view(centre: Centre, campaign: str) -> CampaignView:
    with centre.ledger.read.connect() as connection:
        found = [known for known in coupon_rows.all_campaigns(connection) if known.campaign == campaign]
        return campaign_views(connection, found)[0]

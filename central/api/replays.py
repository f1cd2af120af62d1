"""POST /v1/stores/{store}/replay: stored weeks under a changed rule or bundle. Reads only."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path

from central.api.gate import FromPeople, TheCentre
from contract.api.replays import AgreementView, Figures, Made, ReplayDay, ReplayPost, ReplayView
from contract.ids import ID_PATTERN

router = APIRouter(prefix="/v1", tags=["restock"])

StorePath = Annotated[str, Path(pattern=ID_PATTERN)]


@router.post("/stores/{store}/replay")
def post_replay(store: StorePath, post: ReplayPost, _: FromPeople, centre: TheCentre) -> ReplayView:
    """Both rules over the same days of one store; asking changes nothing. One replay runs at a time."""
    found = centre.replays.replay(store, post)
    days = [
        ReplayDay(
            day=day.day,
            now=Figures(**asdict(day.now)),
            then=Figures(**asdict(day.then)),
            made=Made(**asdict(day.made)),
        )
        for day in found.days
    ]
    return ReplayView(
        store=store, skus=found.skus, skus_left_out=found.left_out, days=days,
        agreement=AgreementView(**asdict(found.agreement)),
    )  # fmt: skip

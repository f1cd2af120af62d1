"""Bundles and their roll-outs, the configuration of a store's gateways, and notes on alerts."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path

from central import desired_state, rollouts
from central.access import Principal, Scope
from central.api.gate import FromHq, FromHqOrSystem, FromPeople, FromReaders, FromSystem, TheCentre, scoped
from central.api.json_body import described, json_body
from central.context import CHAIN, Work
from central.core.vouched import BUNDLE
from central.errors import NotFoundError
from central.ledger import alert_acks, rollout_rows, store_rows
from central.rollout_views import bundle_view, rollout_stores, rollout_view, rollout_views
from contract.api import Accepted, Page
from contract.api.rollouts import (
    AlertNote,
    BundlePut,
    BundleView,
    ConfigPut,
    ConfigView,
    RolloutAction,
    RolloutPost,
    RolloutStore,
    RolloutView,
)
from contract.ids import ID_PATTERN
from models.bundle import DEMO_PUBLIC_KEY
from runtime.heap import give_back_memory

router = APIRouter(prefix="/v1", tags=["rollouts"])

ShaPath = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[int, Path(ge=1, le=2**31)]
StorePath = Annotated[str, Path(pattern=ID_PATTERN)]
FromHqOrStoreSystem = Annotated[Principal, scoped(Scope.SYSTEM, Scope.HQ, by_store=True)]
Action = Literal["widen", "halt", "resume", "roll-back", "promote"]


@router.put("/bundles/{sha256}", openapi_extra=described(BundlePut))
def put_bundle(
    sha256: ShaPath,
    principal: FromSystem,
    put: Annotated[BundlePut, Depends(json_body(BundlePut))],
    centre: TheCentre,
) -> BundleView:
    """Stores a signed bundle, checked as a gateway checks it. The same one again changes nothing."""
    key = centre.settings.bundle_public_key_file or DEMO_PUBLIC_KEY
    name, manifest, size_bytes = rollouts.check_bundle(sha256, put.files, key)
    files = "{" + ",".join(f'"{file}":"{text}"' for file, text in sorted(put.files.items())) + "}"

    def job(work: Work) -> None:
        is_new = rollout_rows.bundle(work.connection, sha256) is None
        rollout_rows.put_bundle(
            work.connection, sha256=sha256, name=name, manifest=manifest, files=files, size_bytes=size_bytes,
            who=principal.name, now_ms=work.now_ms,
        )  # fmt: skip
        if is_new:
            work.audit(principal.name, "put-bundle", name, f"sha256 {sha256}")
            work.will_vouch(BUNDLE, sha256)

    centre.call_store(CHAIN, job)
    give_back_memory()
    with centre.ledger.read.connect() as connection:
        return bundle_view(rollout_rows.bundle(connection, sha256))


@router.get("/bundles")
def get_bundles(_: FromHqOrSystem, centre: TheCentre) -> Page[BundleView]:
    """Newest first."""
    with centre.ledger.read.connect() as connection:
        rows = [bundle_view(row) for row in rollout_rows.bundles(connection)]
    return Page(rows=rows, total=len(rows))


@router.get("/rollouts")
def get_rollouts(_: FromHq, centre: TheCentre) -> Page[RolloutView]:
    """Newest first, each with what shops said and how the bundle scores."""
    with centre.ledger.read.connect() as connection:
        rows = rollout_views(connection)
    return Page(rows=rows, total=len(rows))


@router.post("/rollouts")
def post_rollout(post: RolloutPost, principal: FromHq, centre: TheCentre) -> RolloutView:
    """Begins one: live or in the shadow, for a share of the stores."""
    signed = post.model_copy(update={"who": principal.name}) if principal.is_person else post
    return _view(centre, rollouts.begin(centre, signed))


@router.get("/rollouts/{number}")
def get_rollout(number: Number, _: FromHq, centre: TheCentre) -> RolloutView:
    return _view(centre, number)


@router.get("/rollouts/{number}/stores")
def get_rollout_stores(number: Number, _: FromHq, centre: TheCentre) -> Page[RolloutStore]:
    """The stores in its share, those with trouble first."""
    with centre.ledger.read.connect() as connection:
        rows = rollout_stores(connection, number)
    if rows is None:
        raise NotFoundError(f"roll-out {number} is unknown; GET /v1/rollouts lists those there are")
    return Page(rows=rows, total=len(rows))


@router.post("/rollouts/{number}/{action}")
def act_on_rollout(
    number: Number, action: Action, by: RolloutAction, principal: FromHq, centre: TheCentre
) -> RolloutView:
    """Widen to `percent`; halt: no further store gets it; resume; roll-back: all stores return to what they had;
    promote: a shadow goes live, on evidence or with `override` and a reason.
    """
    signed = by.model_copy(update={"who": principal.name}) if principal.is_person else by
    return _view(centre, rollouts.act(centre, number, action, signed))


@router.put("/stores/{store}/config", openapi_extra=described(ConfigPut))
def put_config(
    store: StorePath,
    principal: FromHqOrStoreSystem,
    put: Annotated[ConfigPut, Depends(json_body(ConfigPut))],
    centre: TheCentre,
) -> Accepted:
    """Rules and gates of the store's gateways, whole: what is left out has its default."""

    def job(work: Work) -> int:
        if not work.store.exists:
            raise NotFoundError(f"store {store} is unknown; put it with PUT /v1/stores/{store} first")
        version = desired_state.put_document(work, "config", put.model_dump_json())
        work.audit(
            principal.name, "put-config", store, f"version {version}", about=put.model_dump(mode="json")
        )
        return version

    return Accepted(accepted=1, version=centre.call_store(store, job))


@router.get("/stores/{store}/config")
def get_config(store: StorePath, _: FromReaders, centre: TheCentre) -> ConfigView:
    """The configuration of the store's gateways as it was put last; whether a gateway took it, its staging says."""
    with centre.ledger.read.connect() as connection:
        if not store_rows.exists(connection, store):
            raise NotFoundError(f"store {store} is unknown; GET /v1/stores lists those that are known")
        found = store_rows.document(connection, store, "config")
    if found is None:
        return ConfigView(version=0)
    version, text = found
    body = json.loads(text)
    return ConfigView.model_validate_json(
        json.dumps({"version": version, "rules": body["rules"], "gates": body["gates"]})
    )


@router.post("/alerts/acknowledge")
def acknowledge_alert(note: AlertNote, principal: FromPeople, centre: TheCentre) -> Accepted:
    """Notes who has seen an open alert; the shop sees it, too. accepted 0: it is not open any more."""
    principal.require_store(note.store)
    who = principal.name if principal.is_person else note.who

    def job(work: Work) -> bool:
        raised_ms = alert_acks.note(work, note.code, note.subject, who=who, at_ms=work.now_ms)
        if raised_ms is None:
            return False
        content = alert_acks.document_content(work.connection, note.store)
        desired_state.put_document(work, "acks", content)
        work.audit(who, "acknowledge-alert", f"{note.code} {note.subject}"[:200])
        return True

    return Accepted(accepted=int(centre.call_store(note.store, job)))


def _view(centre: TheCentre, number: int) -> RolloutView:
    with centre.ledger.read.connect() as connection:
        view = rollout_view(connection, number)
    if view is None:
        raise NotFoundError(f"roll-out {number} is unknown; GET /v1/rollouts lists those there are")
    return view

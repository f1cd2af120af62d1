"""Roll-outs: a bundle reaches a growing share of the stores, stops by itself when shops refuse it, and can be taken back.

What a store should run stands in its `models` document, which is computed anew from all roll-outs whenever one changes:
no step of a roll-out is lost with a process, and doing it twice changes nothing.
"""

import base64
import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from central import desired_state
from central.context import CHAIN, Work
from central.core.rollout import Wanted, advice_on, is_in, next_state, wanted_of
from central.core.vouched import ROLLOUT
from central.errors import ConflictError, NotFoundError, SenderError
from central.ledger import rollout_rows
from contract.api.rollouts import (
    RolloutAction,
    RolloutMode,
    RolloutPost,
    RolloutState,
)
from contract.documents import MAX_BUNDLE_BYTES
from contract.records import QUANTILE_LEVELS
from models.bundle import PublicKey, load_bundle
from models.errors import BundleError
from models.manifest import MANIFEST_FILE

if TYPE_CHECKING:
    from central.centre import Centre

CENTRE = "the centre"
REFUSALS = ("refused", "reverted")
AT_ONCE = 50
"""Stores whose documents are written while the caller waits for them; the writer's queue has room for others."""


def check_bundle(sha256: str, files: dict[str, str], public_key: PublicKey) -> tuple[str, str, int]:
    """(name@version, manifest, bytes) of a good bundle. Raises SenderError that names the check that failed."""
    with tempfile.TemporaryDirectory(prefix="shelfloop-bundle-") as folder:
        total = 0
        for name, text in files.items():
            try:
                content = base64.b64decode(text, validate=True)
            except ValueError as error:  # binascii.Error, and text that is not ASCII
                raise SenderError(f"files.{name} is no base64: {error}") from None
            total += len(content)
            (Path(folder) / name).write_bytes(content)
        if total > MAX_BUNDLE_BYTES:
            raise SenderError(f"the bundle has {total} bytes; at most {MAX_BUNDLE_BYTES} are taken")
        try:
            bundle = load_bundle(Path(folder), public_key)
        except BundleError as error:
            raise SenderError(f"{error.check}: {error.why}; {error.next_step}") from None
        manifest = (Path(folder) / MANIFEST_FILE).read_bytes()
    found = hashlib.sha256(manifest).hexdigest()
    if found != sha256:
        raise SenderError(f"the path says {sha256[:12]}…, the manifest's sha256 is {found[:12]}…")
    return bundle.name, manifest.decode(), total


def begin(centre: "Centre", post: RolloutPost) -> int:
    """The new roll-out's number; its stores get it with their next batch."""

    def job(work: Work) -> int:
        row = rollout_rows.bundle(work.connection, post.sha256)
        if row is None:
            raise NotFoundError(f"bundle {post.sha256[:12]}… is unknown; put it with PUT /v1/bundles first")
        if post.mode is RolloutMode.SHADOW:
            running = _running_shadow(work)
            if running is not None:
                raise ConflictError(
                    f"roll-out {running} runs in the shadow; a gateway scores one candidate: roll it back first"
                )
        return _insert(work, post, row.name)

    number = centre.call_store(CHAIN, job)
    spread(centre)
    return number


def act(centre: "Centre", number: int, action: str, by: RolloutAction) -> int:
    """Widens, halts, resumes, rolls back or promotes. Returns the roll-out to look at: promotion makes a new one."""

    def job(work: Work) -> int:
        row = rollout_rows.rollout_row(work.connection, number)
        if row is None:
            raise NotFoundError(f"roll-out {number} is unknown; GET /v1/rollouts lists those there are")
        try:
            after = next_state(rollout_rows.rollout_from(row), action, by.percent)
        except ValueError as error:
            raise ConflictError(str(error)) from None
        if action == "promote":
            _require_evidence(work, row, by)
        percent = by.percent if action == "widen" and by.percent is not None else row.percent
        _change(work, row, after, percent, by.who, by.reason, action)
        if action != "promote":
            return number
        post = RolloutPost(
            sha256=row.sha256, mode=RolloutMode.LIVE, percent=100 if by.percent is None else by.percent,
            max_refusals=row.max_refusals, who=by.who, reason=by.reason or f"promoted from roll-out {number}",
        )  # fmt: skip
        return _insert(work, post, row.name)

    found = centre.call_store(CHAIN, job)
    spread(centre)
    return found


def halt_refused(work: Work) -> bool:
    """Halts running roll-outs that too many stores refused; True when one was. `work` is the chain's."""
    halted = False
    for row in rollout_rows.rollout_rows(work.connection):
        if row.state != RolloutState.RUNNING:
            continue
        news = rollout_rows.news_of(work.connection, row.sha256, row.created_ms)
        rollout = rollout_rows.rollout_from(row)
        bad = sorted(
            store for store, said in news.items() if said.state in REFUSALS and is_in(rollout, store)
        )
        if len(bad) < row.max_refusals or row.changed_ms > max(news[store].at_ms for store in bad):
            continue  # few, or a person has resumed since
        reason = f"{len(bad)} stores refused it, first {bad[0]}: {news[bad[0]].reason}"[:300]
        _change(work, row, RolloutState.HALTED, row.percent, CENTRE, reason, "halt")
        halted = True
    return halted


def spread(centre: "Centre") -> None:
    """Brings every store's `models` document to what the roll-outs say. Equal ones keep their version."""
    with centre.ledger.read.connect() as connection:
        stores = rollout_rows.all_stores(connection)
    for begin_at in range(0, len(stores), AT_ONCE):
        waiting = [
            centre.writer.submit(centre.store_job(store, refresh_models))
            for store in stores[begin_at : begin_at + AT_ONCE]
        ]
        for future in waiting:
            future.result()


def refresh_models(work: Work) -> None:
    """The store's `models` document, written when it differs."""
    rows = rollout_rows.rollout_rows(work.connection)
    if not rows and "models" not in work.store.versions:
        return
    rollouts = [rollout_rows.rollout_from(row) for row in rows]
    has = rollout_rows.bundles_of(work.connection, work.store.store)
    desired_state.put_models(work, _content(wanted_of(work.store.store, rollouts, has)))


def _content(wanted: Wanted) -> str:
    refs = {
        "current": wanted.current and {"name": wanted.current.name, "sha256": wanted.current.sha256},
        "candidate": wanted.candidate and {"name": wanted.candidate.name, "sha256": wanted.candidate.sha256},
    }
    return json.dumps(refs, separators=(",", ":"))


def _require_evidence(work: Work, row: Any, by: RolloutAction) -> None:
    rows = rollout_rows.score_rows(work.connection, row.sha256)
    stores = rollout_rows.scoring_stores(work.connection, row.sha256)
    current, candidate = rollout_rows.scores_from(rows, stores)
    may, advice = advice_on(current, candidate, rollout_rows.losses_from(rows), len(QUANTILE_LEVELS))
    if may:
        return
    if not by.override or not by.reason:
        raise ConflictError(f"the evidence is not for it: {advice}. Wait, or override with a reason")


def _running_shadow(work: Work) -> int | None:
    rows = rollout_rows.rollout_rows(work.connection)
    running = (RolloutState.RUNNING, RolloutState.HALTED)
    return next((r.number for r in rows if r.mode == RolloutMode.SHADOW and r.state in running), None)


def _insert(work: Work, post: RolloutPost, name: str) -> int:
    values = {
        "sha256": post.sha256, "name": name, "mode": str(post.mode), "state": str(RolloutState.RUNNING),
        "percent": post.percent, "max_refusals": post.max_refusals, "who": post.who, "reason": post.reason,
        "now": work.now_ms,
    }  # fmt: skip
    number = rollout_rows.insert_rollout(work.connection, values)
    work.will_vouch(ROLLOUT, str(number))
    work.audit(
        post.who, f"rollout-{post.mode}", f"rollout {number}", f"{name} to {post.percent} %: {post.reason}"
    )
    return number


def _change(
    work: Work, row: Any, state: RolloutState, percent: int, who: str, reason: str, action: str
) -> None:
    rollout_rows.change_rollout(
        work.connection,
        {
            "number": row.number, "state": str(state), "percent": percent, "who": who, "reason": reason,
            "now": work.now_ms,
        },
    )  # fmt: skip
    work.will_vouch(ROLLOUT, str(row.number))
    said = f"{row.name} at {percent} %" + (f": {reason}" if reason else "")
    work.audit(who, f"rollout-{action}", f"rollout {row.number}", said)

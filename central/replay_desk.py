"""Replays for people who wait: one at a time, of bounded size, in small steps that let the centre's other work go first."""

import base64
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from central import summing
from central.errors import BusyError, NotFoundError, SenderError
from central.ledger import rollout_rows, store_rows
from central.replay_play import StoreReplay, replay_store
from contract.api.replays import ReplayPost
from models.bundle import DEMO_PUBLIC_KEY
from models.errors import BundleError

if TYPE_CHECKING:
    from central.centre import Centre
    from models.inference import Models

MAX_SKUS = 500
"""Of one store: some ten seconds for four weeks. What a bigger shop sells least is left out, and the answer says how much; the command
plays all."""
WAIT_S = 20.0
REST_EVERY_S, REST_S = 0.02, 0.005


class ReplayDesk:
    """Reads the ledger, never writes it."""

    def __init__(self, centre: "Centre") -> None:
        self._centre = centre
        self._turn = threading.Lock()
        self._models: tuple[str, Models] | None = None
        self._rested_s = 0.0

    def replay(self, store: str, post: ReplayPost) -> StoreReplay:
        """Raises SenderError when nothing is changed, NotFoundError for a strange store or bundle, BusyError after a wait."""
        changes = post.changes.model_dump(exclude_none=True)
        if not changes and post.bundle is None:
            raise SenderError("nothing is changed; set at least one field of `changes`, or a bundle")
        if not self._turn.acquire(timeout=WAIT_S):
            raise BusyError("another replay runs; ask again when it is done")
        try:
            return self._replay(store, post, changes)
        finally:
            self._turn.release()

    def _replay(self, store: str, post: ReplayPost, changes: dict[str, object]) -> StoreReplay:
        centre = self._centre
        summing.bring_up_to_date(centre, [store])
        with centre.ledger.read.connect() as connection:
            zone = dict(store_rows.zones(connection)).get(store)
            if zone is None:
                raise NotFoundError(f"store {store} is unknown; GET /v1/stores lists those that are known")
            models = None if post.bundle is None else self._models_of(post.bundle)
            try:
                return replay_store(
                    connection, store, ZoneInfo(zone), changes, days=post.days, models=models, max_skus=MAX_SKUS,
                    settings=centre.settings, pause=self._rest,
                )  # fmt: skip
            except ValueError as error:
                raise SenderError(str(error)) from None

    def _rest(self) -> None:
        """Batches and pages go first: a step of ours is never longer than one SKU."""
        now_s = time.monotonic()
        if now_s - self._rested_s > REST_EVERY_S:
            time.sleep(REST_S)
            self._rested_s = time.monotonic()

    def _models_of(self, sha256: str) -> "Models":
        """The last one that was asked for is kept."""
        if self._models is not None and self._models[0] == sha256:
            return self._models[1]
        with self._centre.ledger.read.connect() as connection:
            document = rollout_rows.bundle_document(connection, sha256)
        if document is None:
            raise NotFoundError(
                f"bundle {sha256[:12]}… is unknown; GET /v1/bundles lists those that are here"
            )
        from models.inference import checked_models  # noqa: PLC0415 - onnxruntime, which most centres never need

        with tempfile.TemporaryDirectory(prefix="shelfloop-replay-") as folder:
            for name, text in json.loads(document)["files"].items():
                (Path(folder) / name).write_bytes(base64.b64decode(text))
            try:
                models = checked_models(
                    Path(folder), self._centre.settings.bundle_public_key_file or DEMO_PUBLIC_KEY
                )
            except BundleError as error:
                raise SenderError(str(error)) from None
        self._models = (sha256, models)
        return models

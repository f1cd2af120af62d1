"""Why an order that nothing speaks against is not sent by itself all the same: its figures do not come out again, or its models are stale."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from central.context import Work
from central.core.days import day_of
from central.ledger import rollout_rows
from central.order_graphs import trained_to
from central.second_look import look_again, told_by
from contract.records import ProposalRecord
from models.policy.order_graph import OrderGraph

DRIFT = "model-drift"
_DRIFTED = sa.text(
    "SELECT text FROM alerts WHERE store_id = :store AND code = :code AND cleared_ms IS NULL ORDER BY at_ms DESC LIMIT 1"
)


class Doubts:
    """Of the live proposals of one batch, one a SKU. Nothing is computed before the first question; then all at once."""

    def __init__(self, work: Work, proposals: Sequence[ProposalRecord]) -> None:
        self._work, self._proposals = work, proposals
        self._notes: dict[str, str] | None = None
        self._drift: str | None = None
        self._trained_to: dict[str, date | None] = {}

    def about(self, proposal: ProposalRecord) -> str:
        """In words for a person, "" for none."""
        found = (
            self._second_look(proposal.sku), self._age(proposal.sku), self._bundle_age(proposal.bundle), self._drifted(),
        )  # fmt: skip
        return "; ".join(doubt for doubt in found if doubt)[:200]

    def _second_look(self, sku: str) -> str:
        if self._notes is None:
            bundles = {one.order_graph: one.bundle for one in self._proposals}
            notes = look_again(
                [told_by(one) for one in self._proposals], lambda sha256: self._graph(sha256, bundles[sha256])
            )
            self._notes = {one.sku: note for one, note in zip(self._proposals, notes, strict=True)}
        return self._notes.get(sku, "")

    def _graph(self, sha256: str, bundle: str) -> OrderGraph | None:
        work = self._work
        return work.memory.graphs.graph(
            sha256, bundle, lambda name: rollout_rows.files_of(work.connection, name), work.now_ms
        )

    def _age(self, sku: str) -> str:
        """A forecast that was never told says nothing of its age: the proposal brings quantiles of its own."""
        work = self._work
        forecast = work.store.forecasts.get(sku)
        if forecast is None:
            return ""
        today = date.fromisoformat(day_of(work.now_ms, work.store.zone))
        days = (today - date.fromisoformat(forecast.first_day)).days
        if days <= work.settings.stale_forecast_days:
            return ""
        return f"its newest forecast is {days} days old"

    def _bundle_age(self, bundle: str) -> str:
        """A bundle that is kept nowhere here says nothing of its age."""
        limit = self._work.settings.stale_bundle_days
        if limit == 0:
            return ""
        if bundle not in self._trained_to:
            self._trained_to[bundle] = trained_to(
                bundle, rollout_rows.manifests_of(self._work.connection, bundle)
            )
        last_day = self._trained_to[bundle]
        today = date.fromisoformat(day_of(self._work.now_ms, self._work.store.zone))
        days = 0 if last_day is None else (today - last_day).days
        return f"its models know the days until {last_day} only, {days} days ago" if days > limit else ""

    def _drifted(self) -> str:
        if self._drift is None:
            row = None
            if self._work.settings.ask_when_drifted:
                key = {"store": self._work.store.store, "code": DRIFT}
                row = self._work.connection.execute(_DRIFTED, key).first()
            self._drift = "" if row is None else f"the models drift: {row.text[:120]}"
        return self._drift

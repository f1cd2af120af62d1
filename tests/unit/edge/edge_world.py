"""A shop that lives through many days: demand that a test draws, receipts, nights, forecasts and scores by the demo's bundle."""

from dataclasses import replace

import numpy as np
from edge_shop import DAY, HOUR, START_MS, Shop, documents
from pydantic import TypeAdapter

from contract.documents import AnyDocument
from contract.records import ScoreRole
from edge.core.effects import Emit, RunForecast, RunScore
from edge.core.messages import DocumentArrived
from edge.core.score_job import BundleScore, ScoreDone
from edge.inference import Forecasting
from edge.scoring import score
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.inference import open_models

OPENS_MS = START_MS - HOUR
"""06:00 in the shop on the first day, which begins at 07:00."""
_DOCUMENT = TypeAdapter(AnyDocument)


class World(Shop):
    """`scored`: (as told, without calibration) of each part of a day, in order of days."""

    def __init__(self, history):
        """history: (skus, 56) units of the days before the first."""
        super().__init__(with_documents=False)
        self.models = open_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY)
        self.forecasting = Forecasting(self.models)
        self.core.use_bundle(self.models.name)
        self.skus, self.days, self.sequence, self.scored, self.jobs = len(history), 0, 0, [], []
        rows = [{"sku": f"sku-{n}", "units": units.tolist()} for n, units in enumerate(history, start=1)]
        for document in documents(skus=self.skus):
            if document.kind == "history":
                value = {"kind": "history", "version": 1, "first_live_day": "2017-09-04", "rows": rows}
                document = _DOCUMENT.validate_python(value, strict=False)  # noqa: PLW2901
            self.batch(DocumentArrived(document))

    def _finish(self):
        while True:
            self.core.settle(self.now)
            effects, rows = self.core.take()
            for kind, key, text in rows:
                if text is None:
                    self.saved.pop((kind, key), None)
                else:
                    self.saved[kind, key] = text
            self.records += [effect.record for effect in effects if isinstance(effect, Emit)]
            answers = [answer for effect in effects if (answer := self._answer(effect)) is not None]
            if not answers:
                return
            for answer in answers:
                self.core.step(answer, self.now)

    def _answer(self, effect):
        if isinstance(effect, RunForecast):
            self.jobs.append(effect.job)
            return self.forecasting.answer(effect.job)
        if isinstance(effect, RunScore):
            told, plain = (
                score(self.models, job) for job in (effect.job, replace(effect.job, calibrations=()))
            )
            self.scored.append((told, plain))
            found = BundleScore(ScoreRole.CURRENT, self.models.name, "", told)
            return ScoreDone(effect.job, (found,))
        return None

    def restart(self):
        super().restart()
        self.core.use_bundle(self.models.name)
        self.core.tick(self.now, 0)
        self._finish()

    @property
    def day(self):
        return str(np.datetime64("2017-09-04") + self.days)

    def sell(self, units, hour=12):
        """One receipt of what sold, (skus,), at this hour of the shop's day."""
        self.now = OPENS_MS + self.days * DAY + (hour - 6) * HOUR
        self.sequence += 1
        lines = [(n, int(count)) for n, count in enumerate(units, start=1) if count]
        self.batch(self.receipt(self.sequence, *lines, day=self.day) if lines else self.event("x", "scan"))

    def night(self):
        """To 07:00 of the next day."""
        self.days += 1
        self.now = START_MS + self.days * DAY
        self.core.tick(self.now, 0)
        self._finish()

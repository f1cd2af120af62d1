"""A core with a little shop around it, for tests: documents, devices that count, and models that answer at once."""

import json
from datetime import date

from pydantic import TypeAdapter

from contract.documents import AnyDocument
from contract.ids import gtin_check_digit
from edge.core.effects import Emit, PublishStored, RunForecast, RunScore
from edge.core.messages import DeviceMessage, DocumentArrived
from edge.core.score_job import ScoreDone
from edge.core.step import EdgeCore
from edge.inference import Forecasting
from models.inference import baseline_models

START_MS = 1_504_526_400_000
"""2017-09-04 12:00 UTC, 07:00 in the shop."""
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
UNIT_G = 250.0
FORECASTING = Forecasting(baseline_models("no bundle in this test"))
_DOCUMENT = TypeAdapter(AnyDocument)


def gtin(number):
    body = f"952{number:09d}"
    return f"0{body}{gtin_check_digit(body)}"


def documents(skus=3, swap_ms=None):
    facings = [
        {"device": "shelf-1", "cell": f"c-{i}", "sku": f"sku-{i}", "from_ms": 0, "capacity_units": 20, "tag": f"t-{i}"}
        for i in range(1, skus + 1)
    ]  # fmt: skip
    if swap_ms is not None:
        facings += [
            {**facings[0], "sku": "sku-2", "from_ms": swap_ms},
            {**facings[1], "sku": "sku-1", "from_ms": swap_ms},
        ]
    values = [
        {"kind": "store", "version": 1, "store": "s", "name": "S", "timezone": "Etc/GMT+5", "currency": "USD",
         "hours": [{"weekday": day, "opens_minute": 360, "closes_minute": 1320} for day in range(7)]},
        {"kind": "items", "version": 1, "items": [
            {"sku": f"sku-{i}", "gtins": [gtin(i)], "name": f"Item {i}", "category": "food", "unit_weight_g": UNIT_G + 60 * i}
            for i in range(1, skus + 1)]},
        {"kind": "planogram", "version": 1 if swap_ms is None else 2, "esl_base": None, "facings": facings},
        {"kind": "prices", "version": 1, "prices": [
            {"sku": f"sku-{i}", "price_cents": 100, "from_ms": 0} for i in range(1, skus + 1)]},
        {"kind": "supply", "version": 1, "lines": [
            {"sku": f"sku-{i}", "supplier": "sup", "lead_time_days": 2, "review_days": 1, "pack_units": 6}
            for i in range(1, skus + 1)]},
        {"kind": "history", "version": 1, "first_live_day": date(2017, 9, 4).isoformat(), "rows": [
            {"sku": f"sku-{i}", "units": [3 + (d + i) % 4 for d in range(56)]} for i in range(1, skus + 1)]},
    ]  # fmt: skip
    return [_DOCUMENT.validate_python(value, strict=False) for value in values]


class Shop:
    """`records` is all that was emitted, in order; `saved` what a store would hold."""

    def __init__(self, with_documents=True):
        self.core = EdgeCore(version="test")
        self.now, self.seqs = START_MS, {}
        self.records, self.stored, self.saved = [], {}, {}
        if with_documents:
            self.batch(*[DocumentArrived(document) for document in documents()])

    def batch(self, *messages):
        """One group commit of the loop."""
        self.core.tick(self.now, 0)
        for message in messages:
            self.core.step(message, self.now)
        self._finish()

    def _finish(self):
        while True:
            self.core.settle(self.now)
            effects, rows = self.core.take()
            for kind, key, text in rows:
                if text is None:
                    self.saved.pop((kind, key), None)
                else:
                    self.saved[kind, key] = text
            answers = []
            for effect in effects:
                if isinstance(effect, Emit):
                    self.records.append(effect.record)
                elif isinstance(effect, PublishStored):
                    self.stored[effect.device, effect.boot_id] = effect.through_seq
                elif isinstance(effect, RunForecast):
                    answers.append(FORECASTING.answer(effect.job))
                elif isinstance(effect, RunScore):
                    answers.append(ScoreDone(effect.job, ()))  # the loop answers each at once, too
            if not answers:
                return
            for answer in answers:
                self.core.step(answer, self.now)

    def restart(self):
        self.core = EdgeCore(version="test")
        rows = [(kind, key, text) for (kind, key), text in self.saved.items()]
        self.core.restore(sorted(rows, key=lambda row: (row[0] != "document", row[0], row[1])))

    def event(self, device, stream, at_ms=None, boot="b-1", **fields):
        self.seqs[device] = seq = self.seqs.get(device, 0) + 1
        value = {
            "device": device, "boot_id": boot, "seq": seq, "t_device_ms": 0, "t_event_ms": at_ms,
            "clock_quality": "synced" if at_ms else "unknown", **fields,
        }  # fmt: skip
        return DeviceMessage(f"shelfloop/1/{device}/{stream}", json.dumps(value).encode())

    def weigh(self, stable=True, **units):
        """c1=5: five units of sku-1 on cell c-1."""
        readings = [
            {"cell": f"c-{cell[1:]}", "weight_g": n * (UNIT_G + 60 * int(cell[1:])) + 0.4, "stable": stable, "sd_g": 1.0}
            for cell, n in units.items()
        ]  # fmt: skip
        return self.event("shelf-1", "weight", readings=readings)

    def receipt(self, sequence, *lines, register="till-1", day="2017-09-04", at_ms=None, **more):
        rows = [
            {"kind": "sale", "gtin": gtin(i), "quantity_units": n, "unit_price_cents": 100, "extended_cents": 100 * n}
            for i, n in lines
        ]  # fmt: skip
        return self.event(
            register, "receipt", at_ms or self.now, register_id=register, business_date=day, sequence=sequence,
            lines=rows, total_cents=sum(row["extended_cents"] for row in rows), **more,
        )  # fmt: skip

    def of_kind(self, kind):
        return [record for record in self.records if record.kind == kind]

    def facts(self, fact):
        return [record for record in self.of_kind("stock_fact") if record.fact == fact]

    def opened(self, units=15, shelf=10):
        self.batch(self.weigh(c1=shelf, c2=shelf, c3=shelf))
        lines = [{"gtin": gtin(i), "counted_units": units} for i in (1, 2, 3)]
        self.batch(self.event("dock", "stocktake", place="store", opening=True, lines=lines))
        return self

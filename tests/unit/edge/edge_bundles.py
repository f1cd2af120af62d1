"""Bundles made for tests from the demo's, signed by a key of their own, and a gateway's loop that gets them from a centre."""

import base64
import hashlib
import json
import queue
import shutil
from pathlib import Path

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edge_shop import DAY, HOUR, START_MS, documents, gtin
from onnx import helper, numpy_helper
from pydantic import TypeAdapter

from contract.documents import AnyDocument
from edge.core.messages import DeviceMessage, DocumentArrived
from edge.core.step import EdgeCore
from edge.gather import Gathering
from edge.intake import Inbox
from edge.loop import EdgeLoop
from edge.staging.model_stage import open_stage
from edge.store_file import open_store
from models.bundle import DEMO_BUNDLE, DEMO_PUBLIC_KEY
from models.golden import Golden, golden_demand
from models.graph import Graph
from models.inference import open_models
from models.signing import public_pem, sign_bundle

KEY = Ed25519PrivateKey.generate()
PUBLIC = public_pem(KEY)
SKUS = 60
_DOCUMENT = TypeAdapter(AnyDocument)


def variant(folder, version, *, scale=1.0, nan_above=None, key=KEY, golden=True, spread=1.0):
    """A copy of the demo's bundle whose mean is `scale` times as large, and no number above `nan_above`."""
    shutil.copytree(DEMO_BUNDLE, folder)
    path = folder / "demand.onnx"
    model = onnx.load(path)
    for name, factor in (("mean", scale), ("dispersion", spread)):
        for node in model.graph.node:
            node.output[:] = [f"{name}_raw" if output == name else output for output in node.output]
            node.input[:] = [f"{name}_raw" if value == name else value for value in node.input]
        constants = {f"{name}_factor": np.float32(factor)}
        scaled = name if name == "dispersion" or nan_above is None else "mean_scaled"
        model.graph.node.append(helper.make_node("Mul", [f"{name}_raw", f"{name}_factor"], [scaled]))
        if scaled != name:
            constants |= {"limit": np.float32(nan_above), "no_number": np.float32("nan")}
            model.graph.node.append(helper.make_node("Greater", [scaled, "limit"], ["is_above"]))
            model.graph.node.append(helper.make_node("Where", ["is_above", "no_number", scaled], [name]))
        model.graph.initializer.extend(
            numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()
        )
    content = model.SerializeToString()
    path.write_bytes(content)
    if golden:
        wanted = json.loads((folder / "golden.json").read_text())
        mean, dispersion = golden_demand(Golden.model_validate(wanted).demand, Graph(content, path))
        wanted["demand"]["mean"], wanted["demand"]["dispersion"] = mean.tolist(), dispersion.tolist()
        (folder / "golden.json").write_text(json.dumps(wanted))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.update(name="test", version=version)
    manifest["files"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    sign_bundle(folder, key)
    return folder


def sha_of(folder):
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def ref(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    return {"name": f"{manifest['name']}@{manifest['version']}", "sha256": sha_of(folder)}


def bundle_document(folder, **changes):
    files = {path.name: base64.b64encode(path.read_bytes()).decode() for path in sorted(folder.iterdir())}
    value = {"kind": "bundle", "version": 1, **ref(folder), "files": files, **changes}
    return _DOCUMENT.validate_python(value, strict=False)


def models_document(version, current=None, candidate=None, trial_days=2):
    value = {
        "kind": "models", "version": version, "trial_days": trial_days,
        "current": ref(current) if current else None, "candidate": ref(candidate) if candidate else None,
    }  # fmt: skip
    return _DOCUMENT.validate_python(value, strict=False)


class Clock:
    now = START_MS

    def now_ms(self):
        return self.now


class BundleShop:
    """A gateway's loop with its real store and stage in `folder`; `send` is what the centre's reply brings."""

    def __init__(self, folder: Path, level=5, skus=SKUS):
        self.folder, self.clock, self.skus = folder, Clock(), skus
        self.level, self.days_sold, self.seq = level, 0, 0
        self.open()
        self.send(*self._documents())

    def _documents(self):
        found = []
        random = np.random.default_rng(3)
        for document in documents(skus=self.skus):
            if document.kind == "history":
                rows = [
                    {"sku": f"sku-{n}", "units": random.poisson(self.level, 56).tolist()}
                    for n in range(1, self.skus + 1)
                ]
                value = {"kind": "history", "version": 1, "first_live_day": "2017-09-04", "rows": rows}
                found.append(_DOCUMENT.validate_python(value, strict=False))
            else:
                found.append(document)
        return found

    def open(self):
        self.store = open_store(self.folder, self.clock.now)
        self.core = EdgeCore(version="test")
        self.core.restore(self.store.state_rows())
        installed = open_models(DEMO_BUNDLE, DEMO_PUBLIC_KEY)
        self.stage = open_stage(self.folder, installed, PUBLIC)
        self.uplink = queue.Queue()
        self.loop = EdgeLoop(
            self.core, self.store, self.stage, self.clock, Inbox(1000), self.uplink, None,
            lambda topic, payload: None, lambda messages: None, gathering=Gathering(0.0, 0.0),
            idle_wait_s=0, outbox_max_bytes=10**8, is_stopping=lambda: False,
        )  # fmt: skip
        self.settle()

    def restart(self):
        self.store.close()
        self.open()

    def send(self, *sent):
        for document in sent:
            self.uplink.put(DocumentArrived(document))
        self.settle()

    def settle(self):
        for _ in range(500):
            self.clock.now += 1
            self.loop.cycle(0.0)
            if not self.loop.pending_jobs and self.uplink.empty():
                return
        raise AssertionError("never at rest")

    def sell_a_day(self, units=None):
        """One receipt with some of everything, then the night."""
        self.seq += 1
        random = np.random.default_rng(self.seq)
        day = np.datetime64("2017-09-04") + self.days_sold
        lines = [
            {"kind": "sale", "gtin": gtin(n), "quantity_units": int(sold), "unit_price_cents": 100,
             "extended_cents": 100 * int(sold)}
            for n in range(1, self.skus + 1) if (sold := random.poisson(self.level) if units is None else units)
        ]  # fmt: skip
        event = {
            "device": "till-1", "boot_id": "b-1", "seq": self.seq, "kept_from_seq": self.seq, "t_device_ms": 0,
            "t_event_ms": self.clock.now, "clock_quality": "synced", "register_id": "till-1",
            "business_date": str(day), "sequence": self.seq, "lines": lines,
            "total_cents": sum(line["extended_cents"] for line in lines),
        }  # fmt: skip
        self.core.step(
            DeviceMessage("shelfloop/1/till-1/receipt", json.dumps(event).encode()), self.clock.now
        )
        self.days_sold += 1
        self.clock.now += DAY
        self.settle()

    def night(self):
        self.clock.now += 20 * HOUR
        self.settle()

    def records(self, kind):
        found = self.store.db.execute("SELECT json FROM outbox WHERE kind = ? ORDER BY seq", (kind,))
        return [json.loads(text) for (text,) in found]

    def story(self):
        """(bundle, state) of all that was told of bundles."""
        return [(row["name"], row["state"]) for row in self.records("staging") if row["what"] == "bundle"]

    def why(self):
        return self.records("staging")[-1]["reason"]

    def close(self):
        self.store.close()

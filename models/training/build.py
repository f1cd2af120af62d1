"""A bundle from series: fit, export, golden examples, manifest. Unsigned; `models.signing` signs it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from contract.errors import MalformedMessageError
from contract.records import QUANTILE_LEVELS
from models.bundle import Bundle
from models.errors import BundleError, TrainingDataError
from models.features import FEATURES_BY_REVISION, FEATURES_REVISION, HISTORY_DAYS, features_sha256
from models.golden import Golden
from models.graph import Graph
from models.inference import DemandModel
from models.manifest import (
    DEMAND_FILE,
    GOLDEN_FILE,
    MANIFEST_FILE,
    ORDER_FILE,
    REPLENISHMENT_FILE,
    SIGNATURE_FILE,
    FeatureSet,
    Manifest,
    Training,
)
from models.policy.order_graph import OrderGraph
from models.training.correlation import best_correlation
from models.training.examples import examples_from
from models.training.golden_examples import golden_examples
from models.training.golden_orders import golden_orders, order_graph_file
from models.training.graphs import demand_graph, replenishment_graph
from models.training.network import Fit, Network, fit_network
from models.training.rolling import held_out_scores
from models.training.series import DailySeries

HORIZON_DAYS = 28
MIN_TRAINING_DAYS = 30

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build. rows: of training; version: "" makes one of the last training day and the files' hash.

    features: the revision of features; an earlier one for gateways that do not know the newest yet.
    """

    name: str
    version: str
    rows: int
    fit: Fit
    test_from: date
    features: int = FEATURES_REVISION


def build_bundle(folder: Path, training: DailySeries, shops: DailySeries, plan: Plan, say: Say) -> Manifest:
    """The manifest of the bundle written to `folder` (made when missing), not yet signed.

    training: every series to learn from; only days before plan.test_from are used. shops: whole series of the shops
    themselves, to set the correlation (before test_from) and to score (from it on).
    Raises TrainingDataError when there are too few days.
    """
    past, shops_past = training.before(plan.test_from), shops.before(plan.test_from)
    if past.n_days < MIN_TRAINING_DAYS:
        raise TrainingDataError(
            f"{past.n_days} days lie before {plan.test_from}; at least {MIN_TRAINING_DAYS} are needed: give more history"
            " or a later --test-from"
        )
    say(f"training on {len(past.units)} series, {past.first_day} to {past.last_day}")
    names = FEATURES_BY_REVISION[plan.features]
    examples = examples_from(past, rows=plan.rows, seed=plan.fit.seed, revision=plan.features)
    say(f"{len(examples.units)} examples of {len(names)} features")
    network = fit_network(
        examples, plan.fit, lambda epoch, loss: say(f"epoch {epoch}/{plan.fit.epochs}: loss {loss:.5f}")
    )
    correlation = best_correlation(shops_past, network)
    say(f"correlation between days {correlation}")
    contents = _contents(network, shops_past, plan.features)
    digest = hashlib.sha256(b"".join(contents.values())).hexdigest()
    manifest = Manifest(
        name=plan.name,
        version=plan.version or f"{past.last_day.isoformat()}-{digest[:8]}",
        features=FeatureSet(
            names=list(names), sha256=features_sha256(plan.features), history_days=HISTORY_DAYS
        ),
        quantile_levels=list(QUANTILE_LEVELS),
        horizon_days=HORIZON_DAYS,
        correlation=correlation,
        training=Training(
            source=training.source,
            first_day=past.first_day.isoformat(),
            last_day=past.last_day.isoformat(),
            series=len(past.units),
            rows=len(examples.units),
            epochs=plan.fit.epochs,
            seed=plan.fit.seed,
        ),
        files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    )
    if shops.last_day >= plan.test_from + timedelta(days=13):
        say(f"scoring on {plan.test_from} to {shops.last_day}")
        manifest = _scored(manifest, contents[DEMAND_FILE], shops, plan.test_from)
    else:
        say(
            f"NOT scored: sales end on {shops.last_day}, and scores need 14 days from {plan.test_from} on; "
            "the manifest carries no score"
        )
    _write(folder, contents, manifest)
    return manifest


def manifest_bytes(manifest: Manifest) -> bytes:
    """What is written, hashed and signed: indented, so that a person and a diff can read it."""
    return json.dumps(manifest.model_dump(mode="json"), indent=1).encode() + b"\n"


def _scored(manifest: Manifest, demand: bytes, shops: DailySeries, test_from: date) -> Manifest:
    graph = Graph(demand, Path(DEMAND_FILE))
    model = DemandModel(Bundle(Path(), manifest, graph, graph))
    return manifest.model_copy(update={"held_out": held_out_scores(shops, test_from, model)})


def _contents(network: Network, shops: DailySeries, revision: int) -> dict[str, bytes]:
    demand, replenishment = demand_graph(network), replenishment_graph()
    golden = golden_examples(
        shops, Graph(demand, Path(DEMAND_FILE)), Graph(replenishment, Path(REPLENISHMENT_FILE)), revision
    )
    orders = order_graph_file()
    asked = golden_orders(OrderGraph(Graph(orders, Path(ORDER_FILE))))
    return {
        DEMAND_FILE: demand,
        REPLENISHMENT_FILE: replenishment,
        ORDER_FILE: orders,
        GOLDEN_FILE: golden.model_copy(update={"orders": asked}).to_json(),
    }


def renew_orders(folder: Path) -> Manifest:
    """The manifest of the bundle in `folder` with the order graph of this release in it, not yet signed; its demand is as before.

    The version says which: it ends in "+" and the graph's hash. Raises OSError, and BundleError for what is no bundle.
    """
    try:
        known = Manifest.from_json((folder / MANIFEST_FILE).read_bytes(), "manifest")
        golden = Golden.from_json((folder / GOLDEN_FILE).read_bytes(), "golden")
    except MalformedMessageError as error:
        raise BundleError("manifest", folder, str(error), "give a bundle's folder") from None
    orders = order_graph_file()
    asked = golden_orders(OrderGraph(Graph(orders, Path(ORDER_FILE))))
    contents = {
        ORDER_FILE: orders,
        GOLDEN_FILE: golden.model_copy(update={"orders": asked}).to_json(),
    }
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    manifest = known.model_copy(
        update={
            "version": f"{known.version.partition('+')[0]}+{digests[ORDER_FILE][:8]}",
            "files": {**known.files, **digests},
        }
    )
    _write(folder, contents, manifest)
    return manifest


def _write(folder: Path, contents: dict[str, bytes], manifest: Manifest) -> None:
    """The manifest comes last: without it the folder is no bundle. A signature of an earlier one goes first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SIGNATURE_FILE).unlink(missing_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST_FILE).write_bytes(manifest_bytes(manifest))

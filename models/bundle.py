"""A bundle: a folder of graphs, golden examples, a manifest and its signature, checked whole before use."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from contract.errors import MalformedMessageError
from contract.records import QUANTILE_LEVELS
from models.errors import BundleError
from models.execution import DEMAND_INPUTS, DEMAND_OUTPUTS, REPLENISHMENT_INPUTS, REPLENISHMENT_OUTPUTS
from models.features import FEATURES_BY_REVISION, HISTORY_DAYS, revision_of
from models.golden import Golden, golden_mismatch
from models.graph import Graph
from models.manifest import (
    DEMAND_FILE,
    GOLDEN_FILE,
    MANIFEST_FILE,
    ORDER_FILE,
    REPLENISHMENT_FILE,
    REQUIRED_FILES,
    SIGNATURE_FILE,
    SIGNED_FILES,
    Manifest,
)
from models.policy.order_graph import ORDER_INPUTS, ORDER_OUTPUTS, OrderGraph
from models.policy.question import INPUT_SHAPES

PublicKey: TypeAlias = Path | bytes
"""A PEM file or its bytes."""

MAX_FILE_BYTES = 32_000_000
DEMO_BUNDLE = Path(__file__).parent / "bundles" / "demo"
DEMO_PUBLIC_KEY = Path(__file__).parent / "bundles" / "demo-public-key.pem"
_TRAIN_AGAIN = "train a bundle with this version: shelfloop models train"
_COPY_AGAIN = "copy the bundle again from where it was signed"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Loaded and checked. orders: None in a bundle that has no order graph."""

    path: Path
    manifest: Manifest
    demand: Graph
    replenishment: Graph
    orders: OrderGraph | None = None

    @property
    def name(self) -> str:
        return f"{self.manifest.name}@{self.manifest.version}"

    @property
    def features_revision(self) -> int:
        """Of the features that it was trained on, one of FEATURES_BY_REVISION."""
        return _known_revision(self.manifest, self.path / MANIFEST_FILE)


def load_bundle(path: Path, public_key: PublicKey) -> Bundle:
    """The bundle in the folder `path`, after these checks in this order: folder, signature, manifest, features,
    files (sha256), graph (loads, names, shapes), golden (outputs within GRAPH_TOLERANCE).

    Raises BundleError that names the check, the file and the next step.
    """
    manifest_bytes = check_signature(path, public_key)
    manifest = _manifest_from(manifest_bytes, path / MANIFEST_FILE)
    revision = _check_features(manifest, path / MANIFEST_FILE)
    names = [name for name in SIGNED_FILES if name in REQUIRED_FILES or name in manifest.files]
    contents = {name: _checked_file(path / name, manifest) for name in names}
    demand = _graph(contents[DEMAND_FILE], path / DEMAND_FILE, DEMAND_INPUTS, DEMAND_OUTPUTS)
    replenishment = _graph(
        contents[REPLENISHMENT_FILE], path / REPLENISHMENT_FILE, REPLENISHMENT_INPUTS, REPLENISHMENT_OUTPUTS
    )
    _check_width(demand, "features", len(FEATURES_BY_REVISION[revision]))
    _check_width(replenishment, "quantiles", len(QUANTILE_LEVELS))
    orders = None
    if ORDER_FILE in contents:
        orders = _order_graph(contents[ORDER_FILE], path / ORDER_FILE)
    _check_golden(contents[GOLDEN_FILE], path / GOLDEN_FILE, demand, replenishment, orders, revision)
    if orders is not None:
        replenishment.rest()  # the order graph takes its place
    return Bundle(path, manifest, demand, replenishment, orders)


def check_signature(path: Path, public_key: PublicKey) -> bytes:
    """The manifest's bytes, once their signature is good. Raises BundleError (check folder or signature)."""
    from models.public_key import is_signed, read_public_key  # noqa: PLC0415 - memory that the baseline does without

    key = read_public_key(public_key)
    if not path.is_dir():
        raise BundleError(
            "folder", path, "there is no such folder", "give the folder that holds manifest.json"
        )
    manifest_bytes = _read(path / MANIFEST_FILE)
    try:
        signature = base64.b64decode(_read(path / SIGNATURE_FILE).strip(), validate=True)
    except binascii.Error as error:
        raise BundleError(
            "signature", path / SIGNATURE_FILE, f"it is no base64 ({error})", _COPY_AGAIN
        ) from None
    if not is_signed(manifest_bytes, signature, key):
        raise BundleError(
            "signature",
            path / SIGNATURE_FILE,
            "the manifest was not signed by the private half of this public key",
            "check the public key that is set, or sign again: shelfloop models sign",
        )
    return manifest_bytes


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BundleError("folder", path, f"it is larger than {MAX_FILE_BYTES} bytes", _TRAIN_AGAIN)
        return path.read_bytes()
    except OSError as error:
        raise BundleError("folder", path, error.strerror or str(error), _COPY_AGAIN) from None


def _manifest_from(content: bytes, path: Path) -> Manifest:
    try:
        return Manifest.from_json(content, "manifest")
    except MalformedMessageError as error:
        raise BundleError("manifest", path, error.why, _TRAIN_AGAIN) from None


def _check_features(manifest: Manifest, path: Path) -> int:
    """The revision of its features. One from before a revision is served as it was trained; one from after it cannot be."""
    revision = _known_revision(manifest, path)
    if manifest.features.history_days != HISTORY_DAYS or tuple(manifest.quantile_levels) != QUANTILE_LEVELS:
        raise BundleError(
            "features", path, "its history length or quantile levels are not this version's", _TRAIN_AGAIN
        )
    return revision


def _known_revision(manifest: Manifest, path: Path) -> int:
    revision = revision_of(manifest.features.sha256)
    if revision is not None and tuple(manifest.features.names) == FEATURES_BY_REVISION[revision]:
        return revision
    known = {name for names in FEATURES_BY_REVISION.values() for name in names}
    unknown = [name for name in manifest.features.names if name not in known]
    named = f" ({', '.join(unknown[:3])}{' and more' if len(unknown) > 3 else ''})" if unknown else ""
    raise BundleError(
        "features", path, f"it was trained on other features than this version computes{named}",
        "update this program to the version that trained it, or train a bundle with this one: shelfloop models train",
    )  # fmt: skip


def _checked_file(path: Path, manifest: Manifest) -> bytes:
    content = _read(path)
    said = manifest.files.get(path.name)
    found = hashlib.sha256(content).hexdigest()
    if found != said:
        why = f"its sha256 is {found[:12]}…, the manifest says {said[:12] + '…' if said else 'nothing of it'}"
        raise BundleError("files", path, why, _COPY_AGAIN)
    return content


def _graph(content: bytes, path: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Graph:
    try:
        graph = Graph(content, path)
    except ValueError as error:
        raise BundleError("graph", path, str(error), _TRAIN_AGAIN) from None
    if set(graph.input_shapes) != set(inputs) or set(graph.output_names) != set(outputs):
        why = f"it takes {sorted(graph.input_shapes)} and gives {sorted(graph.output_names)}"
        raise BundleError("graph", path, why, _TRAIN_AGAIN)
    return graph


def _order_graph(content: bytes, path: Path) -> OrderGraph:
    graph = _graph(content, path, ORDER_INPUTS, ORDER_OUTPUTS)
    for name, shape in INPUT_SHAPES.items():
        if graph.input_shapes[name][1:] != list(shape):
            why = f"{name} has shape {graph.input_shapes[name]}, expected (n, {', '.join(map(str, shape))})"
            raise BundleError("graph", path, why, _TRAIN_AGAIN)
    return OrderGraph(graph)


def _check_width(graph: Graph, name: str, width: int) -> None:
    shape = graph.input_shapes[name]
    if len(shape) != 2 or shape[1] != width:
        raise BundleError(
            "graph", graph.origin, f"{name} has shape {shape}, expected (n, {width})", _TRAIN_AGAIN
        )


def _check_golden(
    content: bytes, path: Path, demand: Graph, replenishment: Graph, orders: OrderGraph | None, revision: int
) -> None:
    try:
        golden = Golden.from_json(content, "golden")
        mismatch = golden_mismatch(golden, demand, replenishment, orders, revision)
    except (MalformedMessageError, ValueError) as error:
        raise BundleError("golden", path, str(error), _TRAIN_AGAIN) from None
    if mismatch:
        raise BundleError(
            "golden", path, mismatch, "this machine computes otherwise: report its processor and versions"
        )

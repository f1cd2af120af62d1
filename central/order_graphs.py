"""The order graph that a proposal was made with, found again by its sha256: of a bundle kept here, or of this release."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path

from models.bundle import DEMO_BUNDLE
from models.graph import Graph
from models.manifest import MANIFEST_FILE, ORDER_FILE, Manifest
from models.policy.order_graph import ORDER_FILE as RELEASED_FILE
from models.policy.order_graph import OrderGraph

LOOK_AGAIN_MS = 60_000
MAX_GRAPHS, MAX_MISSED = 16, 1_000


class KeptGraphs:
    """Those that this process has used, for decisions: any thread may ask.

    A bundle's files are megabytes: one that holds no such graph is read again after LOOK_AGAIN_MS only.
    """

    def __init__(self) -> None:
        self._found: dict[str, OrderGraph] = {}
        self._missed_ms: dict[str, int] = {}

    def graph(
        self, sha256: str, bundle: str, files_of: Callable[[str], Iterable[str]], now_ms: int
    ) -> OrderGraph | None:
        """files_of: the files of the bundles of a name, as `order_graph_of` takes them."""
        found = self._found.get(sha256)
        if found is not None:
            return found
        missed_ms = self._missed_ms.get(bundle)
        waits = missed_ms is not None and 0 <= now_ms - missed_ms < LOOK_AGAIN_MS
        found = order_graph_of(sha256, () if waits else files_of(bundle))
        if found is not None:
            if len(self._found) >= MAX_GRAPHS:
                self._found.clear()
            self._found[sha256] = found
        elif not waits:
            if len(self._missed_ms) >= MAX_MISSED:
                self._missed_ms.clear()
            self._missed_ms[bundle] = now_ms
        return found


def order_graph_of(sha256: str, bundles: Iterable[str] = ()) -> OrderGraph | None:
    """None when nobody here has it. bundles: the files of bundles that the centre keeps, as JSON of name -> base64.

    What a bundle holds was checked when it was taken in.
    """
    own = _own().get(sha256)
    if own is not None:
        return _opened(own)
    for content in _contents(bundles):
        if hashlib.sha256(content).hexdigest() == sha256:
            return _opened(content)
    return None


def trained_to(bundle: str, manifests: Iterable[str] = ()) -> date | None:
    """The last day that the bundle `name@version` was trained on: of those kept here, or of this release. None: it is neither."""
    for text in (*manifests, *_own_manifest()):
        manifest = Manifest.from_json(text)
        if f"{manifest.name}@{manifest.version}" == bundle:
            return date.fromisoformat(manifest.training.last_day)
    return None


@lru_cache(maxsize=1)
def _own_manifest() -> tuple[str, ...]:
    path = DEMO_BUNDLE / MANIFEST_FILE
    return (path.read_text(encoding="utf-8"),) if path.is_file() else ()


@lru_cache(maxsize=1)
def _own() -> dict[str, bytes]:
    """Those that come with the package, by their sha256."""
    contents = [path.read_bytes() for path in (DEMO_BUNDLE / ORDER_FILE, RELEASED_FILE) if path.is_file()]
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def _contents(bundles: Iterable[str]) -> Iterator[bytes]:
    for files in bundles:
        text = json.loads(files).get(ORDER_FILE)
        if isinstance(text, str):
            yield base64.b64decode(text)


@lru_cache(maxsize=4)
def _opened(content: bytes) -> OrderGraph:
    return OrderGraph(Graph(content, Path(ORDER_FILE)))

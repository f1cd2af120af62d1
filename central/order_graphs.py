"""The order graph that a proposal was made with, found again by its sha256: of a bundle kept here, or of this release."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from models.bundle import DEMO_BUNDLE
from models.graph import Graph
from models.manifest import ORDER_FILE
from models.policy.order_graph import ORDER_FILE as RELEASED_FILE
from models.policy.order_graph import OrderGraph


def order_graph_of(sha256: str, bundles: Iterable[str] = ()) -> OrderGraph | None:
    """None when nobody here has it. bundles: the files of bundles that the centre keeps, as JSON of name -> base64.

    What a bundle holds was checked when it was taken in.
    """
    for content in _contents(bundles):
        if hashlib.sha256(content).hexdigest() == sha256:
            return _opened(content)
    return None


def _contents(bundles: Iterable[str]) -> Iterator[bytes]:
    for path in (DEMO_BUNDLE / ORDER_FILE, RELEASED_FILE):
        if path.is_file():
            yield path.read_bytes()
    for files in bundles:
        text = json.loads(files).get(ORDER_FILE)
        if isinstance(text, str):
            yield base64.b64decode(text)


@lru_cache(maxsize=4)
def _opened(content: bytes) -> OrderGraph:
    return OrderGraph(Graph(content, Path(ORDER_FILE)))

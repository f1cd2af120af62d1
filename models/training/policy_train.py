"""`shelfloop models train-policy`: lessons, fit, both graphs, and a card that says how."""

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from models.policy.network import TARGET_FILE
from models.policy.order_graph import ORDER_FILE
from models.training.policy_config import SHIPPED_CONFIG, VALIDATION_SHARE, PolicyTraining, training_from_file
from models.training.policy_fit import fit_policy
from models.training.policy_graph import target_graph
from models.training.policy_lessons import Lessons, Mix, collected, joined
from models.training.policy_order_graph import order_graph

CARD_FILE = "policy.json"
_AT_ONCE = 500
_COLUMNS = ("features", "scales", "advantage", "weight", "of")


def train_policy(arguments: argparse.Namespace) -> int:
    """Writes both graphs and the card into the folder; solved lessons are kept there, and used again by the next run."""
    folder: Path = arguments.folder
    training = training_from_file(arguments.training or SHIPPED_CONFIG)
    folder.mkdir(parents=True, exist_ok=True)
    lessons = solved(training, folder / "lessons")
    held = lessons.of % VALIDATION_SHARE == VALIDATION_SHARE - 1
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        _say(text)

    network = fit_policy(_part(lessons, ~held), _part(lessons, held), training.fit, say)
    graphs = {TARGET_FILE.name: target_graph(network), ORDER_FILE.name: order_graph(network)}
    for name, graph in graphs.items():
        (folder / name).write_bytes(graph)
    card = {
        "training": training.as_json(),
        "lessons": {"instances": training.instances, "rows": len(lessons.of), **summary(lessons, training)},
        "last_epoch": said[-1],
        "numpy": np.__version__,
        "sha256": {name: hashlib.sha256(graph).hexdigest() for name, graph in graphs.items()},
    }
    (folder / CARD_FILE).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {', '.join(graphs)} and {CARD_FILE} in {folder}")
    return 0


def solved(training: PolicyTraining, folder: Path) -> Lessons:
    """All lessons, from the folder where an earlier run has solved them; the advantages in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for numbers, mix in _parts(training):
        path = folder / f"{numbers.start:06d}.npz"
        made = json.dumps(
            [training.seed, numbers.start, numbers.stop, mix.shares, mix.aged_lot_share, mix.wide]
        )
        part = _kept(path, made)
        if part is None:
            started = time.monotonic()
            part = _light(joined(list(collected(numbers, training.seed, mix))))
            columns = {name: getattr(part, name) for name in _COLUMNS}
            np.savez(path, made=np.array(made), **columns)
            spent = time.monotonic() - started
            _say(
                f"{numbers.stop} of {training.instances} instances solved, the last {len(numbers)} in {spent:.0f} s"
            )
        parts.append(part)
    return joined(parts)


def summary(lessons: Lessons, training: PolicyTraining) -> dict[str, object]:
    """Of the first part's lessons: what another run of the same training must find, the last digits apart."""
    rows = lessons.of < next(_parts(training))[0].stop
    mean = float((lessons.advantage[rows].astype(np.float64).mean(axis=1) * lessons.weight[rows]).sum())
    return {
        "first_part": {
            "rows": int(rows.sum()),
            "features": [
                round(float(value), 3) for value in lessons.features[rows].mean(axis=0, dtype=np.float64)
            ],
            "advantage": round(mean, 2),
        }
    }


def _parts(training: PolicyTraining) -> Iterator[tuple[range, Mix]]:
    first = 0
    for mix in training.lessons:
        last = first + mix.instances
        for start in range(first, last, _AT_ONCE):
            yield range(start, min(start + _AT_ONCE, last)), mix
        first = last


def _kept(path: Path, made: str) -> Lessons | None:
    """None where the file is missing, torn or of another training."""
    try:
        with np.load(path) as found:
            return Lessons(*(found[name] for name in _COLUMNS)) if str(found["made"]) == made else None
    except (OSError, KeyError, ValueError, BadZipFile):
        return None


def _light(lessons: Lessons) -> Lessons:
    return Lessons(
        lessons.features, lessons.scales, lessons.advantage.astype(np.float16), lessons.weight, lessons.of
    )


def _part(lessons: Lessons, rows: np.ndarray) -> Lessons:
    return Lessons(*(getattr(lessons, name)[rows] for name in _COLUMNS))


def _say(text: str) -> None:
    print(text, flush=True)

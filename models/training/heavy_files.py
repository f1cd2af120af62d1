"""A fitted heavy model as a folder: written, and read again to forecast what it was not trained on.

networks.npz holds the arrays, trees.onnx the trees beside them, model.json what they mean; equal recipes on equal sales give equal bytes of all.
"""

import hashlib
import io
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from contract.ids import DayText
from contract.message import Message
from models.errors import ModelsError
from models.manifest import Sha256, Word
from models.panel import Panel
from models.panel_features import FEATURES_VERSION
from models.quantile_network import DAY_LEVELS, QuantileNetwork
from models.training.heavy import HeavyModel, Newcomers
from models.training.median_trees import MedianTrees
from runtime.errors import reason_of

MODEL_FILE = "model.json"
NETWORKS_FILE = "networks.npz"
TREES_FILE = "trees.onnx"
CARD_FILE = "CARD.md"


class HeavyModelError(ModelsError):
    """The operator must act: the folder is no heavy model, or is one for other columns than these."""


class HeldOutScore(Message):
    """One measure of one method on the held-out days: its value, and the central 95 % over series and evenings."""

    method: Word
    measure: Word
    value: float
    low: float
    high: float


class HeavyManifest(Message):
    """What a heavy model says of itself. covariates, groups: of the panel it learned from, in this order."""

    format: Literal[1] = 1
    features_version: int
    source: Word
    first_day: DayText
    last_day: DayText
    series: Annotated[int, Field(ge=1)]
    examples: Annotated[int, Field(ge=1)]
    covariates: list[str]
    groups: list[str]
    horizon_days: Annotated[int, Field(ge=1, le=28)]
    quantile_levels: list[float]
    spreads: list[list[float]]
    correlations: list[float]
    newcomer_spread: tuple[float, float]
    newcomer_correlation: float
    partitions: Annotated[int, Field(ge=1)]
    recipe: dict[str, str]
    networks_sha256: Sha256
    trees_sha256: Sha256 | None = None
    trees_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    held_out_first_day: DayText | None = None
    held_out_last_day: DayText | None = None
    held_out: list[HeldOutScore] = []


def networks_bytes(networks: tuple[QuantileNetwork, ...]) -> bytes:
    arrays: dict[str, np.ndarray] = {}
    for number, network in enumerate(networks):
        arrays[f"{number}_centre"], arrays[f"{number}_scale"] = network.centre, network.scale
        for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            arrays[f"{number}_weight_{layer}"], arrays[f"{number}_bias_{layer}"] = weight, bias
    out = io.BytesIO()
    # numpy gives every member the date of 1980: the bytes are those of the numbers alone.
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def save_heavy(folder: Path, content: bytes, trees: MedianTrees | None, manifest: HeavyManifest) -> None:
    """Writes the files to `folder`, made when missing. content: networks_bytes of what the manifest names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NETWORKS_FILE).write_bytes(content)
    (folder / TREES_FILE).unlink(missing_ok=True)
    if trees is not None:
        (folder / TREES_FILE).write_bytes(trees.content)
    (folder / MODEL_FILE).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def is_heavy(folder: Path) -> bool:
    return (folder / MODEL_FILE).is_file()


def load_heavy(folder: Path) -> tuple[HeavyModel, HeavyManifest]:
    """Raises HeavyModelError that names the file, what is wrong with it and what to do."""
    try:
        manifest = HeavyManifest.model_validate_json((folder / MODEL_FILE).read_bytes())
        content = (folder / NETWORKS_FILE).read_bytes()
        trees = None if manifest.trees_sha256 is None else (folder / TREES_FILE).read_bytes()
    except OSError as error:
        raise HeavyModelError(
            f"{folder} is no heavy model ({reason_of(error)}); shelfloop models train FOLDER --form heavy writes one"
        ) from None
    except ValidationError as error:
        raise HeavyModelError(
            f"{folder / MODEL_FILE}: {error.errors()[0]['msg']}; train the model again"
        ) from None
    if manifest.features_version != FEATURES_VERSION:
        raise HeavyModelError(
            f"{folder} was trained with features {manifest.features_version}, this is {FEATURES_VERSION}: train it again"
        )
    for name, given, told in (
        (NETWORKS_FILE, content, manifest.networks_sha256),
        (TREES_FILE, trees, manifest.trees_sha256),
    ):
        if given is not None and hashlib.sha256(given).hexdigest() != told:
            raise HeavyModelError(f"{folder / name} is not what {MODEL_FILE} says: copy the folder anew")
    if manifest.quantile_levels != list(DAY_LEVELS):
        raise HeavyModelError(f"{folder} has other quantiles than {list(DAY_LEVELS)}: train it again")
    spreads = tuple((below, above) for below, above in manifest.spreads)
    model = HeavyModel(
        _networks(content), spreads, tuple(manifest.correlations), manifest.partitions,
        None if trees is None else MedianTrees(trees, manifest.trees_share),
        Newcomers(manifest.newcomer_spread, manifest.newcomer_correlation),
    )  # fmt: skip
    return model, manifest


def require_fit(manifest: HeavyManifest, panel: Panel) -> None:
    """Raises HeavyModelError when the panel has other columns known ahead, or other groups, than the model learned from."""
    for what, learned, given in (
        ("columns known ahead", manifest.covariates, list(panel.covariates)),
        ("groups of series", manifest.groups, list(panel.groups)),
    ):
        if learned != given:
            raise HeavyModelError(
                f"the model learned from the {what} {learned}, the tables give {given}:"
                " give tables with the columns of training, in its order, or train on these"
            )


def learned_by(manifest: HeavyManifest) -> dict[str, str]:
    return {
        "form": "heavy: networks that give mean and 22 quantiles of a day"
        + (", drawn to the median of boosted trees" if manifest.trees_sha256 else ""),
        "learned from": f"{manifest.source}, {manifest.series} series, {manifest.first_day} to {manifest.last_day}",
        "examples": str(manifest.examples),
        "known ahead": ", ".join(manifest.covariates) or "weekday and day of the month alone",
        "groups": ", ".join(manifest.groups),
        "forecasts": f"1 to {manifest.horizon_days} days",
        "recipe": "; ".join(manifest.recipe.values()),
        "scored on": f"{manifest.held_out_first_day} to {manifest.held_out_last_day}",
    }


def _networks(content: bytes) -> tuple[QuantileNetwork, ...]:
    networks = []
    with np.load(io.BytesIO(content), allow_pickle=False) as kept:
        for number in range(sum(name.endswith("_centre") for name in kept.files)):
            layers = range(sum(name.startswith(f"{number}_weight_") for name in kept.files))
            networks.append(
                QuantileNetwork(
                    kept[f"{number}_centre"],
                    kept[f"{number}_scale"],
                    tuple(kept[f"{number}_weight_{layer}"] for layer in layers),
                    tuple(kept[f"{number}_bias_{layer}"] for layer in layers),
                )
            )
    return tuple(networks)

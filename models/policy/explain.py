"""`shelfloop models explain`: why this quantity of this SKU today, from the centre's evidence, in words and as a picture."""

import argparse
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from contract.api.restock import Evidence, TriggerView
from contract.api.stores import SkuView
from models.errors import ModelsError

TIMEOUT_S = 15.0

Answer = TypeVar("Answer", SkuView, TriggerView, Evidence)


class CentreError(ModelsError):
    """The operator must act: the centre does not answer, or not with what was asked for."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What stands behind one order. evidence and trigger: None where no order is open."""

    sku: SkuView
    trigger: TriggerView | None
    evidence: Evidence | None


def add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "explain",
        help="why this quantity of this SKU today",
        description="Asks the centre for a SKU's stock, open order and its evidence, says why the quantity is what it is,"
        " and draws it.",
    )
    parser.add_argument("--store", required=True, help="the shop's id")
    parser.add_argument("--sku", required=True, help="the SKU")
    parser.add_argument(
        "--central", default="http://127.0.0.1:8700", metavar="URL", help="the centre (default %(default)s)"
    )
    parser.add_argument(
        "--token-file", type=Path, required=True, help="file with a token of the centre's API"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write the picture as SVG")
    parser.set_defaults(run=run_explain)


def run_explain(arguments: argparse.Namespace) -> int:
    """Raises CentreError."""
    token = arguments.token_file.read_text(encoding="utf-8").strip()
    found = explained(arguments.central.rstrip("/"), token, arguments.store, arguments.sku)
    print("\n".join(as_words(found)))
    if arguments.picture is not None:
        arguments.picture.write_text(as_picture(found), encoding="utf-8")
        print(f"drawn in {arguments.picture}")
    return 0


def explained(central: str, token: str, store: str, sku: str) -> Explained:
    base = f"{central}/v1"
    view = _asked(f"{base}/stores/{quote(store, safe='')}/skus/{quote(sku, safe='')}", token, SkuView)
    if view.open_trigger is None:
        return Explained(view, None, None)
    at = f"{base}/triggers/{quote(view.open_trigger, safe='')}"
    return Explained(view, _asked(at, token, TriggerView), _asked(f"{at}/evidence", token, Evidence))


def as_words(found: Explained) -> list[str]:
    """One fact a line, from what is there to what was decided."""
    sku = found.sku
    on_hand = "unknown" if sku.on_hand_units is None else f"{sku.on_hand_units} units"
    lines = [
        f"{sku.name} ({sku.sku}) in {sku.store}",
        f"on hand         {on_hand}, {sku.on_order_units} on order",
    ]
    if sku.forecast_7_days_units is not None:
        lines.append(f"forecast        {sku.forecast_7_days_units:.1f} units in the next 7 days")
    if found.evidence is None or found.trigger is None:
        lines.append(
            "order           none is open: stock and orders under way cover the target, or a person said no"
        )
        return lines
    drawn = _Drawn.of(found.evidence)
    need = drawn.target - drawn.on_hand - drawn.on_order
    lines += [
        f"demand          {drawn.window_days} days of lead time and review: half the time at most {drawn.median:g} units",
        f"target          {drawn.target:g} units, so that {drawn.service_level:.1%} of such windows are served",
        f"need            {drawn.target:g} - {drawn.on_hand:g} on hand - {drawn.on_order:g} on order = {need:g} units",
        f"order           {found.evidence.quantity_units} units ({found.trigger.state}), in packs of {drawn.pack:g}",
        *(f"because         {reason}" for reason in drawn.reasons),
        f"decided         {found.trigger.why}",
        f"checked         {_agreement(found.evidence)}",
    ]
    if found.trigger.doubt:
        lines.append(f"doubt           {found.trigger.doubt}")
    return lines


def as_picture(found: Explained) -> str:
    """An SVG: demand of the window as a staircase of its quantiles, what is there, what is ordered, and the target."""
    if found.evidence is None:
        return _page([f'<text x="20" y="70">{_safe("; ".join(as_words(found)))}</text>'], found.sku.name)
    drawn = _Drawn.of(found.evidence)
    ordered = float(found.evidence.quantity_units)
    top = max(drawn.target, drawn.on_hand + drawn.on_order + ordered, drawn.quantiles[-1], 1.0) * 1.1

    def x(units: float) -> float:
        return 60 + 560 * max(units, 0) / top

    parts, left = [], 0.0
    for units, colour, label in (
        (drawn.on_hand, "#2f6690", "on hand"), (drawn.on_order, "#81a4cd", "on order"), (ordered, "#0b6e4f", "order"),
    ):  # fmt: skip
        wide = x(left + max(units, 0)) - x(left)
        parts.append(f'<rect x="{x(left):.1f}" y="60" width="{wide:.1f}" height="34" fill="{colour}"/>')
        if units > 0:
            parts.append(f'<text x="{x(left) + 4:.1f}" y="55" fill="{colour}">{label} {units:g}</text>')
        left += max(units, 0)
    points = " ".join(
        f"{x(units):.1f},{290 - 160 * level:.1f}"
        for level, units in zip(drawn.levels, drawn.quantiles, strict=True)
    )
    parts += [
        f'<polyline points="{points}" fill="none" stroke="#b23a48" stroke-width="2"/>',
        f'<text x="60" y="118" fill="#b23a48">chance that demand of {drawn.window_days} days stays below</text>',
        f'<line x1="{x(drawn.target):.1f}" x2="{x(drawn.target):.1f}" y1="50" y2="290" stroke="#222" stroke-dasharray="5 4"/>',
        f'<text x="{x(drawn.target):.1f}" y="325" text-anchor="middle">target {drawn.target:g}</text>',
        '<line x1="60" x2="620" y1="290" y2="290" stroke="#999"/>',
        *(
            f'<text x="{x(top * k / 5):.1f}" y="308" text-anchor="middle" fill="#555">{top * k / 5:.0f}</text>'
            for k in range(6)
        ),
    ]
    return _page(parts, f"{found.sku.name}, {found.sku.store}")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The evidence's inputs by name. Raises CentreError where they are of another rule."""

    target: float
    on_hand: float
    on_order: float
    pack: float
    window_days: int
    service_level: float
    levels: list[float]
    quantiles: list[float]
    reasons: list[str]

    @property
    def median(self) -> float:
        return self.quantiles[min(range(len(self.levels)), key=lambda place: abs(self.levels[place] - 0.5))]

    @classmethod
    def of(cls, evidence: Evidence) -> "_Drawn":
        inputs: dict[str, Any] = dict(evidence.inputs)
        try:
            wanted = inputs["wanted"]
            return cls(
                target=float(wanted["target_units"]),
                on_hand=float(wanted["on_hand_units"] or 0),
                on_order=float(wanted["on_order_units"]),
                pack=float(wanted["pack_units"]),
                window_days=int(inputs["window_days"]),
                service_level=float(inputs["service_level"]),
                levels=[float(level) for level in inputs["quantile_levels"]],
                quantiles=[float(units) for units in inputs["cumulative_quantiles"]],
                reasons=[str(reason) for reason in inputs.get("gateway_reasons", [])],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CentreError(
                f"the evidence of {evidence.trigger} is of another rule ({evidence.rule}): {error!r}; ask with the release that made it"
            ) from error


def _agreement(evidence: Evidence) -> str:
    if evidence.agrees:
        return f"computed again from its inputs it is the same ({evidence.rule}, {evidence.bundle})"
    return evidence.note or f"computed again it is {evidence.recomputed_quantity_units}"


def _page(parts: list[str], title: str) -> str:
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="660" height="340" font-family="sans-serif" font-size="12">'
    name = f'<text x="60" y="28" font-size="15" font-weight="bold">{_safe(title)}</text>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', name, *parts, "</svg>"]) + "\n"


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _asked(url: str, token: str, kind: type[Answer]) -> Answer:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return kind.model_validate_json(answer.read())
    except urllib.error.HTTPError as error:
        raise CentreError(
            f"{url}: {error.code} {_problem(error)}; check --store, --sku and the token"
        ) from error
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        raise CentreError(f"{url}: {error}; is the centre up, and --central right?") from error
    except ValidationError as error:
        raise CentreError(
            f"{url}: an answer of another release: {error.error_count()} fields differ"
        ) from error


def _problem(error: urllib.error.HTTPError) -> str:
    try:
        told = json.loads(error.read())
        return str(told.get("detail") or told.get("title") or "")
    except (ValueError, AttributeError):
        return ""

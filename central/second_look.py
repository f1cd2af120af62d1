"""What gateways propose, computed again from what they say they computed it from: the order graph, or the base-stock level.

The evidence of a trigger does so a year later; the decision does before it sends anything by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from central.core.evidence import target_note
from contract.order_question import OrderQuestion
from contract.records import QUANTILE_LEVELS, ProposalRecord
from models.asked_orders import question_of
from models.base_stock import interpolated_quantile
from models.policy.order_graph import OrderGraph

SLACK_UNITS = 0.01


@dataclass(frozen=True, slots=True)
class Told:
    """A proposal's figures and what they were computed from. question: None where the models have no order graph."""

    quantity_units: int
    target_units: float
    on_hand_units: int | None
    cumulative_quantiles: tuple[float, ...]
    service_level: float
    order_graph: str = ""
    question: OrderQuestion | None = None


GraphOf = Callable[[str], OrderGraph | None]
"""The order graph with this sha256, None: it is not kept here."""


def told_by(proposal: ProposalRecord) -> Told:
    return Told(
        proposal.quantity_units, proposal.target_units, proposal.on_hand_units, tuple(proposal.cumulative_quantiles),
        proposal.service_level, proposal.order_graph, proposal.question,
    )  # fmt: skip


def told_in(inputs: Mapping[str, Any]) -> Told:
    """Of a trigger's stored inputs. Raises KeyError, TypeError or ValueError when they are of another form."""
    wanted, question = inputs["wanted"], inputs.get("question")
    return Told(
        int(inputs.get("gateway_units", wanted["proposed_units"])), float(wanted["target_units"]),
        wanted["on_hand_units"], tuple(inputs["cumulative_quantiles"]), float(inputs["service_level"]),
        str(inputs.get("order_graph", "")), None if question is None else OrderQuestion.model_validate(question),
    )  # fmt: skip


def look_again(told: Sequence[Told], graph_of: GraphOf) -> list[str]:
    """What speaks against each proposal's own figures, "" when they come out again; one graph's are run together."""
    notes = [_by_quantiles(one) if one.question is None else "" for one in told]
    by_graph: dict[str, list[int]] = {}
    for place, one in enumerate(told):
        if one.question is not None:
            by_graph.setdefault(one.order_graph, []).append(place)
    for sha256, places in by_graph.items():
        found = _by_graph(sha256, graph_of(sha256), [told[place] for place in places])
        for place, note in zip(places, found, strict=True):
            notes[place] = note
    return notes


def _by_quantiles(one: Told) -> str:
    if one.on_hand_units is None:
        return ""
    quantiles = np.asarray([one.cumulative_quantiles], dtype=np.float32)
    level = np.asarray([one.service_level], dtype=np.float32)
    target = float(interpolated_quantile(quantiles, level, QUANTILE_LEVELS)[0])
    return target_note(one.target_units, target)


def _by_graph(sha256: str, graph: OrderGraph | None, told: list[Told]) -> list[str]:
    if graph is None:
        kept = (
            f"the order graph {sha256[:12]}… is not kept here: the gateway's quantity was not computed again"
        )
        return [kept] * len(told)
    try:
        order = graph.orders(question_of([one.question for one in told if one.question is not None]))
    except ValueError as error:
        if len(told) == 1:
            return [f"the question of the order cannot be computed: {str(error)[:120]}"]
        # One of them is bad: alone each gets its own word.
        return [note for one in told for note in _by_graph(sha256, graph, [one])]
    missing = order.target_units - order.level_units
    return [
        _against(one, int(order.order_units[place]), float(missing[place])) for place, one in enumerate(told)
    ]


def _against(one: Told, units: int, missing_units: float) -> str:
    asked = one.question
    assert asked is not None
    if units != one.quantity_units:
        return f"the order graph computed again says {units}, the gateway said {one.quantity_units}"
    on_hand = sum(each or 0.0 for each in asked.on_hand_units)
    if one.on_hand_units is not None and abs(on_hand - one.on_hand_units) > SLACK_UNITS:
        return f"the order graph was asked with {on_hand:.0f} units on hand, the gateway said {one.on_hand_units}"
    return target_note(one.target_units, max(0.0, on_hand + sum(asked.arriving_units) + missing_units))

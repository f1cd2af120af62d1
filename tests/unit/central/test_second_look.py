"""The centre computes a gateway's order again before it is sent: what does not come out again waits for a person."""

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from central_rows import START_MS, alert, forecast, proposal
from ledger_kinds import SQLITE
from test_ledger import Bench, bench

from central.ledger import restock_views
from central.order_graphs import LOOK_AGAIN_MS, KeptGraphs, trained_to
from central.recomputing import evidence_of
from central.second_look import look_again, told_by
from contract.order_question import OrderQuestion
from contract.records import ProposalRecord
from models.asked_orders import question_of
from models.bundle import DEMO_BUNDLE
from models.manifest import MANIFEST_FILE, Manifest
from models.policy.order_graph import ORDER_FILE, OrderGraph, shipped_orders

DAY_MS = 86_400_000
WEEK = [1.0, 2.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0]
SHA256 = hashlib.sha256(ORDER_FILE.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def graph() -> OrderGraph:
    return shipped_orders()


@pytest.fixture
def centre() -> Iterator[Bench]:
    with bench(SQLITE) as made:
        made.put_supply()
        yield made


def asked(graph: OrderGraph, number: int = 1, **more: Any) -> ProposalRecord:
    """As an honest gateway tells it, with three left."""
    question = OrderQuestion(
        lead_quantiles=[[0.0] * 9] * 3 + [WEEK], lead_mean_units=[0.0, 0.0, 0.0, 5.0], cover_quantiles=WEEK,
        cover_mean_units=5.0, on_hand_units=[0.0, 0.0, 0.0, 0.0, 0.0, 3.0], arriving_units=[0.0] * 4,
        arriving_bucket=[5.0] * 4, pack_units=12.0, odds=19.0,
    )  # fmt: skip
    order = graph.orders(question_of([question]))
    target = 3 + float(order.target_units[0]) - float(order.level_units[0])
    told = {"question": question, "order_graph": SHA256, "target_units": round(target, 3)}
    return proposal(number, units=int(order.order_units[0]), **{**told, **more})


def triggers(centre: Bench) -> list[tuple[Any, ...]]:
    return centre.rows("SELECT sku, state, doubt FROM triggers ORDER BY sku")


def test_an_order_that_comes_out_again_is_sent_by_itself(centre: Bench, graph: OrderGraph) -> None:
    honest = asked(graph)
    assert honest.quantity_units == 12
    centre.send([honest])
    assert triggers(centre) == [("sku-1", "approved", "")]
    assert centre.centre.counters["orders_in_doubt"] == 0


@pytest.mark.parametrize(
    ("lie", "word"),
    [
        ({"quantity_units": 60}, "the order graph computed again says 12, the gateway said 60"),
        ({"target_units": 90.0}, "the gateway said 90.00"),
        ({"on_hand_units": 0}, "asked with 3 units on hand, the gateway said 0"),
        ({"order_graph": "0" * 64}, "is not kept here"),
        ({"question": None, "cumulative_quantiles": WEEK}, "target computed from the quantiles is 11.00"),
    ],
)
def test_an_order_that_does_not_come_out_again_waits_for_a_person_and_its_evidence_says_so(
    centre: Bench, graph: OrderGraph, lie: dict[str, Any], word: str
) -> None:
    centre.send([asked(graph, 1, **lie), asked(graph, 2, seq=2)])
    (_, state, doubt), (_, other, _) = triggers(centre)
    assert (state, other) == ("proposed", "approved")
    assert word in doubt
    assert centre.centre.counters["orders_in_doubt"] == 1
    with centre.ledger.read.connect() as connection:
        rows = centre.rows("SELECT trigger_id FROM triggers ORDER BY sku")
        found = [restock_views.evidence_row(connection, str(row[0])) for row in rows]
    evidences = [evidence_of("t", row) for row in found if row is not None]
    assert [evidence.agrees for evidence in evidences] == [False, True]
    assert word in evidences[0].note


def test_the_next_proposal_that_comes_out_again_sends_the_order(centre: Bench, graph: OrderGraph) -> None:
    centre.send([asked(graph, quantity_units=60)])
    centre.send([asked(graph, seq=2)])
    assert triggers(centre) == [("sku-1", "approved", "")]


def test_a_bad_question_spoils_its_own_proposal_alone(graph: OrderGraph) -> None:
    honest = asked(graph)
    assert honest.question is not None
    falling = honest.question.model_copy(update={"cover_quantiles": list(reversed(WEEK))})
    bad = honest.model_copy(update={"question": falling})
    notes = look_again([told_by(honest), told_by(bad), told_by(honest)], lambda _sha256: graph)
    assert (notes[0], notes[2]) == ("", "")
    assert "cannot be computed" in notes[1]


def test_nothing_is_computed_for_orders_that_a_person_decides_anyway(
    centre: Bench, graph: OrderGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(centre.centre.memory.graphs, "graph", lambda *_: pytest.fail("asked"))
    centre.send([asked(graph, doubt="a cell is silent")])
    assert triggers(centre)[0][1] == "proposed"


def test_old_forecasts_and_models_that_drift_make_an_order_wait(centre: Bench, graph: OrderGraph) -> None:
    centre.send([forecast(1), forecast(2, seq=2, first_day="2017-08-20")])
    assert centre.centre.clock.now_ms() == START_MS
    centre.send([asked(graph, 1, seq=3), asked(graph, 2, seq=4)])
    (_, fresh, _), (_, stale, doubt) = triggers(centre)
    assert (fresh, stale) == ("approved", "proposed")
    assert "its newest forecast is" in doubt
    centre.send([alert("model-drift", "models", seq=5, text="levels are off by 0.09")])
    centre.send([asked(graph, 3, seq=6)])
    assert triggers(centre)[2][1:] == ("proposed", "the models drift: levels are off by 0.09")
    centre.send([alert("model-drift", "models", seq=7, cleared=True)])
    centre.send([asked(graph, 4, seq=8)])
    assert triggers(centre)[3][1] == "approved"


def test_a_bundle_without_the_graph_is_read_once_a_minute() -> None:
    read: list[str] = []
    graphs = KeptGraphs()

    def files_of(name: str) -> list[str]:
        read.append(name)
        return []

    for now_ms in (0, 1, LOOK_AGAIN_MS - 1, LOOK_AGAIN_MS):
        assert graphs.graph("0" * 64, "own@1", files_of, now_ms) is None
    assert read == ["own@1", "own@1"]
    assert graphs.graph(SHA256, "own@1", files_of, 0) is not None


@pytest.mark.parametrize(("limit_more", "state"), [(0, "approved"), (-1, "proposed")])
def test_models_that_know_only_days_of_long_ago_make_an_order_wait(
    centre: Bench, graph: OrderGraph, limit_more: int, state: str
) -> None:
    manifest = Manifest.from_json((DEMO_BUNDLE / MANIFEST_FILE).read_bytes())
    name, last_day = f"{manifest.name}@{manifest.version}", date.fromisoformat(manifest.training.last_day)
    assert (trained_to(name), trained_to("unknown@1")) == (last_day, None)
    limit = (date(2017, 9, 4) - last_day).days + limit_more  # START_MS is that day
    centre.centre.settings = centre.settings.model_copy(update={"stale_bundle_days": limit})
    centre.send([asked(graph).model_copy(update={"bundle": name})])
    [(_, found, doubt)] = triggers(centre)
    assert found == state
    assert (doubt == "") is (state == "approved")
    assert state == "approved" or f"know the days until {last_day} only, {limit + 1} days ago" in doubt

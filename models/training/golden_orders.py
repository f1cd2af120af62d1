"""The order graph of a bundle under construction, and its golden examples: questions that meet every reason."""

from contract.order_question import OrderQuestion
from models.arrays import F32
from models.asked_orders import question_of
from models.golden import GoldenOrders
from models.policy.order_graph import ORDER_FILE, OrderGraph

_QUICK = [3.0, 5.0, 8.0, 12.0, 16.0, 20.0, 23.0, 26.0, 30.0]
_SLOW = [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0]
_NONE = [0.0] * 9


def order_graph_file() -> bytes:
    """The order graph that comes with the package. Raises OSError when its file is missing."""
    return ORDER_FILE.read_bytes()


def golden_orders(graph: OrderGraph) -> GoldenOrders:
    questions = _questions()
    found = graph.orders(question_of(questions))
    return GoldenOrders(
        questions=questions,
        order_units=found.order_units.tolist(),
        target_units=_floats(found.target_units),
        level_units=_floats(found.level_units),
        stock_out_units=_floats(found.stock_out_units),
        waste_units=_floats(found.waste_units),
        reasons=found.reasons.tolist(),
    )


def _floats(values: F32) -> list[float]:
    return [float(f"{value:.7g}") for value in values]


def _questions() -> list[OrderQuestion]:
    """Covered, target, earlier orders, presentation, minimum, life, room, fixed cost, unknown stock, closed, owed, slow."""
    plain: dict[str, object] = {
        "lead_quantiles": [_NONE, _NONE, _NONE, _QUICK], "lead_mean_units": [0.0, 0.0, 0.0, 12.6],
        "cover_quantiles": _QUICK, "cover_mean_units": 12.6, "on_hand_units": [0.0, 0.0, 0.0, 0.0, 0.0, 14.0],
        "arriving_units": [0.0] * 4, "arriving_bucket": [5.0] * 4, "pack_units": 6.0, "lead_periods": 1.0, "odds": 19.0,
    }  # fmt: skip
    changes: list[dict[str, object]] = [
        {"on_hand_units": [0.0, 0.0, 0.0, 0.0, 0.0, 80.0]},
        {},
        {
            "lead_quantiles": [_NONE, _SLOW, _SLOW, _QUICK], "lead_mean_units": [0.0, 1.1, 1.1, 12.6],
            "arriving_units": [0.0, 6.0, 12.0, 0.0],
        },
        {"presentation_units": 40.0},
        {"cover_quantiles": _SLOW, "cover_mean_units": 1.1, "lead_quantiles": [_NONE] * 4, "lead_mean_units": [0.0] * 4,
         "on_hand_units": [0.0, 0.0, 0.0, 0.0, 0.0, 1.0], "pack_units": 1.0, "min_order_units": 4.0, "lead_periods": 0.0},
        {"on_hand_units": [0.0, 3.0, 0.0, 2.0, 4.0, 3.0], "life_units": 21.0, "life_periods": 2.0, "waste_price": 3.0,
         "arriving_bucket": [4.0, 4.0, 4.0, 5.0]},
        {"max_stock_units": 27.0},
        {"lot_units": 40.0, "on_hand_units": [0.0, 0.0, 0.0, 0.0, 0.0, 34.0]},
        {"on_hand_units": [None] * 6},
        {"open_today": 0.0},
        {"on_hand_units": [0.0, 0.0, 0.0, 0.0, 0.0, -5.0], "lifo": 1.0, "odds": 99.0},
        {"cover_quantiles": _NONE, "cover_mean_units": 0.0, "on_hand_units": [0.0] * 6},
    ]  # fmt: skip
    return [OrderQuestion.model_validate({**plain, **change}) for change in changes]

"""The order graph: models.policy.daily drawn node by node, with the network's weights inside."""

from collections.abc import Iterable, Sequence

import numpy as np

from contract.records import QUANTILE_LEVELS
from models.base_stock import SHELF_LIFE_ROUNDING
from models.policy.daily import LEAST_STRETCH, MOST_STRETCH, Reason, slice_weights
from models.policy.features import IDLE_UNITS, LEAST_SPREAD_UNITS, MOST_PEAK_SPREADS
from models.policy.network import PolicyNetwork
from models.policy.order_graph import ORDER_INPUTS, ORDER_OUTPUTS
from models.policy.packs import LEAST_RISK, LEAST_SLACK_UNITS, LOGISTIC, ROUND_UP_FROM, UNIT_ROUND_UP_FROM
from models.policy.projection import PATHS, path_slices
from models.policy.question import BUCKETS, KEEPS, STRETCHES
from models.training.graphs import Drawing
from models.training.policy_graph import drawn_network


def order_graph(network: PolicyNetwork) -> bytes:
    """Inputs: the fields of Question; outputs: ORDER_OUTPUTS, (n,) each."""
    return _OrderDrawing(network).drawn()


class _OrderDrawing(Drawing):
    def __init__(self, network: PolicyNetwork) -> None:
        super().__init__()
        self._network = network
        self._weights = self.constant(slice_weights())

    def drawn(self) -> bytes:
        add, sub, mul, op = self._add, self._sub, self._mul, self.op
        unknown = op("Cast", op("IsNaN", "on_hand_units"), to_type=1)
        known = op("Less", self._sum(unknown), self.constant(0.5))
        hand_now = op("Where", op("IsNaN", "on_hand_units"), self.constant(0.0), "on_hand_units")
        in_hand = self._sum(hand_now)
        position = add(in_hand, self._sum("arriving_units"))
        hand, lost, expired = self._on_the_way(hand_now, op("Min", in_hand, self.constant(0.0)))
        level = op("Sum", *hand)
        covered = self._slices("cover_quantiles", "cover_mean_units")
        table, mean, spread, mean_level = self._features(covered, level, lost, expired, hand[STRETCHES])
        spreads, lots, room = drawn_network(self, self._network, table)
        reach = add(spreads, mul(self.column(table, 0), self.constant(0.5)))
        learned = add(add(mul(mean, self._lot_periods(mean)[0]), mul(spread, reach)), mul("lot_units", lots))
        asked = op("Greater", "presentation_units", self.constant(0.0))
        shown = op("Where", asked, add(mean, "presentation_units"), self.constant(0.0))
        op("Max", learned, shown, self.constant(0.0), to="target_units")
        op("Identity", mean_level, to="level_units")
        missing = sub("target_units", mean_level)
        pays = op("Greater", missing, mul("lot_units", op("Softplus", room)))
        packs = op("Ceil", sub(op("Div", "min_order_units", "pack_units"), self.constant(1e-4)))
        least = mul(op("Max", packs, self.constant(1.0)), "pack_units")
        whole = self._whole_packs(missing, least, level, covered)
        wanted = op("Where", pays, whole, self.constant(0.0))
        by_life = self._packs_within("life_units", position, SHELF_LIFE_ROUNDING)
        by_room = self._packs_within("max_stock_units", position, 1e-4)
        cap = op("Max", op("Min", by_life, by_room), self.constant(0.0))
        order = op("Min", wanted, cap)
        is_open = op("Greater", "open_today", self.constant(0.5))
        may = op("And", op("And", known, is_open), op("GreaterOrEqual", order, "min_order_units"))
        op("Where", may, order, self.constant(0.0), to="order_units")
        self._after(level, covered, lost, expired)
        self._reasons(
            known, is_open, missing, pays, wanted, cap, by_life, by_room, op("Greater", shown, learned)
        )
        shapes: dict[str, Sequence[int | str]] = {name: ["n"] for name in ORDER_INPUTS}
        shapes["lead_quantiles"] = ["n", STRETCHES, len(QUANTILE_LEVELS)]
        shapes["cover_quantiles"] = ["n", len(QUANTILE_LEVELS)]
        shapes["on_hand_units"] = ["n", BUCKETS]
        for name in ("lead_mean_units", "arriving_units", "arriving_bucket"):
            shapes[name] = ["n", STRETCHES]
        return self.model("order", shapes, ORDER_OUTPUTS)

    def op(self, kind: str, *inputs: str, to: str | None = None, to_type: int = 0, **attributes: int) -> str:
        """`to` names the value here, so that Cast's own attribute of that name is given as to_type."""
        name = super().op(kind, *inputs, to=to, **attributes)
        if to_type:
            from onnx import helper  # noqa: PLC0415

            self.nodes[-1].attribute.append(helper.make_attribute("to", to_type))
        return name

    def column(self, table: str, place: int) -> str:
        return self.op("Gather", table, self.constant(place, np.int64), axis=1)

    def _add(self, a: str, b: str) -> str:
        return self.op("Add", a, b)

    def _sub(self, a: str, b: str) -> str:
        return self.op("Sub", a, b)

    def _mul(self, a: str, b: str) -> str:
        return self.op("Mul", a, b)

    def _div(self, a: str, b: str) -> str:
        return self.op("Div", a, b)

    def _both(self, a: str, b: str) -> str:
        return self.op("And", a, b)

    def _sum(self, table: str) -> str:
        return self.op("ReduceSum", table, self.constant([1], np.int64), keepdims=0)

    def _mean(self, table: str, keep: int = 0) -> str:
        total = self.op("ReduceSum", table, self.constant([1], np.int64), keepdims=keep)
        return self._mul(total, self.constant(np.float32(1 / PATHS)))

    def _slices(self, quantiles: str, mean: str) -> str:
        raw = self.op("Max", self.op("MatMul", quantiles, self._weights), self.constant(0.0))
        found = self._add(self._mean(raw), self.constant(1e-6))
        scale = self.op("Div", self._add(mean, self.constant(1e-6)), found)
        scale = self.op("Clip", scale, self.constant(LEAST_STRETCH), self.constant(MOST_STRETCH))
        return self._mul(raw, self.as_column(scale))

    def _on_the_way(self, hand_now: str, owed: str) -> tuple[list[str], str, str]:
        zero = self.constant(0.0)
        short = self.op("Where", self.op("Less", owed, zero), zero, self.constant(1.0))
        paths = self.constant(np.zeros((1, PATHS), np.float32))
        positive = self.op("Max", hand_now, zero)
        hand = [
            self._add(self.as_column(self._mul(self.column(positive, bucket), short)), paths)
            for bucket in range(BUCKETS)
        ]
        lost = expired = self._mul(hand[0], zero)
        fresh_first = self.op("Greater", self.as_column("lifo"), self.constant(0.5))
        for stretch in range(STRETCHES):
            slices = self._slices(
                self._of_stretch("lead_quantiles", stretch), self.column("lead_mean_units", stretch)
            )
            wanted = self.op("Gather", slices, self.constant(path_slices()[:, stretch], np.int64), axis=1)
            oldest, unserved = self._served(hand, wanted, range(BUCKETS))
            freshest, unserved_fresh = self._served(hand, wanted, reversed(range(BUCKETS)))
            hand = [
                self.op("Where", fresh_first, late, early)
                for late, early in zip(freshest, oldest, strict=True)
            ]
            lost = self._add(lost, self.op("Where", fresh_first, unserved_fresh, unserved))
            expired = self._add(expired, hand[stretch])
            hand[stretch] = self._mul(hand[stretch], zero)
            bucket_of = self.column("arriving_bucket", stretch)
            for bucket in range(BUCKETS):
                away = self.op("Abs", self._sub(bucket_of, self.constant(float(bucket))))
                there = self.op("Less", away, self.constant(0.5))
                units = self.op("Where", there, self.column("arriving_units", stretch), zero)
                hand[bucket] = self._add(hand[bucket], self.as_column(units))
        hand[KEEPS] = self._add(hand[KEEPS], self.as_column(owed))
        return hand, lost, expired

    def _of_stretch(self, table: str, stretch: int) -> str:
        return self.op("Gather", table, self.constant(stretch, np.int64), axis=1)

    def _served(self, hand: list[str], wanted: str, order: Iterable[int]) -> tuple[list[str], str]:
        left = list(hand)
        for bucket in order:
            taken = self.op("Min", left[bucket], wanted)
            left[bucket] = self._sub(left[bucket], taken)
            wanted = self._sub(wanted, taken)
        return left, wanted

    def _features(
        self, covered: str, level: str, lost: str, expired: str, last: str
    ) -> tuple[str, str, str, str]:
        op, sub, mul, div = self.op, self._sub, self._mul, self._div
        one = self.constant(1.0)
        mean = op("Max", self._mean(covered), self.constant(1e-3))
        apart = sub(covered, self._mean(covered, keep=1))
        square = mul(apart, apart)
        spread = op("Max", op("Sqrt", self._mean(square)), self.constant(LEAST_SPREAD_UNITS))
        cube = mul(spread, mul(spread, spread))
        skewness = div(self._mean(mul(square, apart)), cube)
        mean_level = self._mean(level)
        off = sub(level, self._mean(level, keep=1))
        level_spread = op("Sqrt", self._mean(mul(off, off)))
        aged = op("Cast", op("Greater", "life_periods", self.constant(0.0)), to_type=1)
        lead = self._add("lead_periods", one)
        empty = op("Cast", op("Less", level, self.constant(0.5)), to_type=1)
        columns = (
            op("Log", op("Clip", "odds", self.constant(1e-3), self.constant(1e4))),
            op("Log", div(spread, mean)),
            op("Clip", skewness, self.constant(-3.0), self.constant(6.0)),
            op("Log", lead),
            op("Log", self._add(one, div("lot_units", spread))),
            op("Log", self._add(one, div("lot_units", mean))),
            self._lot_periods(mean)[1],
            div(aged, op("Max", "life_periods", one)),
            mul(aged, op("Log", self._add("waste_price", one))),
            mul(aged, "lifo"),
            self._add(mul(aged, self.constant(0.0)), one),
            op("Min", div(one, spread), self.constant(4.0)),
            op(
                "Clip",
                div(sub(self.column(covered, PATHS - 1), mean), spread),
                self.constant(0.0),
                self.constant(MOST_PEAK_SPREADS),
            ),
            self._mean(op("Cast", op("Less", covered, self.constant(IDLE_UNITS)), to_type=1)),
            mul(op("Tanh", div(sub(mean_level, mean), mul(spread, self.constant(4.0)))), self.constant(2.0)),
            div(level_spread, mul(spread, op("Sqrt", lead))),
            self._mean(empty),
            div(div(self._mean(lost), mean), lead),
            div(div(self._mean(expired), mean), lead),
            div(mul(aged, self._mean(last)), op("Max", mean_level, self.constant(0.5))),
        )
        table = op("Concat", *(self.as_column(column) for column in columns), axis=1)
        return table, mean, spread, mean_level

    def _lot_periods(self, mean: str) -> tuple[str, str]:
        """As models.policy.features.lot_periods."""
        ratio = self.op("Div", "lot_units", mean)
        root = self.op(
            "Sqrt", self._add(self._mul(self._mul(ratio, ratio), self.constant(4.0)), self.constant(1.0))
        )
        exact = self._mul(self._sub(root, self.constant(1.0)), self.constant(0.5))
        whole = self.op("Max", self.op("Ceil", self._sub(exact, self.constant(1e-4))), self.constant(1.0))
        return whole, self._sub(whole, exact)

    def _packs_within(self, limit: str, position: str, rounding: float) -> str:
        packs = self._add(self.op("Div", self._sub(limit, position), "pack_units"), self.constant(rounding))
        return self._mul(self.op("Floor", packs), "pack_units")

    def _whole_packs(self, missing: str, least: str, level: str, covered: str) -> str:
        """As models.policy.packs."""
        op, add, sub, mul, div = self.op, self._add, self._sub, self._mul, self._div
        zero = self.constant(0.0)
        begun = op("GreaterOrEqual", missing, least)
        packs = op("Floor", div(op("Max", sub(missing, least), zero), "pack_units"))
        base = op("Where", begun, add(least, mul(packs, "pack_units")), zero)
        step = op("Where", begun, "pack_units", least)
        slack = sub(
            level, op("Gather", covered, self.constant(path_slices()[:, STRETCHES], np.int64), axis=1)
        )
        mean = self._mean(slack)
        off = sub(slack, self._mean(slack, keep=1))
        spread = op("Max", op("Sqrt", self._mean(mul(off, off))), self.constant(LEAST_SLACK_UNITS))
        steep = div(self.constant(LOGISTIC), spread)
        low = add(base, mean)
        above, below = op("Softplus", mul(steep, add(low, step))), op("Softplus", mul(steep, low))
        at_target = sub(op("Sigmoid", mul(steep, add(missing, mean))), self.constant(LEAST_RISK))
        risk = op("LessOrEqual", sub(above, below), mul(mul(at_target, steep), step))
        over = sub(missing, base)
        some = op("GreaterOrEqual", over, mul(step, self.constant(ROUND_UP_FROM)))
        half = op("GreaterOrEqual", over, self.constant(UNIT_ROUND_UP_FROM))
        large = op("Greater", step, self.constant(1.0))
        up = op("Or", self._both(large, self._both(risk, some)), self._both(op("Not", large), half))
        order = op("Where", up, add(base, step), base)
        return op("Where", op("Greater", missing, zero), order, zero)

    def _after(self, level: str, covered: str, lost: str, expired: str) -> None:
        op, zero = self.op, self.constant(0.0)
        demand = op("Gather", covered, self.constant(path_slices()[:, STRETCHES], np.int64), axis=1)
        ordered = self.as_column("order_units")
        there = self._add(level, ordered)
        unmet = self._mean(op("Max", self._sub(demand, there), zero))
        op("Add", self._mean(lost), unmet, to="stock_out_units")
        mean = op("Max", self._mean(covered, keep=1), self.constant(1e-3))
        life = self.as_column("life_units")
        wide = self._mul(self._sub(demand, mean), op("Sqrt", op("Div", life, mean)))
        within = op("Max", self._add(life, wide), zero)
        old = self._mean(op("Min", op("Max", self._sub(there, within), zero), ordered))
        old = op("Where", op("Greater", "life_periods", zero), old, zero)
        op("Add", self._mean(expired), old, to="waste_units")

    def _reasons(
        self,
        known: str,
        is_open: str,
        missing: str,
        pays: str,
        wanted: str,
        cap: str,
        by_life: str,
        by_room: str,
        shown: str,
    ) -> None:
        op, both, zero = self.op, self._both, self.constant(0.0)
        some, short = op("Greater", wanted, zero), op("Greater", missing, zero)
        cut = op("Greater", wanted, cap)
        flags = {
            Reason.TARGET: some,
            Reason.COVERED: both(op("Not", some), op("Or", op("Not", short), pays)),
            Reason.LOT: both(short, op("Not", pays)),
            Reason.PRESENTATION: both(shown, some),
            Reason.PACK: both(some, op("Greater", "pack_units", self.constant(1.0))),
            Reason.MIN_ORDER: both(some, op("Greater", "min_order_units", missing)),
            Reason.SHELF_LIFE: both(cut, op("Less", by_life, by_room)),
            Reason.CAPACITY: both(cut, op("LessOrEqual", by_room, by_life)),
        }
        parts = [op("Where", flag, self.constant(float(reason)), zero) for reason, flag in flags.items()]
        bits = op("Where", is_open, op("Sum", *parts), self.constant(float(Reason.CLOSED_TODAY)))
        op("Where", known, bits, self.constant(float(Reason.STOCK_UNKNOWN)), to="reasons")

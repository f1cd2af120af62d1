"""Orders, notes and the dock's scans of the same loads in any order: stock and on-order together are what the loads are."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from central_rows import START_MS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_ledger import STORE, Bench

from central import arrivals, deliveries
from contract.api.deliveries import DeliveryNote
from contract.api.restock import OutsideOrder
from contract.documents import DeliveriesDocument
from contract.records import StockFactKind
from edge.core.messages import DocumentArrived

sys.path.append(str(Path(__file__).parents[1] / "edge"))
from edge_shop import Shop
from edge_shop import gtin as edge_gtin

LOADS = 3
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "note", "scan", "gateway", "centre"]), st.integers(0, LOADS - 1), st.integers(1, 30)
    ),
    min_size=1, max_size=14,
)  # fmt: skip
STOCK = 15


class Chain:
    """A gateway's core and a centre's ledger, with a line between them that carries something only when told."""

    def __init__(self, folder: Path) -> None:
        self.centre, self.shop = Bench(folder), Shop().opened(units=STOCK)
        self.centre.put_supply()
        self.told, self.seq = len(self.facts()), 0
        self.ordered: dict[int, int] = {}
        self.noted: dict[int, int] = {}
        self.scanned: dict[int, list[int]] = {}

    def facts(self) -> list[Any]:
        found: list[Any] = self.shop.facts(StockFactKind.DELIVERY)
        return found

    def order(self, load: int, units: int) -> None:
        if load in self.ordered:
            return
        self.ordered[load] = units
        made = OutsideOrder(
            order=f"PO-{load}", store=STORE, sku="sku-1", quantity_units=units, at_ms=START_MS, despatch=f"D-{load}"
        )  # fmt: skip
        self.centre.run(lambda work: arrivals.place_outside_order(work, made))

    def note(self, load: int, units: int) -> None:
        self.noted.setdefault(load, units)
        line = {"sku": "sku-1", "quantity_units": self.noted[load]}
        made = DeliveryNote.model_validate(
            {"note": f"N-{load}", "store": STORE, "at_ms": START_MS, "despatch": f"D-{load}", "lines": [line]}
        )
        self.centre.run(lambda work: deliveries.take_note(work, made, "the erp"))

    def scan(self, load: int, units: int) -> None:
        self.scanned.setdefault(load, []).append(units)
        lines = [{"gtin": edge_gtin(1), "quantity_units": units, "expected_units": units}]
        self.shop.batch(self.shop.event("dock", "delivery", despatch=f"D-{load}", lines=lines))

    def gateway(self, _load: int, _units: int) -> None:
        """What the centre has for the gateway arrives there."""
        found = self.centre.rows("SELECT body FROM documents WHERE kind = 'deliveries'")
        if found:
            self.shop.batch(DocumentArrived(DeliveriesDocument.from_json(str(found[0][0]))))

    def centre_hears(self) -> None:
        """What the gateway has for the centre arrives there."""
        rows = [
            fact.model_copy(update={"seq": self.seq + place}) for place, fact in enumerate(self.facts()[self.told :], 1)
        ]  # fmt: skip
        self.told, self.seq = self.told + len(rows), self.seq + len(rows)
        if rows:
            self.centre.send(rows)

    def position(self) -> int:
        on_order: int = self.centre.run(lambda work: work.store.on_order("sku-1"))
        return int(self.shop.core.state.level("sku-1").on_hand_units) + on_order

    def expected(self) -> int:
        loads = set(self.ordered) | set(self.noted) | set(self.scanned)
        return STOCK + sum(
            sum(self.scanned[load]) if load in self.scanned
            else self.noted[load] if load in self.noted
            else self.ordered[load]
            for load in loads
        )  # fmt: skip


@given(steps=STEPS)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_what_is_ordered_noted_and_scanned_is_in_the_position_once(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder))
        try:
            for what, load, units in [*steps, ("centre", 0, 0), ("gateway", 0, 0), ("centre", 0, 0)]:
                if what == "centre":
                    chain.centre_hears()
                    assert chain.position() == chain.expected()
                else:
                    getattr(chain, what)(load, units)
            assert chain.centre.run(lambda work: work.store.on_order("sku-1")) == sum(
                units for load, units in chain.ordered.items() if load not in chain.noted and load not in chain.scanned
            )  # fmt: skip
            chain.centre.centre.memory.forget()
            assert chain.position() == chain.expected()
        finally:
            chain.centre.ledger.close()


def test_an_order_that_is_told_after_its_note_adds_nothing(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.note(0, 10)
    chain.order(0, 24)
    assert chain.position() == STOCK + 10
    chain.centre.ledger.close()

"""When a step is over, and what is carried between the outside and the shops."""

from collections.abc import Mapping
from typing import Any

import pytest

from simulator.orchestrator.courier import Courier
from simulator.orchestrator.quiet import Quiet, StageGroup, StuckError
from simulator.orchestrator.stages import ProcessStage


class Countdown:
    """Busy for `looks` looks; `then` may make another stage busy again when it becomes quiet."""

    def __init__(self, name: str, looks: int, wakes: "Countdown | None" = None) -> None:
        self.name, self.looks, self._wakes = name, looks, wakes
        self.asked = 0

    def busy(self, until_ms: int) -> str:
        del until_ms
        self.asked += 1
        if self.looks == 0:
            return ""
        self.looks -= 1
        if self.looks == 0 and self._wakes is not None:
            self._wakes.looks, self._wakes = 3, None
        return "work"


def test_quiet_is_a_whole_round_without_work() -> None:
    first = Countdown("first", 2)
    last = Countdown("last", 2, wakes=first)
    seen = Quiet([StageGroup("a", [first]), StageGroup("b", [last])], lambda: None).wait(0)
    assert (first.looks, last.looks) == (0, 0)
    assert list(seen) == ["a", "b"]
    assert first.asked >= 6


def test_a_stage_that_never_becomes_quiet_is_named() -> None:
    with pytest.raises(StuckError, match="slow is not quiet after 0 s: work"):
        Quiet([StageGroup("a", [Countdown("slow", 10**9)])], lambda: None, limit_s=0.05).wait(0)


def test_kills_and_checks_happen_while_waiting() -> None:
    calls: list[int] = []
    Quiet([StageGroup("a", [Countdown("x", 3)])], lambda: calls.append(1)).wait(0)
    assert len(calls) >= 3


class FixedStatus:
    def __init__(self, answers: Mapping[str, dict[str, Any] | None]) -> None:
        self.name, self.answers = "system", dict(answers)

    def get(self, path: str = "/status") -> dict[str, Any] | None:
        return self.answers.get(path)


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (None, "does not answer"),
        ({"backlog": 3, "now_ms": 10}, "backlog 3"),
        ({"backlog": 0, "now_ms": 4}, "6 ms behind"),
        ({"backlog": 0, "now_ms": 10}, ""),
    ],
)
def test_a_process_is_quiet_when_it_has_done_all_up_to_the_steps_time(
    status: dict[str, Any] | None, what: str
) -> None:
    stage = ProcessStage(FixedStatus({"/status": status}), ticks=True)  # type: ignore[arg-type]
    assert what in stage.busy(10)
    assert bool(stage.busy(10)) == bool(what)


def lorry(n: int) -> dict[str, Any]:
    return {
        "n": n, "despatch": f"D-{n}", "store": "shop-1", "gtin": "g", "quantity_units": 3, "expected_units": 4, "arrive_ms": 9,
    }  # fmt: skip


def test_a_parcel_is_handed_over_once_and_waits_while_its_system_is_down() -> None:
    replenisher = FixedStatus({"/despatches?after=0": None})
    app = FixedStatus({"/wallet?after=0": {"rows": []}})
    courier = Courier(replenisher, app, ["shop-1", "shop-2"])  # type: ignore[arg-type]
    courier.fetch()
    assert courier.parcel("shop-1") == {"despatches": [], "coupons": []}
    replenisher.answers = {
        "/despatches?after=0": {"rows": [lorry(1), lorry(2)]},
        "/despatches?after=2": {"rows": []},
    }
    courier.fetch()
    courier.fetch()
    assert [row["despatch"] for row in courier.parcel("shop-1")["despatches"]] == ["D-1", "D-2"]
    assert courier.parcel("shop-1")["despatches"] == []
    assert courier.parcel("shop-2")["despatches"] == []
    assert len(courier.despatched) == 2

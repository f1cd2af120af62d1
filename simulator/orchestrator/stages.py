"""The stages whose quiet a step waits for: devices by their shop's pipe, processes by their status page."""

from collections.abc import Callable

from simulator.orchestrator.shop_link import ShopLink
from simulator.orchestrator.status_client import StatusClient


class DevicesStage:
    """A shop's tills, shelves, labels and dock. on_pending: hears how much is unacknowledged at each look."""

    def __init__(self, link: ShopLink, on_pending: Callable[[int], None]) -> None:
        self.name = f"devices of {link.shop}"
        self._link, self._on_pending = link, on_pending

    def busy(self, until_ms: int) -> str:
        del until_ms
        answer = self._link.ask({"cmd": "pending"})
        pending = int(answer["pending"])
        self._on_pending(pending)
        return f"{pending} messages unacknowledged: {answer.get('by_device')}" if pending else ""


class ProcessStage:
    """A process with `backlog` and `now_ms` on its status page. ticks: whether it must have reached the step's time."""

    def __init__(self, client: StatusClient, *, ticks: bool) -> None:
        self.name = client.name
        self._client, self._ticks = client, ticks

    def busy(self, until_ms: int) -> str:
        status = self._client.get()
        if status is None:
            return "does not answer on its status port"
        if status["backlog"]:
            return f"backlog {status['backlog']}"
        if self._ticks and status["now_ms"] < until_ms:
            return f"has not reached the step's time, {until_ms - status['now_ms']} ms behind"
        return ""

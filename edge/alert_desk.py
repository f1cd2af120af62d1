"""The open alerts for a page of the shop, and a person's note of one."""

import queue
from typing import TYPE_CHECKING

from edge.core.alerts import MAX_WHO_CHARS, OpenAlert
from edge.core.messages import AlertNoted
from edge.core.step import EdgeCore

if TYPE_CHECKING:
    from edge.uplink import FromUplink


class AlertDesk:
    """For threads beside the loop's: reading is safe, and what changes something goes through the loop's queue."""

    def __init__(self, core: EdgeCore, inbox: "queue.Queue[FromUplink]") -> None:
        self._core, self._inbox = core, inbox

    def open_alerts(self) -> list[OpenAlert]:
        """Those that nobody noted first, then the loudest, then the oldest."""
        return self._core.state.alerts.open_alerts()

    def acknowledge(self, code: str, subject: str, who: str) -> bool:
        """Notes an open alert under the name `who`; False when it is not open or the gateway is too busy to take it now.

        Raises ValueError when the name is empty or too long.
        """
        name = who.strip()
        if not 1 <= len(name) <= MAX_WHO_CHARS or not name.isprintable():
            raise ValueError(f"who must be 1 to {MAX_WHO_CHARS} printable characters")
        if not self._core.state.alerts.is_open(code, subject):
            return False
        try:
            self._inbox.put_nowait(AlertNoted(code, subject, name))
        except queue.Full:
            return False
        return True

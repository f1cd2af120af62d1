"""What every page needs: the door to the centre, the clock, what waits to be sent."""

from dataclasses import dataclass

from hq.central_api import CentralApi
from hq.decisions import Decisions
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Desk:
    """refresh_s: between two looks of a page at the centre."""

    central: CentralApi
    decisions: Decisions
    clock: Clock
    refresh_s: float

"""What every page needs: the door to the centre, the clock, what waits to be sent."""

from dataclasses import dataclass

from contract.api.people import Me
from hq.central_api import CentralApi
from hq.decisions import Decisions
from hq.login import People, current_token
from runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Desk:
    """own: the centre with HQ's own token. people: where people log in; then each acts with a session of their own.

    refresh_s: between two looks of a page at the centre.
    """

    own: CentralApi
    decisions: Decisions
    clock: Clock
    refresh_s: float
    people: People | None = None

    @property
    def central(self) -> CentralApi:
        """The centre as who looks at the page sees it. Ask for it in the page's own handlers, not later."""
        return self.own if self.people is None else self.people.central_of(current_token())

    @property
    def me(self) -> Me | None:
        """Who looks at the page; None where nobody logs in."""
        return None if self.people is None else self.people.known_me(current_token())

"""Who calls and how far that goes: scopes say which routes, the reach says which stores' rows."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from central.errors import ForbiddenError, NotFoundError


class Scope(StrEnum):
    GATEWAY = "gateway"
    SYSTEM = "system"
    HQ = "hq"
    REGION = "region"
    STORE = "store"
    MEMBER_APP = "member-app"
    ADMIN = "admin"


SCOPE_BY_ROLE = {
    "store": Scope.STORE,
    "region": Scope.REGION,
    "hq": Scope.HQ,
    "replenishment": Scope.SYSTEM,
    "member-app": Scope.MEMBER_APP,
    "admin": Scope.ADMIN,
}
"""What a person's role may do: the same as a system's token of that scope."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Some stores by name, and all stores of some regions, those of later days too."""

    stores: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps({"stores": sorted(self.stores), "regions": sorted(self.regions)})

    @classmethod
    def from_json(cls, text: str) -> "Reach":
        values = json.loads(text)
        return cls(tuple(values["stores"]), tuple(values["regions"]))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. gateway, store: of a gateway's key only. stores: whose rows it may see, and reach: what they follow from;
    None is the whole chain.

    is_person: logged in; the audit then keeps this name, whatever the request says.
    """

    scope: Scope
    name: str
    gateway: str = ""
    store: str = ""
    stores: frozenset[str] | None = None
    reach: Reach | None = None
    is_person: bool = False
    expires_ms: int | None = None

    def require(self, *scopes: Scope) -> None:
        """Raises ForbiddenError unless the scope is one of `scopes`; an admin may all but speak as a gateway."""
        if self.scope in scopes or (self.scope is Scope.ADMIN and scopes != (Scope.GATEWAY,)):
            return
        article = "an" if self.scope in (Scope.ADMIN, Scope.HQ) else "a"
        raise ForbiddenError(
            f"this is {article} {self.scope} credential; the route wants {' or '.join(scopes)}: "
            "ask whoever runs the centre for one"
        )

    def require_store(self, store: str) -> None:
        """Raises ForbiddenError when the store is out of reach, whether it exists or not."""
        if not self.reaches(store):
            raise ForbiddenError(
                f"store {store[:48]} is out of this credential's reach; it reaches {self.shown_reach}: "
                "name one of those, or ask whoever runs the centre for more"
            )

    def require_chain(self) -> None:
        """Raises ForbiddenError for a credential of some stores: the route shows or changes the whole chain."""
        if self.stores is not None:
            raise ForbiddenError(
                f"this route is about the whole chain; the credential reaches {self.shown_reach} only: "
                "ask whoever runs the centre for one without --store and --region"
            )

    def require_row(self, store: str, unknown: NotFoundError) -> None:
        """Raises `unknown`, as where the row does not exist, when it is one of a store out of reach."""
        if not self.reaches(store):
            raise unknown

    def reaches(self, store: str) -> bool:
        return self.stores is None or store in self.stores

    def of_reach(self, store: str) -> Collection[str] | None:
        """The stores that a list is made of: the one asked for, or all in reach; None is every store.

        Raises ForbiddenError when the one asked for is out of reach.
        """
        if store:
            self.require_store(store)
            return (store,)
        return self.stores

    @property
    def shown_reach(self) -> str:
        if self.stores is None:
            return "the whole chain"
        shown = ", ".join(sorted(self.stores)[:5]) or "no store yet"
        return shown if len(self.stores) <= 5 else f"{shown} and {len(self.stores) - 5} more"

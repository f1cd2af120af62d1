"""What part of the chain the reader looks at: the chain, a region, or a shop. Lives in the page's address (`?scope=`)."""

from dataclasses import dataclass
from urllib.parse import quote

from contract.api.stores import StoreView


@dataclass(frozen=True, slots=True)
class Scope:
    """kind: "" (the chain), "region" or "store"."""

    kind: str = ""
    name: str = ""

    @classmethod
    def from_text(cls, text: str) -> "Scope":
        """Of `region:North` or `store:s1`; what is neither means the chain."""
        kind, _, name = text.partition(":")
        return cls(kind, name) if kind in ("region", "store") and name else cls()

    @property
    def text(self) -> str:
        return f"{self.kind}:{self.name}" if self.kind else ""

    @property
    def store(self) -> str:
        """The shop for the API's `store=`, "" where it is not one shop."""
        return self.name if self.kind == "store" else ""

    def link(self, path: str) -> str:
        """`path` with this scope kept."""
        return f"{path}?scope={quote(self.text)}" if self.kind else path

    def stores(self, stores: list[StoreView]) -> list[StoreView]:
        if self.kind == "region":
            return [store for store in stores if store.region == self.name]
        if self.kind == "store":
            return [store for store in stores if store.store == self.name]
        return stores


def scope_choices(stores: list[StoreView]) -> dict[str, str]:
    """Text of the scope → what the reader sees."""
    regions = sorted({store.region for store in stores if store.region})
    return (
        {"": "The whole chain"}
        | {f"region:{region}": f"Region {region}" for region in regions}
        | {f"store:{store.store}": store.name for store in sorted(stores, key=lambda store: store.name)}
    )

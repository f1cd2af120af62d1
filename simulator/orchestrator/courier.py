"""Carries between the systems outside and the shops what no wire of ours carries: lorries, and coupons in members' heads."""

from collections.abc import Iterable
from typing import Any

from simulator.orchestrator.status_client import StatusClient


class Courier:
    """Remembers how far it has read. What a system that is down right now has, it fetches the next time."""

    def __init__(self, replenisher: StatusClient, member_app: StatusClient, shops: Iterable[str]) -> None:
        self._replenisher, self._member_app = replenisher, member_app
        self._lorries_read = self._wallets_read = 0
        self._despatches: dict[str, list[dict[str, Any]]] = {shop: [] for shop in shops}
        self._coupons: dict[str, list[dict[str, Any]]] = {shop: [] for shop in shops}
        self.despatched: list[dict[str, Any]] = []
        """Every lorry so far, as the replenishment system told."""
        self.coupons_handed = 0

    def fetch(self) -> None:
        for row in self._new_rows(self._replenisher, f"/despatches?after={self._lorries_read}"):
            self._lorries_read = row["n"]
            self.despatched.append(row)
            line = {name: row[name] for name in ("gtin", "quantity_units", "expected_units")}
            self._despatches[row["store"]].append(
                {"despatch": row["despatch"], "arrive_ms": row["arrive_ms"], "lines": [line]}
            )
        for row in self._new_rows(self._member_app, f"/wallet?after={self._wallets_read}"):
            self._wallets_read = row["n"]
            self.coupons_handed += 1
            names = ("member", "code", "gtin", "discount_cents", "valid_until_ms")
            self._coupons[row["store"]].append({name: row[name] for name in names})

    def parcel(self, shop: str) -> dict[str, list[dict[str, Any]]]:
        """What has come for the shop since the last parcel, as fields of an `advance`."""
        parcel = {"despatches": self._despatches[shop], "coupons": self._coupons[shop]}
        self._despatches[shop], self._coupons[shop] = [], []
        return parcel

    @staticmethod
    def _new_rows(system: StatusClient, path: str) -> list[dict[str, Any]]:
        answer = system.get(path)
        return list(answer["rows"]) if answer else []

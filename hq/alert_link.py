"""Where an alert leads: to its SKU where it is about one, else to the shop's alerts."""

from urllib.parse import quote

from contract.api.stores import AlertView

SKU_CODES = frozenset({"empty-facing", "low-stock", "price-mismatch"})
"""Alerts of a gateway whose subject is a SKU; other subjects are devices, cells, tags or GTINs."""


def alert_link(alert: AlertView) -> str:
    if alert.code in SKU_CODES:
        return f"/shops/{quote(alert.store)}/skus/{quote(alert.subject, safe='')}"
    return f"/fleet?scope=store:{quote(alert.store)}#alerts"

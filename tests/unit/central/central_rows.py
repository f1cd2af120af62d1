"""Rows as a gateway sends them, with defaults that tests change."""

from typing import Any

from contract.devices import ClockQuality, LineKind, Place
from contract.ids import gtin_check_digit
from contract.records import (
    AlertRecord,
    DayCloseRecord,
    ForecastRecord,
    GapRecord,
    HealthRecord,
    ProposalRecord,
    QuarantineRecord,
    ReceiptRecord,
    Severity,
    SkuWindow,
    SoldLine,
    StockFact,
    StockFactKind,
)  # fmt: skip

START_MS = 1_504_526_400_000
DAY = "2017-09-04"


def gtin(number: int) -> str:
    body = f"0952{number:09d}"
    return body + gtin_check_digit(body)


def sale(number: int = 1, units: int = 1, cents: int = 250, **more: Any) -> SoldLine:
    values: dict[str, Any] = {
        "kind": LineKind.SALE, "gtin": gtin(number), "sku": f"sku-{number}", "quantity_units": units,
        "unit_price_cents": cents, "extended_cents": cents * units, **more,
    }  # fmt: skip
    return SoldLine(**values)


def receipt(sequence: int = 1, lines: list[SoldLine] | None = None, **more: Any) -> ReceiptRecord:
    lines = [sale()] if lines is None else lines
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "register_id": "till-1", "business_date": DAY, "sequence": sequence,
        "clock_quality": ClockQuality.SYNCED, "total_cents": sum(line.extended_cents for line in lines),
        "member": None, "lines": lines, **more,
    }  # fmt: skip
    return ReceiptRecord(**values)


def day_close(**more: Any) -> DayCloseRecord:
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "register_id": "till-1", "business_date": DAY, "receipts": 0, "lines": 0,
        "units": 0, "grams": 0, "cents": 0, **more,
    }  # fmt: skip
    return DayCloseRecord(**values)


def level(number: int = 1, on_hand: int | None = 10, **more: Any) -> StockFact:
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "fact": StockFactKind.LEVEL, "sku": f"sku-{number}", "units": on_hand or 0,
        "place": Place.STORE, "on_hand_units": on_hand, **more,
    }  # fmt: skip
    return StockFact(**values)


def delivery(despatch: str, units: int, number: int = 1, **more: Any) -> StockFact:
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "fact": StockFactKind.DELIVERY, "sku": f"sku-{number}", "units": units,
        "place": Place.BACK_ROOM, "expected_units": units, "despatch": despatch, **more,
    }  # fmt: skip
    return StockFact(**values)


def window(number: int = 1, **more: Any) -> SkuWindow:
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "sku": f"sku-{number}", "span_ms": 60_000, "picked_units": 1, "put_back_units": 0,
        "refilled_units": 0, "unresolved_g": 0, "on_hand_units": 9, "on_shelf_units": 9, "stock_out_ms": 0, **more,
    }  # fmt: skip
    return SkuWindow(**values)


def forecast(
    number: int = 1, mean: float = 2.0, high: float = 5.0, days: int = 14, **more: Any
) -> ForecastRecord:
    quantiles = [0.0, 0.0, 1.0, mean, mean, high, high + 1, high + 2, high + 3]
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "sku": f"sku-{number}", "first_day": DAY, "mean": [mean] * days,
        "quantiles": [quantiles] * days, "bundle": "demo@1", **more,
    }  # fmt: skip
    return ForecastRecord(**values)


def proposal(number: int = 1, units: int = 24, **more: Any) -> ProposalRecord:
    """Its quantiles give its target again at the service level, as the centre looks."""
    scale = more.get("target_units", 24.0) / 24.0
    quantiles = [scale * each for each in (2.0, 5.0, 8.0, 12.0, 16.0, 20.0, 24.0, 26.0, 29.0)]
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "sku": f"sku-{number}", "quantity_units": units, "on_hand_units": 3,
        "on_order_units": 0, "cumulative_quantiles": quantiles,
        "window_days": 3, "service_level": 0.95, "pack_units": 12, "min_order_units": 0, "max_stock_units": None,
        "target_units": 24.0, "expected_stock_out_units": 9.5, "reasons": ["ordered up to the target, in whole packs"],
        "doubt": "", "bundle": "demo@1", "watermark_ms": START_MS, **more,
    }  # fmt: skip
    return ProposalRecord(**values)


def alert(code: str = "low-stock", subject: str = "sku-1", **more: Any) -> AlertRecord:
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "code": code, "subject": subject, "severity": Severity.WARNING, "cleared": False,
        "text": "2 left", **more,
    }  # fmt: skip
    return AlertRecord(**values)


def gap(**more: Any) -> GapRecord:
    values: dict[str, Any] = {"seq": 1, "at_ms": START_MS, "what": "windows", "reason": "disk full", **more}
    return GapRecord(**values)


def health(**more: Any) -> HealthRecord:
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "version": "0.1", "bundle": "demo@1", "watermark_ms": START_MS,
        "counters": {"receipts_total": 3}, "devices_online": ["till-1"], "devices_offline": [], **more,
    }  # fmt: skip
    return HealthRecord(**values)


def quarantined(**more: Any) -> QuarantineRecord:
    values: dict[str, Any] = {
        "seq": 1, "at_ms": START_MS, "source": "till-1", "stream": "receipt", "reason": "bad sum", "sample": "{}", **more,
    }  # fmt: skip
    return QuarantineRecord(**values)

"""How the orchestrator drives one shop: JSON lines on the shop process' stdin, one JSON line back for each.

    shelfloop simulate shop --shop FILE.sqlite --dir DIR --broker-port N --seed S [--broker-protocol 5|4]

The process first prints one line `{"ready": true, "now_ms": START, "ports": {"till-2": "/…/ports/till-2", …}}`;
`ports` are the pty paths that the bridge opens (symbolic links in DIR/ports, kept for the process' life).

    {"cmd": "advance", "to_ms": T, "despatches": [{"despatch": "D-1", "arrive_ms": A,
        "lines": [{"gtin": "09521234567899", "quantity_units": 11, "expected_units": 12}]}],
     "coupons": [{"member": "m-1", "code": "ABC-12345-67890", "gtin": "0952…" or null, "discount_cents": 50,
                  "valid_until_ms": V}], "prices": {"SKU": cents}}
        Performs everything in the shop with time <= T and hands it to the devices; waits for nothing. Set the
        shared clock to T (or past it) first: events are stamped with times <= T and must not lie in the future.
        The lists may be left out. A despatch that arrives in the past arrives now. Prices are what the till charges
        for goods that a coupon brought (baskets keep the prices of their receipts).
        -> {"done_ms": T, "pending": n, "receipts": n, "units": n, "lost_sales_units": n, "stock_outs": n, "next_ms": N}
        next_ms: when something next happens in the shop (null: nothing more), so that quiet hours can be skipped over.
    {"cmd": "pending"}  -> {"pending": n, "by_device": {"till-1": n, …}}
        Events that no `stored` covers yet, messages the link has not acknowledged, publishes without PUBACK. 0 is quiescence.
    {"cmd": "report"}   -> see ShopReport below.
    {"cmd": "quit"}     -> {"bye": true}, then the process ends with status 0. End of stdin does the same.

A command that makes no sense is answered with {"error": "what is wrong"} and changes nothing. While idle the process keeps
serving its ptys and its MQTT connections.

Conventions that gateways need: a coupon's redemption is a DISCOUNT line with `coupon_code` and negative `extended_cents`; a
return of goods bought with a coupon carries the same code on a DISCOUNT line with positive `extended_cents` (the reversal).
Business days are calendar days of the fixed time zone Etc/GMT+5 (UTC-5); `day_close` of a day follows at its midnight, so run
to at least midnight after the last day.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from contract.ids import EpochMs, Gtin, MemberRef
from contract.message import Message, reason_from_validation

Count = Annotated[int, Field(ge=0)]


class DespatchLine(Message):
    gtin: Gtin
    quantity_units: Annotated[int, Field(ge=0, le=100_000)]
    expected_units: Annotated[int, Field(ge=0, le=100_000)]


class Despatch(Message):
    despatch: Annotated[str, Field(min_length=1, max_length=64)]
    arrive_ms: EpochMs
    lines: Annotated[list[DespatchLine], Field(min_length=1, max_length=500)]


class WalletCoupon(Message):
    """What a member holds. gtin None: good for the dearest line of the basket."""

    member: MemberRef
    code: Annotated[str, Field(min_length=1, max_length=32)]
    gtin: Gtin | None = None
    discount_cents: Annotated[int, Field(ge=1, le=1_000_000)]
    valid_until_ms: EpochMs


class Advance(Message):
    cmd: Literal["advance"]
    to_ms: EpochMs
    despatches: list[Despatch] = []
    coupons: list[WalletCoupon] = []
    prices: dict[str, Annotated[int, Field(ge=0, le=100_000_000)]] = {}


class Pending(Message):
    cmd: Literal["pending"]


class Report(Message):
    cmd: Literal["report"]


class Quit(Message):
    cmd: Literal["quit"]


Command = Advance | Pending | Report | Quit
_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="cmd")])


def command_from_line(line: bytes) -> Command:
    """Raises ValueError with a reason that names the field, the limit and the value."""
    try:
        return _COMMANDS.validate_json(line)
    except ValidationError as error:
        raise ValueError(f"command: {reason_from_validation(error)}") from None


class Totals(Message):
    """Counted by a till itself: units are net of returns and voids, lines are all lines of all kinds."""

    receipts: Count = 0
    lines: Count = 0
    units: int = 0
    cents: int = 0


class ClosedDay(Totals):
    register_id: str
    business_date: str


class CellTotals(Message):
    """Over all cells. units_taken: gross, with thefts; a taken unit that comes back counts in put_back_units as well.

    The swap of two facings moves goods between cells and counts as none of these.
    """

    units_taken: Count
    put_back_units: Count
    refilled_units: Count


class Transmissions(Message):
    """One device's wire. Frames are 0 for MQTT devices, publishes 0 for serial ones.

    events: distinct (boot_id, seq) made; resends: events handed to the wire again; dropped: events that a bounded memory gave up.
    frames_*: DATA frames, as the bridge counts them. frames_sent: transmissions, those that the link sent again
    (frames_resent) and those spoilt on the line (frames_corrupted) included. frames_written: all frames, HELLO, ACK and PING too.
    """

    events: Count = 0
    resends: Count = 0
    dropped: Count = 0
    publishes: Count = 0
    frames_sent: Count = 0
    frames_resent: Count = 0
    frames_corrupted: Count = 0
    frames_written: Count = 0
    sessions: Count = 0


class CellState(Message):
    device: str
    cell: str
    sku: str
    shelf_units: Count
    back_room_units: Count


class ShopReport(Message):
    shop: str
    now_ms: int
    tills: dict[str, Totals]
    day_closes: list[ClosedDay]
    cells: CellTotals
    stock: list[CellState]
    lost_sales_units: Count
    lost_baskets: Count
    stock_outs: Count
    stolen_units: Count
    damaged_units: Count
    returned_units: Count
    voided_units: Count
    redemptions: dict[str, int]
    """Coupon code -> cents taken off."""
    reversals: dict[str, int]
    """Coupon code -> cents given back on a return."""
    deliveries: list[str]
    devices: dict[str, Transmissions]
    pending: Count

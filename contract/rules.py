"""The local rules of a gateway and their limits: what makes an alert, what ends it, and how loud it is.

Every rule has a band: what raises an alert lies apart from what clears it, so that no value on the edge flaps.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from contract.ids import Id
from contract.message import Message
from contract.severity import Severity

Minutes = Annotated[int, Field(ge=0, le=10_080)]
Celsius = Annotated[float, Field(ge=-60, le=125)]


def _above(name: str, value: float, other: str, limit: float) -> None:
    if value <= limit:
        raise ValueError(f"{name} is {value}; it must be above {other}, {limit}")


class Rule(Message):
    """enabled false: the rule raises nothing, and what it had raised is cleared."""

    enabled: bool = True
    severity: Severity = Severity.WARNING


class LowStock(Rule):
    """Raised when on hand is at most `raise_days` of forecast demand, cleared above `clear_days` of it."""

    raise_days: Annotated[float, Field(ge=0, le=30)] = 1.0
    clear_days: Annotated[float, Field(ge=0, le=60)] = 2.0

    @model_validator(mode="after")
    def _has_a_band(self) -> Self:
        _above("clear_days", self.clear_days, "raise_days", self.raise_days)
        return self


class EmptyFacing(Rule):
    """Raised when a facing has been empty for `after_min` while the shop was open, cleared by goods."""

    after_min: Annotated[int, Field(ge=0, le=1440)] = 0


class ColdDevice(Message):
    """A device whose heartbeats carry a temperature, and the limits that hold for it, both inclusive."""

    device: Id
    min_c: Celsius
    max_c: Celsius

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        _above("max_c", self.max_c, "min_c", self.min_c)
        return self


class ColdChain(Rule):
    """Raised when a device has been outside its limits for `after_min`, cleared `band_c` inside of them."""

    severity: Severity = Severity.CRITICAL
    devices: Annotated[list[ColdDevice], Field(max_length=500)] = []
    band_c: Annotated[float, Field(ge=0, le=10)] = 0.5
    after_min: Annotated[int, Field(ge=0, le=1440)] = 15


class PriceMismatch(Rule):
    """The till charges another price than the list, or a label shows another than the list for `label_after_min`.

    The till's is cleared by the next correct sale of a later day; the label's as soon as it shows the list's price.
    """

    severity: Severity = Severity.INFO
    label_after_min: Annotated[int, Field(ge=1, le=1440)] = 30


class SilentDevice(Rule):
    """Raised when nothing was heard of a device for so long; shelves send heartbeats, others may be silent at night."""

    shelf_after_min: Annotated[int, Field(ge=5, le=10_080)] = 180
    other_after_min: Annotated[int, Field(ge=5, le=10_080)] = 840


class DriftedCell(Rule):
    """Raised when a cell's weight lies `raise_g` off what its goods explain, cleared at `clear_g`."""

    raise_g: Annotated[float, Field(ge=1, le=1000)] = 20.0
    clear_g: Annotated[float, Field(ge=0, le=1000)] = 10.0

    @model_validator(mode="after")
    def _has_a_band(self) -> Self:
        _above("raise_g", self.raise_g, "clear_g", self.clear_g)
        return self


class SuspiciousRemoval(Rule):
    """Raised when `units` and `value_cents` of one SKU leave the shelf within `within_s`.

    Cleared when the tills have sold as many or they lie on the shelf again, else after `clear_min`.
    within_s is counted in whole shelf windows.
    """

    units: Annotated[int, Field(ge=2, le=10_000)] = 12
    value_cents: Annotated[int, Field(ge=0, le=100_000_000)] = 5000
    within_s: Annotated[int, Field(ge=1, le=3600)] = 60
    clear_min: Annotated[int, Field(ge=1, le=10_080)] = 240


class Rules(Message):
    """All of them. What is left out keeps its default."""

    low_stock: LowStock = LowStock()
    empty_facing: EmptyFacing = EmptyFacing()
    cold_chain: ColdChain = ColdChain()
    price_mismatch: PriceMismatch = PriceMismatch()
    silent_device: SilentDevice = SilentDevice()
    drifted_cell: DriftedCell = DriftedCell()
    suspicious_removal: SuspiciousRemoval = SuspiciousRemoval()


class Gates(Message):
    """What a gateway refuses or takes back by itself.

    prices: a new list may leave at most `price_loss_percent` of the priced SKUs without a price, and change at most
    `price_jump_percent` of them by more than `price_jump_factor`. Below ten priced SKUs nothing is refused.
    alerts: a configuration whose changed rules raise more than `new_alerts` within `trial_min` is taken back.
    """

    price_loss_percent: Annotated[int, Field(ge=0, le=100)] = 50
    price_jump_percent: Annotated[int, Field(ge=0, le=100)] = 20
    price_jump_factor: Annotated[float, Field(ge=1.1, le=1000)] = 5.0
    new_alerts: Annotated[int, Field(ge=1, le=2000)] = 100
    trial_min: Annotated[int, Field(ge=1, le=1440)] = 15

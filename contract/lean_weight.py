"""Weights, most of what a shop says, decoded ten times faster than `contract.devices.Weight` validates them.

What is accepted here is accepted there, with the same values (a property test holds both beside each other). What is not is
answered with None: `contract.devices.event_from_json` then says whether it is right, and what is wrong.
"""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from contract.devices import ClockQuality
from contract.ids import ID_PATTERN

MAX_KNOWN_IDS = 100_000
_ID = re.compile(ID_PATTERN)
_known_ids: set[str] = set()
"""Ids that have matched the pattern: a shop's few thousand come again and again."""

_MAX_SEQ = 2**53 - 1
_Grams = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]
_Seq = Annotated[int, Meta(ge=1, le=_MAX_SEQ)]


class LeanReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """See `contract.devices.CellReading`."""

    cell: str
    weight_g: _Grams
    stable: bool
    sd_g: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    n: Annotated[int, Meta(ge=1, le=100_000)] = 1
    age_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 0


class LeanWeight(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """See `contract.devices.Weight`."""

    device: str
    boot_id: str
    seq: _Seq
    t_device_ms: Annotated[int, Meta(ge=0, le=_MAX_SEQ)]
    readings: Annotated[list[LeanReading], Meta(min_length=1, max_length=64)]
    kept_from_seq: _Seq | None = None
    t_event_ms: Annotated[int, Meta(ge=0, lt=4_102_444_800_000)] | None = None
    clock_quality: ClockQuality = ClockQuality.UNKNOWN


_decode = msgspec.json.Decoder(LeanWeight).decode


def lean_weight_from_json(device: str, payload: bytes) -> LeanWeight | None:
    """The weight in `payload`; None when it is not beyond doubt a right one of `device`."""
    try:
        weight = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if weight.device != device or (weight.boot_id not in _known_ids and not _is_id(weight.boot_id)):
        return None
    for reading in weight.readings:
        if reading.cell not in _known_ids and not _is_id(reading.cell):
            return None
    return weight


def _is_id(text: str) -> bool:
    if _ID.match(text) is None or text.endswith("\n"):  # `$` also matches before a last newline
        return False
    if len(_known_ids) >= MAX_KNOWN_IDS:
        _known_ids.clear()
    _known_ids.add(text)
    return True

"""The bodies of a shelf's messages: fixed little-endian structs, small enough for an 8-bit MCU to fill in place.

Weights travel as whole milligrams, so nothing is lost between the wire and grams. A cell has a number on the
wire and an id in the contract: number 7 is `c07`.
"""

import re
import struct

from contract.devices import Calibration, Fault, FaultCode, Heartbeat, Weight
from firmware_bridge.core.errors import PeerError

Fields = dict[str, object]
"""Of an event, by name, not yet checked against the contract."""

_CELL = struct.Struct("<BBiIII")
"""cell, flags (bit 0: stable), weight_mg, sd_mg, n, age_ms."""
_STABLE = 1
_COUNT = struct.Struct("<B")
_FAULT = struct.Struct("<BB")
"""code, cell (255: the whole device); then text, UTF-8."""
_NO_CELL = 255
_CALIBRATION = struct.Struct("<Bi")
"""cell, offset_mg."""
_HEARTBEAT = struct.Struct("<QhB")
"""uptime_ms, temperature in 0.1 °C (-32768: not measured), number of counters; then for each: value u64, name length u8, name."""
_NO_TEMPERATURE = -32768
_COUNTER = struct.Struct("<QB")
_FAULT_CODES = tuple(FaultCode)
"""The code on the wire is the place here: new codes go to the end."""
_CELL_ID = re.compile(r"c([0-9]{2,3})")
MAX_CELL = 254


def cell_id(number: int) -> str:
    """The contract's id of the cell with this number on the wire."""
    if not 0 <= number <= MAX_CELL:
        raise PeerError(f"cell number {number} is not 0..{MAX_CELL}")
    return f"c{number:02d}"


def cell_number(cell: str) -> int:
    """The number of a cell id such as `c07`. Raises ValueError for any other form: it has no place on this wire."""
    match = _CELL_ID.fullmatch(cell)
    if match is None or cell != f"c{int(match[1]):02d}" or int(match[1]) > MAX_CELL:
        raise ValueError(f"cell {cell[:20]!r} has no number on the shelf's wire; it must be c00..c{MAX_CELL}")
    return int(match[1])


def weight_to_bytes(event: Weight) -> bytes:
    cells = [
        _CELL.pack(
            cell_number(reading.cell),
            _STABLE if reading.stable else 0,
            round(reading.weight_g * 1000),
            round(reading.sd_g * 1000),
            reading.n,
            reading.age_ms,
        )
        for reading in event.readings
    ]
    return _COUNT.pack(len(cells)) + b"".join(cells)


def weight_fields(body: bytes) -> Fields:
    """Raises PeerError when the length does not match the count."""
    count = body[0] if body else 0
    if len(body) != _COUNT.size + count * _CELL.size:
        raise PeerError(
            f"weight message has {len(body)} bytes, {count} readings take {1 + count * _CELL.size}"
        )
    readings = [
        {
            "cell": cell_id(cell),
            "weight_g": weight_mg / 1000,
            "stable": bool(flags & _STABLE),
            "sd_g": sd_mg / 1000,
            "n": n,
            "age_ms": age_ms,
        }
        for cell, flags, weight_mg, sd_mg, n, age_ms in _CELL.iter_unpack(body[_COUNT.size :])
    ]
    return {"readings": readings}


def fault_to_bytes(event: Fault) -> bytes:
    number = _NO_CELL if event.cell is None else cell_number(event.cell)
    return _FAULT.pack(_FAULT_CODES.index(event.code), number) + event.text.encode()


def fault_fields(body: bytes) -> Fields:
    if len(body) < _FAULT.size:
        raise PeerError("fault message is too short")
    code, number = _FAULT.unpack_from(body)
    if code >= len(_FAULT_CODES):
        raise PeerError(f"fault code {code} is unknown; known are 0 to {len(_FAULT_CODES) - 1}")
    cell = None if number == _NO_CELL else cell_id(number)
    return {"code": _FAULT_CODES[code], "cell": cell, "text": body[_FAULT.size :].decode("utf-8", "replace")}


def calibration_to_bytes(event: Calibration) -> bytes:
    return _CALIBRATION.pack(cell_number(event.cell), round(event.offset_g * 1000))


def calibration_fields(body: bytes) -> Fields:
    if len(body) != _CALIBRATION.size:
        raise PeerError("calibration message has the wrong length")
    number, offset_mg = _CALIBRATION.unpack(body)
    return {"cell": cell_id(number), "offset_g": offset_mg / 1000}


def heartbeat_to_bytes(event: Heartbeat) -> bytes:
    tenths = _NO_TEMPERATURE if event.temperature_c is None else round(event.temperature_c * 10)
    parts = [_HEARTBEAT.pack(event.uptime_ms, tenths, len(event.counters))]
    for name, value in event.counters.items():
        parts.append(_COUNTER.pack(value, len(name)) + name.encode("ascii"))
    return b"".join(parts)


def heartbeat_fields(body: bytes) -> Fields:
    if len(body) < _HEARTBEAT.size:
        raise PeerError("heartbeat message is too short")
    uptime_ms, tenths, count = _HEARTBEAT.unpack_from(body)
    counters: dict[str, int] = {}
    place = _HEARTBEAT.size
    for _ in range(count):
        if len(body) < place + _COUNTER.size:
            raise PeerError("heartbeat message ends within a counter")
        value, name_bytes = _COUNTER.unpack_from(body, place)
        place += _COUNTER.size
        counters[body[place : place + name_bytes].decode("ascii", "replace")] = value
        place += name_bytes
    if place != len(body):
        raise PeerError("heartbeat message does not end with its last counter")
    temperature_c = None if tenths == _NO_TEMPERATURE else tenths / 10
    return {"uptime_ms": uptime_ms, "counters": counters, "temperature_c": temperature_c}

"""CSV files of items and suppliers, row by row: the good rows as values, the bad ones as problems that name line and column.

The header names the columns, in any order; a comma or a semicolon parts them. A list in a cell is parted by spaces. An empty
cell is a value that is not given.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from central.core.supplier_calendar import calendar_from
from contract.api.masters import MAX_ROWS, RowProblem
from contract.api.suppliers import Arriving, SupplierPut
from contract.documents import Item
from contract.ids import ID_PATTERN, Id
from contract.message import VALUE_ERROR, Message

Value = TypeVar("Value", bound=BaseModel)

ITEM_COLUMNS = ("sku", "gtins", "name", "category", "unit_weight_g", "managed")
SUPPLIER_COLUMNS = ("supplier", *SupplierPut.model_fields)
ARRIVAL_COLUMNS = ("sku", "day", "units")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")
_SHOWN_CHARS = 40


class BadFileError(ValueError):
    """No row can be read: the header, the form or the length of the whole is wrong."""


@dataclass(frozen=True, slots=True)
class Good(Generic[Value]):
    line: int
    key: str
    value: Value


@dataclass(frozen=True, slots=True)
class Read(Generic[Value]):
    """What a file holds. rows: its lines but header and blank ones. bad_rows: of which `problems` tells, one or more each."""

    rows: int
    good: tuple[Good[Value], ...]
    problems: tuple[RowProblem, ...]
    bad_rows: int


class _Named(Message):
    supplier: Id


def items_from_csv(text: str) -> Read[Item]:
    """Raises BadFileError when there is no header with sku, gtins, name and category, or more than MAX_ROWS rows.

    A SKU or a GTIN that stands twice counts where it stands first.
    """
    gtins: dict[str, int] = {}

    def item(line: int, cells: Mapping[str, str]) -> tuple[str, Item]:
        values: dict[str, Any] = {name: cells[name] for name in ("sku", "name", "category") if name in cells}
        values["gtins"] = cells.get("gtins", "").split()
        if cells.get("unit_weight_g"):
            values["unit_weight_g"] = number_in(line, "unit_weight_g", cells["unit_weight_g"])
        if cells.get("managed"):
            values["managed"] = _flag(line, "managed", cells["managed"])
        made = Item.model_validate(values)
        return made.sku, made

    def once(line: int, made: Item) -> None:
        for gtin in made.gtins:
            if gtin in gtins:
                raise BadRowError(RowProblem(line=line, column="gtins",
                    what=f"GTIN {gtin} stands on line {gtins[gtin]} already; one GTIN is one SKU"))  # fmt: skip
        gtins.update(dict.fromkeys(made.gtins, line))

    return read_rows(text, ITEM_COLUMNS, ITEM_COLUMNS[:4], item, once)


def suppliers_from_csv(text: str) -> Read[SupplierPut]:
    """Raises BadFileError. Weekdays are numbers, 0 is Monday; closed days are dates; see SupplierPut."""

    def supplier(line: int, cells: Mapping[str, str]) -> tuple[str, SupplierPut]:
        values: dict[str, Any] = {name: text for name, text in cells.items() if text and name != "supplier"}
        for name in ("order_weekdays", "delivery_weekdays", "closed_days"):
            if name in values:
                values[name] = values[name].split()
        name = _Named.model_validate({"supplier": cells["supplier"]}).supplier
        put = SupplierPut.model_validate(values)
        problem = supplier_problem(put)
        if problem is not None:
            raise BadRowError(RowProblem(line=line, column=problem[0], what=problem[1]))
        return name, put

    return read_rows(text, SUPPLIER_COLUMNS, SUPPLIER_COLUMNS[:6], supplier, lambda _line, _put: None)


def arrivals_from_csv(text: str) -> Read[Arriving]:
    """Raises BadFileError. A SKU stands once for each day."""

    def arriving(line: int, cells: Mapping[str, str]) -> tuple[str, Arriving]:
        made = Arriving.model_validate(
            {"sku": cells["sku"], "day": cells["day"], "units": whole_in(line, "units", cells["units"])}
        )
        return f"{made.sku} on {made.day}", made

    return read_rows(text, ARRIVAL_COLUMNS, ARRIVAL_COLUMNS, arriving, lambda _line, _arriving: None)


def supplier_problem(put: SupplierPut) -> tuple[str, str] | None:
    """(field, what is wrong) of a supplier whose fields are each in their limits; None when it can be."""
    try:
        calendar_from(put)
    except (KeyError, ValueError, OSError) as error:
        return "timezone", f"timezone {put.timezone!r} or a closed day is wrong: {error}"
    for name, days in (("order_weekdays", put.order_weekdays), ("delivery_weekdays", put.delivery_weekdays)):
        if len(set(days)) != len(days):
            return name, f"{name}: a weekday stands twice; send each at most once"
    return None


class BadRowError(ValueError):
    """A row is no value; `problem` says why."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def read_rows(
    text: str,
    columns: tuple[str, ...],
    required: tuple[str, ...],
    parse: Callable[[int, Mapping[str, str]], tuple[str, Value]],
    check_once: Callable[[int, Value], None],
) -> Read[Value]:
    good: list[Good[Value]] = []
    problems: list[RowProblem] = []
    first_line: dict[str, int] = {}
    rows = bad = 0
    for line, found in _rows(text, columns, required):
        rows += 1
        if rows > MAX_ROWS:
            raise BadFileError(f"the file has more than {MAX_ROWS} rows; send it in parts")
        try:
            key, value = _row(line, found, parse, first_line, columns[0])
            check_once(line, value)
        except ValidationError as error:
            bad += 1
            problems += _problems(line, error)
        except BadRowError as error:
            bad += 1
            problems.append(error.problem)
        else:
            first_line[key] = line
            good.append(Good(line, key, value))
    return Read(rows, tuple(good), tuple(problems), bad)


def _row(
    line: int,
    found: dict[str, str] | str,
    parse: Callable[[int, Mapping[str, str]], tuple[str, Value]],
    first_line: dict[str, int],
    key_column: str,
) -> tuple[str, Value]:
    if isinstance(found, str):
        raise BadRowError(RowProblem(line=line, column="", what=found))
    key, value = parse(line, found)
    if key in first_line:
        what = f"{key} stands on line {first_line[key]} already; that line counts"
        raise BadRowError(RowProblem(line=line, column=key_column, what=what))
    return key, value


def _rows(
    text: str, columns: tuple[str, ...], required: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, str] | str]]:
    """(line, cells by column), or (line, why it is no row)."""
    # Not splitlines: it parts at characters that are none of a CSV's line ends.
    lines = [f"{part}\n" for part in text.removeprefix("\ufeff").split("\n")]
    first = lines[0]
    reader = csv.reader(lines, delimiter=";" if first.count(";") > first.count(",") else ",", strict=True)
    header = [name.strip() for name in _next(reader) or []]
    _check_header(header, columns, required)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"it is no CSV: {error}"
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            yield (
                line,
                f"it has {len(cells)} cells, the header {len(header)}; put quotes around a cell with a comma",
            )
        else:
            yield line, dict(zip(header, (cell.strip() for cell in cells), strict=True))


def _next(reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise BadFileError(f"line 1 is no CSV: {error}") from None


def _check_header(header: list[str], columns: tuple[str, ...], required: tuple[str, ...]) -> None:
    missing = [name for name in required if name not in header]
    unknown = [name for name in header if name not in columns]
    if missing:
        raise BadFileError(
            f"line 1 must name the columns; {', '.join(missing)} missing, known are {', '.join(columns)}"
        )
    if unknown or len(set(header)) != len(header):
        which = ascii((unknown or [name for name in header if header.count(name) > 1])[0][:_SHOWN_CHARS])
        raise BadFileError(f"column {which} is unknown or stands twice; known are {', '.join(columns)}")


def number_in(line: int, column: str, text: str) -> float:
    """Raises BadRowError."""
    try:
        return float(text)
    except ValueError:
        raise BadRowError(
            RowProblem(line=line, column=column, what=f"must be a number with a point, got {_shown(text)}")
        ) from None


def whole_in(line: int, column: str, text: str) -> int:
    """Raises BadRowError."""
    try:
        return int(text)
    except ValueError:
        raise BadRowError(
            RowProblem(line=line, column=column, what=f"must be a whole number, got {_shown(text)}")
        ) from None


def _flag(line: int, column: str, text: str) -> bool:
    if text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    what = f"must be {', '.join(_TRUE)} or {', '.join(_FALSE)}, got {_shown(text)}"
    raise BadRowError(RowProblem(line=line, column=column, what=what))


def _problems(line: int, error: ValidationError) -> list[RowProblem]:
    found = []
    for each in error.errors(include_url=False, include_context=False):
        column = str(each["loc"][0]) if each["loc"] else ""
        what = "must not be empty" if each["type"] == "missing" else each["msg"].removeprefix(VALUE_ERROR)
        if column == "supplier":
            what = f"must match {ID_PATTERN}: lower case, digits and inner hyphens, at most 48"
        got = "" if each["type"] == "missing" else f", got {_shown(each['input'])}"
        found.append(RowProblem(line=line, column=column, what=f"{what}{got}"))
    return found


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."

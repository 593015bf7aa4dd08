"""Is an Arrow result the recorded answer? Names, types and values, with stated tolerances.

Integers, texts, booleans, dates, times, timestamps, intervals, bytes and decimals are equal or they
are not; decimals by value (`1.5` is `1.50`). A `numeric` with 16 or more decimals is a quotient or
an average, which Mobula computes in floating point: equal to a relative 1e-9, as are
`double precision` values (`real`: 1e-6). A float that stands for a shorter `numeric` must have all
its digits (1e-14); it cannot stand for one of more than 17 digits with fewer than 10 decimals,
unless the statement has an operation that rounds (`with_rounding`).
JSON is compared parsed: `json` with the order and repetition of its keys.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.sql.logic_file import Answer

__all__ = ["difference", "same_answers", "same_values", "with_rounding"]

TOLERANCE = 1e-9
TOLERANCE_REAL = 1e-6
TOLERANCE_DIGITS = 1e-14
DECIMALS_OF_A_QUOTIENT = 16
DECIMALS_OF_A_LARGE_QUOTIENT = 10  # PostgreSQL keeps 16 significant digits and more
DIGITS_OF_A_FLOAT = 17

_ROUNDING = re.compile(
    r"/|\^|\b(avg|stddev\w*|var\w*|sqrt|cbrt|ln|log\w*|exp|power|percentile_cont|corr|covar\w*|regr\w*)\b",
    re.IGNORECASE,
)
_TIME_UNITS = {"year": 12, "years": 12, "mon": 1, "mons": 1}
_INTERVAL = re.compile(
    r"(?:(?P<number>[+-]?\d+) (?P<unit>years?|mons?|days?))"
    r"|(?P<sign>[+-]?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:\.(?P<part>\d+))?"
)


def with_rounding(sql: str) -> bool:
    """Has the statement an operation whose numeric results are rounded somewhere?"""
    return _ROUNDING.search(sql) is not None


def difference(
    found: pa.Table, expected: Answer, *, rowsort: bool, rounded: bool = False
) -> str | None:
    """What is not as recorded, in words; None if all is."""
    names = [name for name, _ in expected.columns]
    if found.column_names != names:
        return f"columns {found.column_names}, wanted {names}"
    for field, (name, kind) in zip(found.schema, expected.columns, strict=True):
        if not _fits(field.type, kind):
            return f"column {name} is {field.type}, wanted {kind}"
    columns = [
        [_plain(value, column.type, kind) for value in column.to_pylist()]
        for column, (_, kind) in zip(found.columns, expected.columns, strict=True)
    ]
    rows = list(zip(*columns, strict=True))
    wanted = [
        tuple(
            _parsed(text, kind, arrow)
            for text, (_, kind), arrow in zip(
                row, expected.columns, found.schema.types, strict=True
            )
        )
        for row in expected.rows
    ]
    kinds = [f"rounded {kind}" if rounded else kind for _, kind in expected.columns]
    return _rows_difference(rows, wanted, kinds, rowsort)


def same_answers(one: Answer, other: Answer, *, rowsort: bool) -> bool:
    """Are two answers of PostgreSQL the same, but for rounding of floats?"""
    if one.error or other.error or one.columns != other.columns:
        return one.error == other.error and one.columns == other.columns
    kinds = [kind for _, kind in one.columns]
    rows = [
        [tuple(map(_parsed, row, kinds, [None] * len(kinds))) for row in answer.rows]
        for answer in (one, other)
    ]
    return _rows_difference(rows[0], rows[1], kinds, rowsort) is None


def _rows_difference(
    found: Sequence[tuple[Any, ...]],
    wanted: Sequence[tuple[Any, ...]],
    kinds: Sequence[str],
    rowsort: bool,
) -> str | None:
    if len(found) != len(wanted):
        return f"{len(found)} rows, wanted {len(wanted)}: {_shown(found)}, wanted {_shown(wanted)}"
    if rowsort:
        found = sorted(found, key=_sort_key)
        wanted = _aligned(found, wanted, kinds)
    for number, (row, other) in enumerate(zip(found, wanted, strict=True)):
        if not all(map(same_values, row, other, kinds)):
            return f"row {number} is {row}, wanted {other}"
    return None


def _aligned(
    found: Sequence[tuple[Any, ...]], wanted: Sequence[tuple[Any, ...]], kinds: Sequence[str]
) -> list[tuple[Any, ...]]:
    """The wanted rows in an order in which they are the found ones, if there is such an order.

    Sorting does nearly all; rows that differ in late digits only are looked for one by one.
    """
    rest = sorted(wanted, key=_sort_key)
    aligned: list[tuple[Any, ...]] = []
    for row in found:
        same = (n for n, other in enumerate(rest) if all(map(same_values, row, other, kinds)))
        aligned.append(rest.pop(next(same, 0)))
    return aligned


def _shown(rows: Sequence[Any]) -> str:
    return str(rows[:5])[:1_000]


def same_values(found: Any, wanted: Any, kind: str) -> bool:
    """One value against another, both as `_plain` and `_parsed` make them."""
    if found is None or wanted is None:
        return found is wanted
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, list | tuple) and isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(
            same_values(a, b, kind.removesuffix("[]")) for a, b in zip(found, wanted, strict=True)
        )
    if isinstance(found, float | Decimal) or isinstance(wanted, float | Decimal):
        return isinstance(found, int | float | Decimal) and _same_numbers(found, wanted, kind)
    return bool(found == wanted)


def _same_numbers(found: float | Decimal, wanted: float | Decimal, kind: str) -> bool:
    if math.isnan(found) or math.isnan(wanted):
        return math.isnan(found) and math.isnan(wanted)
    if math.isinf(found) or math.isinf(wanted):
        return float(found) == float(wanted)
    tolerance = TOLERANCE_REAL if "real" in kind else TOLERANCE
    decimals = -int(wanted.as_tuple().exponent) if isinstance(wanted, Decimal) else 0
    if isinstance(wanted, Decimal) and decimals < DECIMALS_OF_A_QUOTIENT:
        digits = len(wanted.as_tuple().digits)
        exact = digits > DIGITS_OF_A_FLOAT and decimals < DECIMALS_OF_A_LARGE_QUOTIENT
        if isinstance(found, Decimal | int) or (exact and not kind.startswith("rounded")):
            return Decimal(found) == wanted
        tolerance = TOLERANCE_DIGITS
    return math.isclose(found, wanted, rel_tol=tolerance, abs_tol=1e-12)


def _sort_key(row: tuple[Any, ...]) -> list[str]:
    return [_sort_text(value) for value in row]


def _sort_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return str([_sort_text(inner) for inner in value])
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return f"{float(value):.6e}"
    return f"{value is None} {value}"


# --- Arrow ----------------------------------------------------------------------------------------

_STRINGS = (
    "text", "name", "character varying", "character", "json", "jsonb", "regtype", '"char"'
)  # fmt: skip
_FITTING: dict[str, Callable[[pa.DataType], bool]] = {
    "smallint": pa.types.is_int16,
    "integer": pa.types.is_int32,
    "bigint": pa.types.is_int64,
    "real": pa.types.is_float32,
    "double precision": pa.types.is_float64,
    "boolean": pa.types.is_boolean,
    "date": pa.types.is_date32,
    "time without time zone": pa.types.is_time64,
    "timestamp without time zone": lambda kind: pa.types.is_timestamp(kind) and kind.tz is None,
    "timestamp with time zone": lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None,
    "interval": pa.types.is_struct,
    "record": pa.types.is_struct,
    "numeric": lambda kind: pa.types.is_decimal(kind) or pa.types.is_float64(kind),
    "bytea": lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
    "uuid": lambda kind: pa.types.is_fixed_size_binary(kind) and kind.byte_width == 16,
}


def _base(kind: str) -> str:
    """The type without its modifiers; `interval day to second` is an interval."""
    kind = re.sub(r"\(.*?\)", "", kind)
    return "interval" if kind.startswith("interval ") else kind


def _fits(found: pa.DataType, kind: str) -> bool:
    """May a column of that SQL type be of this Arrow type?"""
    kind = _base(kind)
    if kind.endswith("[]"):
        is_list = pa.types.is_list(found) or pa.types.is_large_list(found)
        return bool(is_list and _fits(found.value_type, kind.removesuffix("[]")))
    if kind in _FITTING:
        return _FITTING[kind](found)
    if pa.types.is_string(found) or pa.types.is_large_string(found):
        return True
    return kind not in _STRINGS and bool(pa.types.is_struct(found))  # an enum or a composite type


def _is_interval(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and [field.name for field in kind] == [
        "months", "days", "microseconds",
    ]  # fmt: skip


def _plain(value: Any, kind: pa.DataType, sql: str = "") -> Any:
    """A value of Arrow as `_parsed` makes it of PostgreSQL's text; `sql` is PostgreSQL's type."""
    if value is None:
        return None
    if sql in ("json", "jsonb"):
        return _READ[sql](value)
    if _is_interval(kind):
        return ("interval", value["months"], value["days"], value["microseconds"])
    if pa.types.is_struct(kind):
        return [_plain(value[field.name], field.type) for field in kind]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [_plain(inner, kind.value_type, sql.removesuffix("[]")) for inner in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC) if value.tzinfo else value
    return value


def _name_of(kind: pa.DataType) -> str:
    """The SQL type whose values an Arrow type holds, for the fields of records."""
    if _is_interval(kind):
        return "interval"
    if pa.types.is_struct(kind):
        return "record"
    if pa.types.is_integer(kind):
        return "bigint"
    if pa.types.is_decimal(kind):
        return "numeric"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{_name_of(kind.value_type)}[]"
    names = [name for name, fits in _FITTING.items() if fits(kind) and name != "numeric"]
    return names[0] if names else "text"


# --- PostgreSQL's texts ---------------------------------------------------------------------------


def _parsed(text: str | None, kind: str, arrow: pa.DataType | None) -> Any:
    """A value of PostgreSQL's text form; `arrow` tells what the fields of a record are."""
    if text is None:
        return None
    kind = _base(kind)
    if kind.endswith("[]"):
        inner = arrow.value_type if arrow is not None else None
        return [_parsed(piece, kind.removesuffix("[]"), inner) for piece in _elements(text, "{}")]
    if kind == "record" or (arrow is not None and pa.types.is_struct(arrow) and kind != "interval"):
        pieces = _elements(text, "()")
        types = [field.type for field in arrow] if arrow is not None else [None] * len(pieces)
        if len(types) != len(pieces):
            return text
        return [
            _parsed(piece, _name_of(inner) if inner is not None else "text", inner)
            for piece, inner in zip(pieces, types, strict=True)
        ]
    read = _READ.get(kind)
    return read(text) if read is not None else text


def _elements(text: str, brackets: str) -> list[str | None]:
    """The members of `{a,"b c",NULL}` or `(a,"b c",)`."""
    body, found, start = text[1:-1], list[str | None](), 0
    if not body and brackets == "{}":
        return found
    while start <= len(body):
        piece, end, quoted = _element(body, start)
        missing = piece == "NULL" if brackets == "{}" else piece == ""
        found.append(None if missing and not quoted else piece)
        start = end + 1
    return found


def _element(body: str, start: int) -> tuple[str, int, bool]:
    """One member, where it ends, and whether it was quoted."""
    made: list[str] = []
    position, inside, quoted = start, False, False
    while position < len(body):
        letter = body[position]
        if letter == "\\":
            position += 1
            made.append(body[position])
        elif letter == '"':
            if inside and body[position + 1 : position + 2] == '"':
                position += 1
                made.append('"')
            else:
                inside, quoted = not inside, True
        elif letter == "," and not inside:
            break
        else:
            made.append(letter)
        position += 1
    return "".join(made), position, quoted


def _interval(text: str) -> tuple[str, int, int, int]:
    months = days = microseconds = 0
    for found in _INTERVAL.finditer(text):
        if found["unit"] is None:
            sign = -1 if found["sign"] == "-" else 1
            hours, minutes, seconds = int(found["hours"]), int(found["minutes"]), found["seconds"]
            part = int((found["part"] or "").ljust(6, "0"))
            microseconds = sign * (((hours * 60 + minutes) * 60 + int(seconds)) * 10**6 + part)
        elif found["unit"].startswith("day"):
            days = int(found["number"])
        else:
            months += int(found["number"]) * _TIME_UNITS[found["unit"]]
    return "interval", months, days, microseconds


def _moment(text: str) -> Any:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:  # infinity, before Christ: nothing that Arrow's Python values can be
        return text


def _pairs(pairs: list[tuple[str, Any]]) -> list[Any]:
    return ["object", *pairs]


_READ: dict[str, Callable[[str], Any]] = {
    "smallint": int,
    "integer": int,
    "bigint": int,
    "real": float,
    "double precision": float,
    "numeric": Decimal,
    "boolean": lambda text: text == "t",
    "date": lambda text: (
        datetime.date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text
    ),
    "time without time zone": lambda text: (
        text if text.startswith("24") else datetime.time.fromisoformat(text)
    ),
    "timestamp without time zone": _moment,
    "timestamp with time zone": _moment,
    "interval": _interval,
    "bytea": lambda text: bytes.fromhex(text.removeprefix("\\x")),
    "uuid": lambda text: bytes.fromhex(text.replace("-", "")),
    "json": lambda text: json.loads(text, object_pairs_hook=_pairs, parse_float=Decimal),
    "jsonb": lambda text: json.loads(text, parse_float=Decimal),
}

"""Fitting a caller's rows to a table: any tabular object in, the table's logical Arrow types out.

1. Turn the object into an Arrow table (polars, pandas, anything with an Arrow C stream).
2. Match its columns to the table's by name; fill absent nullable columns with NULL.
3. Cast each column to its logical type (`schema.arrow_type`), checking values: a cast that would
   lose anything is refused. The one exception is REAL, which rounds DOUBLE to its own precision.
4. Check what the declared types add: NOT NULL, VARCHAR's length, the years of DATE and TIMESTAMP.

Every refusal is an `InvalidRequest` that names table, column and both types, and nothing is
changed. Dates and timestamps outside the years 1 to 9999 are refused, because neither Python's nor
Polars' date types can hold them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from storage.errors import InvalidRequest
from storage.nearest import nearest
from storage.schema import (
    DECIMAL_PRECISION_MAX,
    Column,
    DecimalType,
    Kind,
    ScalarType,
    SqlType,
    TableSchema,
    VarCharType,
    arrow_schema,
    arrow_type,
    is_integer,
    type_name,
)

__all__ = ["conform"]

DATE_MIN, DATE_MAX = -719_162, 2_932_896  # 0001-01-01, 9999-12-31, in days since 1970-01-01
DAY_US = 86_400_000_000
TIMESTAMP_MIN, TIMESTAMP_MAX = DATE_MIN * DAY_US, (DATE_MAX + 1) * DAY_US - 1
INTEGER_DIGITS_MAX = 20  # digits of the largest unsigned 64-bit integer


def conform(frame: Any, schema: TableSchema, table_name: str) -> pa.Table:
    """The rows of `frame` as an Arrow table of exactly `arrow_schema(schema.columns)`.

    Args:
        frame: a polars DataFrame or LazyFrame (which is collected), a pandas DataFrame (its index
            is dropped), a pyarrow Table, RecordBatch or RecordBatchReader, or any other object with
            `__arrow_c_stream__`.
        table_name: for messages.
    Raises:
        InvalidRequest: the object is not tabular, a column is unknown, doubled or absent, a type
            does not assign, or a value does not fit.
    """
    table = _to_arrow(frame, table_name)
    chosen = _match(table.column_names, schema, table_name)
    arrays = []
    for column in schema.columns:
        source = chosen.get(column.id)
        values = pa.nulls(table.num_rows) if source is None else table.column(source)
        arrays.append(_Cast(table_name, column, values.type).run(values))
    return pa.Table.from_arrays(arrays, schema=arrow_schema(schema.columns))


def _to_arrow(frame: Any, table_name: str) -> pa.Table:
    try:
        if isinstance(frame, pl.LazyFrame):
            frame = frame.collect()
        if isinstance(frame, pl.DataFrame):
            return frame.to_arrow()
        if isinstance(frame, pa.Table):
            return frame
        if isinstance(frame, pa.RecordBatch):
            return pa.Table.from_batches([frame])
        if type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "columns"):
            return pa.Table.from_pandas(frame, preserve_index=False)
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.table(frame)
    except (pa.ArrowException, pl.exceptions.PolarsError, ValueError, TypeError) as error:
        kind = type(frame).__name__
        raise InvalidRequest(
            f"table {table_name}: the {kind} does not convert to Arrow: {error}"
        ) from error
    raise InvalidRequest(
        f"table {table_name}: expected a polars, pyarrow or pandas table, "
        f"found {type(frame).__module__}.{type(frame).__qualname__}"
    )


# --- columns by name ------------------------------------------------------------------------------


def _match(names: list[str], schema: TableSchema, table_name: str) -> dict[int, int]:
    """Position in `names` of each column id that is there."""
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        raise InvalidRequest(f"table {table_name}: column {doubled[0]!r} is given twice", "42701")
    positions = {name: position for position, name in enumerate(names)}
    chosen = {c.id: positions.pop(c.name) for c in schema.columns if c.name in positions}
    missing = [c for c in schema.columns if c.id not in chosen]
    for column in missing:
        alike = [name for name in positions if name.casefold() == column.name.casefold()]
        rivals = [c for c in missing if c.name.casefold() == column.name.casefold()]
        if len(alike) == 1 and len(rivals) == 1:
            chosen[column.id] = positions.pop(alike[0])
    if positions:
        unknown = next(iter(positions))
        hint = nearest(unknown, schema.names)
        raise InvalidRequest(f"table {table_name} has no column {unknown!r}{hint}", "42703")
    _check_missing(missing, chosen, table_name)
    return chosen


def _check_missing(missing: list[Column], chosen: dict[int, int], table_name: str) -> None:
    for column in missing:
        if column.id not in chosen and not column.nullable:
            raise InvalidRequest(
                f"table {table_name}: column {column.name} {type_name(column.type)} is NOT NULL "
                "and absent from the data; add it",
                "23502",
            )


# --- one column -----------------------------------------------------------------------------------


class _Cast:
    """One assignment: from an Arrow type to a column of a table."""

    def __init__(self, table_name: str, column: Column, found: pa.DataType) -> None:
        self.column = column
        self.found = found
        self.where = f"table {table_name}, column {column.name}"

    def run(self, values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
        if self.column.nullable is False and values.null_count:
            row = pc.index(pc.is_null(values), True).as_py()
            raise self.refusal(f"NULL in row {row} (counted from 0) of a NOT NULL column", "23502")
        target = arrow_type(self.column.type)
        if pat.is_null(values.type):
            return pa.nulls(len(values), target)
        if pat.is_dictionary(values.type):
            values = self.cast(values, values.type.value_type)
        if not _assignable(values.type, self.column.type):
            raise self.refusal(_no_assignment(values.type, self.column.type), "42804")
        if values.type != target:
            values = self.convert(values, target)
        self.check(values)
        return values

    def convert(self, values: Any, target: pa.DataType) -> Any:
        """A cast between types that `_assignable` allows."""
        if pat.is_decimal(target) and pat.is_integer(values.type):
            # Arrow wants room for every value of an integer type; only the values matter here.
            values = self.cast(values, pa.decimal128(INTEGER_DIGITS_MAX + 1, 0))
        if pat.is_float32(target) and pat.is_floating(values.type):
            return self.round(values)
        if pat.is_string_view(values.type) or pat.is_binary_view(values.type):
            # A view shares its bytes; one copy here spares every later reader the indirection.
            return self.cast(values, target)
        if pat.is_decimal256(values.type):
            scale = values.type.scale
            if 0 <= scale <= DECIMAL_PRECISION_MAX:
                values = self.cast(values, pa.decimal128(DECIMAL_PRECISION_MAX, scale))
        if pat.is_date(target) and pat.is_timestamp(values.type):
            self.check_midnight(values)
        return self.cast(values, target)

    def check_midnight(self, values: Any) -> None:
        """TIMESTAMP to DATE: pandas has no dates, only timestamps at midnight."""
        late = pc.not_equal(pc.floor_temporal(values, unit="day"), values)
        if pc.any(late).as_py():
            value = values[pc.index(late, True).as_py()].as_py()
            raise self.refusal(f"{value} is not at midnight; cast the column first", "22008")

    def round(self, values: Any) -> Any:
        """DOUBLE to REAL: nearest value; a finite one must stay finite."""
        rounded = self.cast(values, pa.float32())
        lost = pc.and_(pc.is_inf(rounded), pc.is_finite(values))
        if pc.any(lost).as_py():
            value = values[pc.index(lost, True).as_py()].as_py()
            raise self.refusal(f"{value!r} is out of range", "22003")
        return rounded

    def cast(self, values: Any, target: pa.DataType) -> Any:
        try:
            return pc.cast(values, target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise self.refusal(str(error), "22003") from error

    def check(self, values: Any) -> None:
        """What the declared type asks beyond its Arrow type."""
        match self.column.type:
            case VarCharType(length):
                self.check_length(values, length)
            case ScalarType(Kind.DATE):
                self.check_range(pc.cast(values, pa.int32()), DATE_MIN, DATE_MAX)
            case ScalarType(Kind.TIMESTAMP):
                self.check_range(pc.cast(values, pa.int64()), TIMESTAMP_MIN, TIMESTAMP_MAX)

    def check_length(self, values: Any, limit: int) -> None:
        longest = pc.max(pc.utf8_length(values)).as_py() or 0
        if longest > limit:
            row = pc.index(pc.greater(pc.utf8_length(values), limit), True).as_py()
            length = len(values[row].as_py())
            raise self.refusal(
                f"the value in row {row} (counted from 0) has {length} characters, "
                f"the limit is {limit}",
                "22001",
            )

    def check_range(self, numbers: Any, low: int, high: int) -> None:
        bounds = pc.min_max(numbers)
        least, most = bounds["min"].as_py(), bounds["max"].as_py()
        if least is not None and (least < low or most > high):
            raise self.refusal("a value is outside the years 0001 to 9999", "22008")

    def refusal(self, problem: str, sqlstate: str) -> InvalidRequest:
        types = f"{type_name(self.column.type)} (Arrow {arrow_type(self.column.type)})"
        return InvalidRequest(f"{self.where}: {self.found} to {types}: {problem}", sqlstate)


# --- which types assign ---------------------------------------------------------------------------


def _is_text(found: pa.DataType) -> bool:
    return bool(pat.is_string(found) or pat.is_large_string(found) or pat.is_string_view(found))


def _is_bytes(found: pa.DataType) -> bool:
    return bool(
        pat.is_binary(found)
        or pat.is_large_binary(found)
        or pat.is_binary_view(found)
        or pat.is_fixed_size_binary(found)
    )


def _is_number(found: pa.DataType) -> bool:
    return bool(pat.is_integer(found) or pat.is_floating(found))


def _is_exact(found: pa.DataType) -> bool:
    return bool(pat.is_integer(found) or pat.is_decimal(found))


def _is_timestamp(found: pa.DataType) -> bool:
    return bool(pat.is_date(found) or (pat.is_timestamp(found) and found.tz is None))


_SOURCES: dict[Kind, Callable[[pa.DataType], bool]] = {
    Kind.BOOLEAN: pat.is_boolean,
    Kind.REAL: _is_number,
    Kind.DOUBLE: _is_number,
    Kind.TEXT: _is_text,
    Kind.DATE: _is_timestamp,
    Kind.TIMESTAMP: _is_timestamp,
    Kind.BYTEA: _is_bytes,
}


def _assignable(found: pa.DataType, wanted: SqlType) -> bool:
    match wanted:
        case VarCharType():
            return _is_text(found)
        case DecimalType():
            return _is_exact(found)
        case ScalarType(kind):
            return _is_exact(found) if is_integer(wanted) else bool(_SOURCES[kind](found))


def _no_assignment(found: pa.DataType, wanted: SqlType) -> str:
    if pat.is_floating(found) and (is_integer(wanted) or isinstance(wanted, DecimalType)):
        return (
            "no exact conversion; cast the column first "
            "(pandas turns integers with missing values into floats: use its Int64)"
        )
    if pat.is_timestamp(found) and found.tz is not None:
        return "a time zone would be lost; convert to UTC and drop the zone first"
    return "no such assignment; cast the column first"

"""Assigning one column of a caller's frame to a column of a table, without losing anything.

1. NULL in a NOT NULL column is refused, and so is an Arrow type that does not assign at all.
2. Values become the logical type (`schema.arrow_type`). Four conversions change them on purpose:
   REAL rounds DOUBLE to its own precision, TIME(p) and TIMESTAMP(p) round seconds
   (`seconds.py`), CHAR(n) drops trailing blanks, JSONB takes its canonical text (`jsonb.py`).
3. What the declared type asks beyond its Arrow type is checked: lengths, labels, the years of
   dates.

Dates and timestamps outside the years 1 to 9999 are refused, because neither Python's nor Polars'
date types can hold them. Arrays are assigned by their elements, composites by their fields, found
by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from storage.assignable import is_assignable, reason
from storage.errors import InvalidRequest
from storage.parsing import BadValue, json_texts, jsonb_texts, uuid_values
from storage.schema import (
    DECIMAL_PRECISION_MAX,
    ArrayType,
    CharType,
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    VarCharType,
    arrow_type,
    type_name,
)
from storage.seconds import rounded_seconds

__all__ = ["assign"]

DATE_MIN, DATE_MAX = -719_162, 2_932_896  # 0001-01-01, 9999-12-31, in days since 1970-01-01
DAY_US = 86_400_000_000
TIMESTAMP_MIN, TIMESTAMP_MAX = DATE_MIN * DAY_US, (DATE_MAX + 1) * DAY_US - 1
INTEGER_DIGITS_MAX = 20  # digits of the largest unsigned 64-bit integer
_MONTH_DAY_NANO = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])


def assign(values: Any, column: Column, table_name: str) -> Any:
    """Values (an Arrow array, chunked or not) in `arrow_type(column.type)`.

    Raises:
        InvalidRequest: the type does not assign, or a value does not fit; names table and column.
    """
    where = f"table {table_name}, column {column.name}"
    assignment = _Assignment(where, column.type, values.type)
    if column.nullable is False and values.null_count:
        row = pc.index(pc.is_null(values), True).as_py()
        raise assignment.refusal(
            f"NULL in row {row} (counted from 0) of a NOT NULL column", "23502"
        )
    return assignment.run(values)


class _Assignment:
    """From an Arrow type to a SQL type. `unit` is what positions count: rows, or elements."""

    def __init__(self, where: str, wanted: SqlType, found: pa.DataType, unit: str = "row") -> None:
        self.where = where
        self.wanted = wanted
        self.found = found
        self.unit = unit
        self.target = arrow_type(wanted)

    def run(self, values: Any) -> Any:
        if pat.is_null(values.type):
            return pa.nulls(len(values), self.target)
        if pat.is_dictionary(values.type):
            values = self.cast(values, values.type.value_type)
        if isinstance(values.type, pa.BaseExtensionType):
            values = self.cast(values, values.type.storage_type)
        if not is_assignable(values.type, self.wanted):
            raise self.refusal(reason(values.type, self.wanted), "42804")
        try:
            return self.fitted(values)
        except BadValue as bad:
            place = f"{self.unit} {bad.position} (counted from 0)"
            raise self.refusal(f"{bad.problem} in {place}", bad.sqlstate) from bad

    def fitted(self, values: Any) -> Any:
        match self.wanted:
            case VarCharType(length):
                return self.within(self.plain(values), length)
            case CharType(length):
                return self.within(pc.utf8_rtrim(self.plain(values), characters=" "), length)
            case EnumType(_, labels):
                return self.labelled(self.plain(values), labels)
            case ArrayType(element):
                return self.by_chunk(values, lambda chunk: self.array(chunk, element))
            case StructType(_, fields):
                return self.by_chunk(values, lambda chunk: self.composite(chunk, fields))
            case DecimalType():
                return self.plain(values)
            case ScalarType(kind, precision):
                return self.scalar(values, kind, precision)

    def scalar(self, values: Any, kind: Kind, precision: int | None) -> Any:
        match kind:
            case Kind.DATE:
                values = self.plain(values)
                self.check_range(pc.cast(values, pa.int32()), DATE_MIN, DATE_MAX)
                return values
            case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
                values = rounded_seconds(self.plain(values), precision)
                self.check_range(pc.cast(values, pa.int64()), TIMESTAMP_MIN, TIMESTAMP_MAX)
                return values
            case Kind.TIME:
                return self.times(rounded_seconds(self.plain(values), precision))
            case Kind.INTERVAL:
                return self.by_chunk(values, self.interval)
            case Kind.UUID:
                return uuid_values(values)
            case Kind.JSON:
                return json_texts(self.plain(values))
            case Kind.JSONB:
                return jsonb_texts(self.plain(values))
            case _:
                return self.plain(values)

    # --- values of one Arrow type -----------------------------------------------------------------

    def plain(self, values: Any) -> Any:
        """A cast between types that `is_assignable` allows."""
        if values.type == self.target:
            return values
        if pat.is_decimal(self.target) and pat.is_integer(values.type):
            # Arrow wants room for every value of an integer type; only the values matter here.
            values = self.cast(values, pa.decimal128(INTEGER_DIGITS_MAX + 1, 0))
        if pat.is_float32(self.target) and pat.is_floating(values.type):
            return self.rounded(values)
        if pat.is_string_view(values.type) or pat.is_binary_view(values.type):
            # A view shares its bytes; one copy here spares every later reader the indirection.
            return self.cast(values, self.target)
        if pat.is_decimal256(values.type):
            scale = values.type.scale
            if 0 <= scale <= DECIMAL_PRECISION_MAX:
                values = self.cast(values, pa.decimal128(DECIMAL_PRECISION_MAX, scale))
        if pat.is_date(self.target) and pat.is_timestamp(values.type):
            self.check_midnight(values)
        return self.cast(values, self.target)

    def rounded(self, values: Any) -> Any:
        """DOUBLE to REAL: nearest value; a finite one must stay finite."""
        rounded = self.cast(values, pa.float32())
        lost = pc.and_(pc.is_inf(rounded), pc.is_finite(values))
        if pc.any(lost).as_py():
            value = values[pc.index(lost, True).as_py()].as_py()
            raise self.refusal(f"{value!r} is out of range", "22003")
        return rounded

    def times(self, values: Any) -> Any:
        """TIME within one day: Polars' own has no 24:00:00."""
        bounds = pc.min_max(pc.cast(values, pa.int64()))
        least, most = bounds["min"].as_py(), bounds["max"].as_py()
        if least is not None and (least < 0 or most >= DAY_US):
            raise self.refusal("a value is outside 00:00:00 to 23:59:59.999999", "22008")
        return values

    def within(self, values: Any, limit: int) -> Any:
        """Texts of at most so many characters."""
        lengths = pc.utf8_length(values)
        if (pc.max(lengths).as_py() or 0) > limit:
            position = pc.index(pc.greater(lengths, limit), True).as_py()
            length = lengths[position].as_py()
            raise self.refusal(
                f"the value in {self.unit} {position} (counted from 0) has {length} characters, "
                f"the limit is {limit}",
                "22001",
            )
        return values

    def labelled(self, values: Any, labels: tuple[str, ...]) -> Any:
        """Texts that are labels of the ENUM."""
        known = pc.is_in(values, value_set=pa.array(labels, pa.large_string()))
        foreign = pc.and_(pc.invert(known), pc.is_valid(values))
        if pc.any(foreign).as_py():
            position = pc.index(foreign, True).as_py()
            value = values[position].as_py()
            raise BadValue(
                position,
                f'invalid input value for enum {type_name(self.wanted)}: "{value}"',
                "22P02",
            )
        return values

    # --- parts of values --------------------------------------------------------------------------

    def by_chunk(self, values: Any, convert: Any) -> pa.ChunkedArray:
        chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
        return pa.chunked_array([convert(chunk) for chunk in chunks], self.target)

    def part(self, kind: SqlType, values: Any, name: str) -> Any:
        """Assign elements or a field."""
        return _Assignment(f"{self.where}, {name}", kind, values.type, "value").run(values)

    def array(self, chunk: Any, element: SqlType) -> Any:
        """A list of any kind by its elements, those behind NULL and outside the slice left out."""
        if not (pat.is_list(chunk.type) or pat.is_large_list(chunk.type)):
            chunk = self.cast(chunk, pa.large_list(chunk.type.value_type))
        elements = _whole(self.part(element, pc.list_flatten(chunk), "element"))
        lengths = pc.fill_null(pc.list_value_length(chunk), 0).to_numpy(zero_copy_only=False)
        offsets = np.zeros(len(chunk) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return pa.LargeListArray.from_arrays(
            pa.array(offsets), elements, type=self.target, mask=pc.is_null(chunk)
        )

    def composite(self, chunk: Any, fields: tuple[tuple[str, SqlType], ...]) -> Any:
        """A struct by its fields, found by name."""
        given = {field.name: field for field in chunk.type}
        names = [name for name, _ in fields]
        if sorted(given) != sorted(names) or len(given) < chunk.type.num_fields:
            found = ", ".join(field.name for field in chunk.type)
            problem = f"expected the fields {', '.join(names)}, found {found}"
            raise self.refusal(problem, "42804")
        flat = dict(zip([field.name for field in chunk.type], chunk.flatten(), strict=True))
        children = [_whole(self.part(kind, flat[name], f"field {name}")) for name, kind in fields]
        return pa.StructArray.from_arrays(
            children, fields=list(self.target), mask=pc.is_null(chunk)
        )

    def interval(self, chunk: Any) -> Any:
        """A duration is so many microseconds, never days; Arrow's own interval has all parts."""
        count, empty = len(chunk), pc.is_null(chunk)
        if pat.is_duration(chunk.type):
            exact = self.cast(self.cast(chunk, pa.duration("us")), pa.int64())
            zeros = pa.array(np.zeros(count, np.int32))
            parts = [zeros, zeros, exact]
        elif pat.is_struct(chunk.type):
            found = [chunk.type[i].name for i in range(chunk.type.num_fields)]
            wanted = [field.name for field in self.target]
            flat = dict(zip(found, chunk.flatten(), strict=True))
            if sorted(found) != sorted(wanted):
                raise self.refusal(f"expected the fields {', '.join(wanted)}", "42804")
            parts = [self.cast(flat[f.name], f.type) for f in self.target]
            if any(pc.any(pc.and_(pc.is_null(p), pc.invert(empty))).as_py() for p in parts):
                raise self.refusal("an INTERVAL has a part that is NULL", "22004")
        else:
            raw = np.frombuffer(chunk.buffers()[1], _MONTH_DAY_NANO, count, chunk.offset * 16)
            micros, rest = np.divmod(raw["nanoseconds"], 1000)
            if rest[~empty.to_numpy(zero_copy_only=False)].any():
                raise self.refusal("a value is finer than microseconds", "22008")
            parts = [pa.array(raw["months"]), pa.array(raw["days"]), pa.array(micros)]
        return pa.StructArray.from_arrays(parts, fields=list(self.target), mask=empty)

    # --- checks and refusals ----------------------------------------------------------------------

    def check_midnight(self, values: Any) -> None:
        """TIMESTAMP to DATE: pandas has no dates, only timestamps at midnight."""
        late = pc.not_equal(pc.floor_temporal(values, unit="day"), values)
        if pc.any(late).as_py():
            value = values[pc.index(late, True).as_py()].as_py()
            raise self.refusal(f"{value} is not at midnight; cast the column first", "22008")

    def check_range(self, numbers: Any, low: int, high: int) -> None:
        bounds = pc.min_max(numbers)
        least, most = bounds["min"].as_py(), bounds["max"].as_py()
        if least is not None and (least < low or most > high):
            raise self.refusal("a value is outside the years 0001 to 9999", "22008")

    def cast(self, values: Any, target: pa.DataType) -> Any:
        try:
            return pc.cast(values, target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise self.refusal(str(error), "22003") from error

    def refusal(self, problem: str, sqlstate: str) -> InvalidRequest:
        types = f"{type_name(self.wanted)} (Arrow {self.target})"
        return InvalidRequest(f"{self.where}: {self.found} to {types}: {problem}", sqlstate)


def _whole(values: Any) -> pa.Array:
    """One array of all chunks."""
    if not isinstance(values, pa.ChunkedArray):
        return values
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)

"""Results: carriers of execution as Arrow columns of the SQL types, and Arrow back to carriers.

DECIMALs that travel as 64-bit integers become decimal128 by their bytes, without arithmetic. What
does not fit the declared type (SMALLINT, INTEGER, the digits of a DECIMAL) is an error (22003).
CHAR(n) is padded, TIMESTAMPTZ tagged UTC. NUMERIC is a 64-bit float, a row a struct of f1, f2, ….
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from storage.errors import InternalError, InvalidRequest
from storage.micropartition.physical import encode, to_logical
from storage.schema import (
    SCALED_PRECISION_MAX,
    ArrayType,
    CharType,
    DecimalType,
    StructType,
    arrow_type,
)
from warehouse.algebra.types import (
    INTEGER,
    SMALLINT,
    TIMESTAMPTZ,
    UUID,
    AnyType,
    RecordType,
    shown,
)
from warehouse.execution.literals import fields_of
from warehouse.execution.result_types import result_field, result_type
from warehouse.execution.value import carrier

__all__ = ["arrow_column", "carrier_column", "decode"]


def decode(frame: pl.DataFrame, outputs: Sequence[tuple[str, AnyType, bool]]) -> pa.Table:
    """The frame's columns, in order, as a table of these outputs.

    Args:
        outputs: name (repeated as may be), type, and whether a DECIMAL is wide.
    Raises:
        InvalidRequest: a value is out of its type's range (22003).
    """
    if frame.width != len(outputs):
        raise InternalError(f"{frame.width} columns for {len(outputs)} outputs")
    columns = [
        arrow_column(series, kind, wide)
        for series, (_, kind, wide) in zip(frame.get_columns(), outputs, strict=True)
    ]
    fields = [result_field(name, kind) for name, kind, _ in outputs]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def arrow_column(series: pl.Series, kind: AnyType, wide: bool) -> pa.ChunkedArray:
    """A column of carriers in the Arrow type of its SQL type."""
    held = carrier(kind, wide=wide)
    if series.dtype != held:
        # A column without any value may have lost its type on the way.
        if series.null_count() != len(series):
            raise InternalError(f"a column of {series.dtype} for {kind}, which travels as {held}")
        series = pl.Series(series.name, [], dtype=held).extend_constant(None, len(series))
    match kind:
        case DecimalType():
            return _decimal(series, kind, wide)
        case CharType(length):
            return _arrow(series.str.pad_end(length, " "), kind)
        case ArrayType() | StructType() | RecordType():
            return _nested(series, kind)
        case _ if kind in (SMALLINT, INTEGER):
            return _integer(series, kind)
        case _ if kind == TIMESTAMPTZ:
            return _arrow(series.dt.replace_time_zone("UTC"), kind)
        case _:
            return _arrow(series, kind)


def _arrow(series: pl.Series, kind: AnyType) -> pa.ChunkedArray:
    target = result_type(kind)
    array = (
        series.cast(pl.String()).to_arrow()
        if isinstance(series.dtype, pl.Enum)
        else (series.to_arrow())
    )
    return pa.chunked_array([array if array.type == target else array.cast(target)], target)


def _integer(series: pl.Series, kind: AnyType) -> pa.ChunkedArray:
    target = result_type(kind)
    try:
        return pa.chunked_array([series.to_arrow().cast(target)], target)
    except pa.ArrowInvalid as error:
        raise InvalidRequest(f"{shown(kind)} out of range", "22003") from error


def _decimal(series: pl.Series, kind: DecimalType, wide: bool) -> pa.ChunkedArray:
    target = arrow_type(kind)
    numbers = series.reinterpret(dtype=pl.Int128()) if wide else series
    low, high = cast("int | None", numbers.min()), cast("int | None", numbers.max())
    if low is not None and high is not None:
        limit = 10**kind.precision
        if low <= -limit or high >= limit:
            raise InvalidRequest("numeric field overflow", "22003")
    if kind.precision <= SCALED_PRECISION_MAX and not wide:
        return to_logical(pa.chunked_array([numbers.to_arrow()], pa.int64()), kind)
    exact = numbers.cast(pl.Int128()).reinterpret(dtype=pl.Decimal(38, kind.scale))
    return pa.chunked_array([exact.to_arrow().cast(target)], target)


def _nested(series: pl.Series, kind: AnyType) -> pa.ChunkedArray:
    target = result_type(kind)
    missing = series.is_null().to_arrow() if series.null_count() else None
    if isinstance(kind, ArrayType):
        items = series.explode(keep_nulls=False, empty_as_null=False)
        inner = arrow_column(items, kind.element, _is_wide(kind.element)).combine_chunks()
        counts = series.list.len().fill_null(0).cast(pl.Int64())
        ends = pl.concat([pl.Series([0], dtype=pl.Int64()), counts.cum_sum()])
        offsets = ends.to_arrow()
        listed = pa.LargeListArray.from_arrays(offsets, inner, type=target, mask=missing)
        return pa.chunked_array([listed], target)
    fields = fields_of(kind)
    if fields is None:
        raise InternalError(f"{kind} is not nested")
    columns = series.struct.unnest().get_columns()
    parts = [
        arrow_column(part, inner, _is_wide(inner)).combine_chunks()
        for part, (_, inner) in zip(columns, fields, strict=True)
    ]
    made = pa.StructArray.from_arrays(parts, fields=list(target), mask=missing)
    return pa.chunked_array([made], target)


def _is_wide(kind: AnyType) -> bool:
    return isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX


def carrier_column(column: pa.Array | pa.ChunkedArray, kind: AnyType) -> pl.Series:
    """Values in the Arrow type of a SQL type as its carrier (DECIMAL: by precision)."""
    held = carrier(kind, wide=_is_wide(kind))
    whole = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    match kind:
        case DecimalType(precision, _) if precision <= SCALED_PRECISION_MAX:
            return pl.Series(encode(whole, kind))
        case CharType():
            return pl.Series(whole).cast(pl.String()).str.strip_chars_end(" ")
        case ArrayType() | StructType() | RecordType():
            return _nested_carrier(whole, kind)
        case _ if kind == TIMESTAMPTZ:
            return pl.Series(whole).dt.replace_time_zone(None).cast(held)
        case _ if kind == UUID:
            return pl.Series(whole.cast(pa.large_binary()))
        case _:
            return pl.Series(whole).cast(held)


def _nested_carrier(column: pa.ChunkedArray, kind: AnyType) -> pl.Series:
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if isinstance(kind, ArrayType):
        inner = carrier_column(array.flatten(), kind.element)
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        ends = pc.cumulative_sum(lengths.cast(pa.int64()))
        offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
        mask = array.is_null() if array.null_count else None
        listed = pa.LargeListArray.from_arrays(offsets, inner.to_arrow(), mask=mask)
        return pl.Series(listed).cast(carrier(kind))
    fields = fields_of(kind)
    if fields is None:
        raise InternalError(f"{kind} is not nested")
    parts = [
        carrier_column(array.field(i), inner).alias(name) for i, (name, inner) in enumerate(fields)
    ]
    packed = pl.DataFrame(parts).to_struct("")
    if not array.null_count:
        return packed
    valid = pl.Series(array.is_valid())
    return pl.select(pl.when(valid).then(packed)).to_series()

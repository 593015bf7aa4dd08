"""Functions that users registered, called over whole Arrow columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.schema import SCALED_PRECISION_MAX, DecimalType
from warehouse.algebra.types import AnyType
from warehouse.execution.decode import arrow_column, carrier_column
from warehouse.execution.ranges import type_range
from warehouse.execution.result_types import result_type
from warehouse.execution.scaled import canonical
from warehouse.execution.value import Value, any_fault, carrier

__all__ = ["call_udf"]


def call_udf(
    fn: str, args: list[Value], kind: AnyType, udfs: Mapping[str, Callable[..., Any]]
) -> Value:
    """`fn` ("udf:name") over the arguments as Arrow arrays; it sees NULLs.

    Raises:
        UnknownObject: no function of that name is registered.
    """
    name = fn.removeprefix("udf:")
    function = udfs.get(name)
    if function is None:
        raise UnknownObject(f"function {name} is not registered on this session", "42883")
    if not args:
        raise NotYet(f"function {name} has no arguments: how many values would it return?")
    held = [canonical(arg) for arg in args]
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    kinds = [(arg.type, arg.wide) for arg in held]

    def run(packed: pl.Series) -> pl.Series:
        columns = packed.struct.unnest().get_columns()
        arrays = [arrow_column(c, *about) for c, about in zip(columns, kinds, strict=True)]
        made = _called(name, function, arrays, kind)
        if len(made) != len(packed):
            message = f"function {name} returned {len(made)} values for {len(packed)} rows"
            raise InvalidRequest(message, "39000")
        return carrier_column(made, kind).rename(packed.name)

    row = [arg.expr.alias(f"a{i}") for i, arg in enumerate(held)]
    expr = pl.struct(row).map_batches(
        run, return_dtype=carrier(kind, wide=wide), is_elementwise=True
    )
    return Value(
        expr,
        kind,
        range=None if wide else type_range(kind),
        wide=wide,
        fault=any_fault(arg.fault for arg in args),
    )


def _called(
    name: str, function: Callable[..., Any], arrays: list[pa.ChunkedArray], kind: AnyType
) -> pa.Array:
    """What the function returns for the arrays, in the Arrow type of `kind`."""
    try:
        made = function(*(array.combine_chunks() for array in arrays))
    except Exception as error:
        message = f"function {name} failed: {type(error).__name__}: {error}"
        raise InvalidRequest(message, "39000") from error
    try:
        whole = made if isinstance(made, pa.Array | pa.ChunkedArray) else pa.array(made)
        return whole.cast(result_type(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError) as error:
        message = f"function {name} returned what is no {result_type(kind)}: {error}"
        raise InvalidRequest(message, "39000") from error

"""Python functions over rows, where Polars has no expression of its own.

`rowwise` makes a `Value` of a plain Python function:

    def initials(name: str, least: int) -> str: ...
    rowwise(initials, [name, least], TEXT)

The function gets Python values (those that `algebra.Literal` documents: int, Decimal, float, str,
bytes, date, (months, days, microseconds), uuid.UUID, tuples) and returns one of type `kind`. A row
with a NULL argument is NULL and does not reach it (unless `strict=False`). What it raises as an
`InvalidRequest` is that row's fault; so is a value that `kind` cannot hold.

It runs once per distinct row of arguments as far as possible, for two reasons: many columns repeat,
and Polars evaluates value and fault as two expressions. Hence it must be pure.

A batch without a row to compute costs nothing, so a native expression can leave to a kernel the
few rows that it cannot do: give it NULL for all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from storage.errors import InvalidRequest
from storage.schema import SCALED_PRECISION_MAX, ArrayType, DecimalType, StructType
from warehouse.algebra.types import (
    NUMERIC,
    AnyType,
    RecordType,
    is_float,
    is_integer,
    shown,
)
from warehouse.execution.literals import from_carrier, to_carrier, unscaled
from warehouse.execution.ranges import type_range
from warehouse.execution.value import Value, any_fault, carrier, fault_text

__all__ = ["rowwise"]

_REMEMBERED_MAX = 1 << 16


def rowwise(
    function: Callable[..., Any],
    values: Sequence[Value],
    kind: AnyType,
    *,
    strict: bool = True,
) -> Value:
    """`function` of each row's `values`, as a value of type `kind`.

    Args:
        function: pure; takes as many arguments as there are values, returns None for NULL.
        strict: NULL for rows with a NULL argument; else the function gets None.
    """
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    made = pl.Struct({"value": carrier(kind, wide=wide), "fault": pl.String()})
    run = _Kernel(function, [value.type for value in values], kind, strict, made)
    packed = pl.struct([value.expr.alias(f"a{i}") for i, value in enumerate(values)])
    result = packed.map_batches(run, return_dtype=made, is_elementwise=True)
    faults = [value.fault for value in values]
    return Value(
        result.struct.field("value"),
        kind,
        range=type_range(kind) if not wide else None,
        wide=wide,
        fault=any_fault([*faults, result.struct.field("fault")]),
    )


class _Kernel:
    """The function as Polars calls it, with the results that it remembers."""

    def __init__(
        self,
        function: Callable[..., Any],
        kinds: list[AnyType],
        kind: AnyType,
        strict: bool,
        made: pl.Struct,
    ) -> None:
        self._function = function
        self._kinds = kinds
        self._kind = kind
        self._strict = strict
        self._made = made
        self._bounds = type_range(kind) if is_integer(kind) else None
        # 0.0 and -0.0 are one key, but not one value.
        self._remembers = not any(_has_float(kind) for kind in kinds)
        self._known: dict[Any, tuple[Any, str | None]] = {}

    def __call__(self, packed: pl.Series) -> pl.Series:
        columns = packed.struct.unnest()
        if not self._strict:
            return self._computed(columns).alias(packed.name)
        filled = columns.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
        if filled.all():
            return self._computed(columns).alias(packed.name)
        nothing = pl.Series(packed.name, [None], dtype=self._made)
        if not filled.any():
            return nothing.new_from_index(0, len(packed))
        # Behind the computed rows there is one of NULLs, for all others.
        made = self._computed(columns.filter(filled)).alias(packed.name).append(nothing)
        place = pl.when(filled).then(filled.cast(pl.Int64()).cum_sum() - 1).otherwise(len(made) - 1)
        return made.gather(pl.select(place).to_series())

    def _computed(self, columns: pl.DataFrame) -> pl.Series:
        rows = [self._row(row) for row in columns.iter_rows()]
        value_type, fault_type = (field.dtype for field in self._made.fields)
        values = pl.Series("value", [value for value, _ in rows], dtype=value_type, strict=True)
        faults = pl.Series("fault", [fault for _, fault in rows], dtype=fault_type)
        return pl.DataFrame([values, faults]).to_struct()

    def _row(self, row: tuple[Any, ...]) -> tuple[Any, str | None]:
        arguments = tuple(map(from_carrier, row, self._kinds))
        if not self._remembers:
            return self._compute(arguments)
        found = self._known.get(arguments)
        if found is None:
            found = self._compute(arguments)
            if len(self._known) < _REMEMBERED_MAX:
                self._known[arguments] = found
        return found

    def _compute(self, arguments: tuple[Any, ...]) -> tuple[Any, str | None]:
        try:
            return self._checked(self._function(*arguments)), None
        except InvalidRequest as error:
            return None, fault_text(error.sqlstate, error.message)

    def _checked(self, value: Any) -> Any:
        """The carrier of a result. Raises InvalidRequest if the type cannot hold it."""
        if value is None:
            return None
        if self._bounds is not None and not self._bounds.low <= value <= self._bounds.high:
            raise InvalidRequest(f"{shown(self._kind)} out of range", "22003")
        held = to_carrier(value, self._kind)
        kind = self._kind
        if isinstance(kind, DecimalType) and abs(unscaled(value, kind.scale)) >= 10**kind.precision:
            raise InvalidRequest("numeric field overflow", "22003")
        return held


def _has_float(kind: AnyType) -> bool:
    match kind:
        case ArrayType(element):
            return _has_float(element)
        case StructType():
            return any(_has_float(inner) for _, inner in kind.fields)
        case RecordType():
            return any(_has_float(inner) for inner in kind.fields)
        case _:
            return is_float(kind) or kind == NUMERIC

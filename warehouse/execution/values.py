"""VALUES: rows of expressions without columns, computed at once.

A list may have thousands of rows, nearly all of them literals: an expression in Polars for each
cell would take far longer than the rest of the statement. So the cells of a column are sorted by
what they are: literals of one type become a series at once, literals under the same cast another,
which is then cast as a whole; only what is left is lowered cell by cell.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from storage.errors import InternalError
from storage.schema import DecimalType
from warehouse.algebra.expressions import Cast, ColumnRef, Expr, Literal
from warehouse.algebra.relations import Values
from warehouse.algebra.types import AnyType, is_integer
from warehouse.execution.keys import aligned, any_of
from warehouse.execution.literals import to_carrier, unscaled
from warehouse.execution.lowered import PRESENT, Context, Lowered, column_name, column_of
from warehouse.execution.value import INT64, Range, Value, carrier, fault_of, raised

__all__ = ["lower_values"]

_CELLS = "cells"
_AS_THEY_ARE = (int, str, float, bytes)  # Python types whose values a series takes unchanged


@dataclass(frozen=True, slots=True)
class _Part:
    """Some cells of a column: their rows, their carriers, and what is known of them."""

    positions: Sequence[int]
    series: pl.Series
    known: Value


def lower_values(node: Values, context: Context) -> Lowered:
    """The rows as a frame. Raises InvalidRequest: a cell ends in an error."""
    if not node.rows:
        raise InternalError("VALUES without rows")
    frame = [pl.repeat(True, len(node.rows), dtype=pl.Boolean, eager=True).alias(PRESENT)]
    known: dict[int, Value] = {}
    for output, cells in zip(node.outputs, zip(*node.rows, strict=True), strict=False):
        series, value = _column(cells, context)
        frame.append(series.alias(column_name(output.id)))
        known[output.id] = column_of(output.id, value)
    names = [series.name for series in frame[1:]] or [PRESENT]
    return Lowered(pl.DataFrame(frame).lazy().select(names), known)


def _column(cells: Sequence[Expr], context: Context) -> tuple[pl.Series, Value]:
    alike: dict[Hashable, list[int]] = {}
    for position, cell in enumerate(cells):
        alike.setdefault(_shape(cell), []).append(position)
    parts = [
        _part([cells[position] for position in positions], positions, context)
        for positions in alike.values()
    ]
    if any(part.known.wide for part in parts):
        parts = [_widened(part) for part in parts]
    known = any_of([part.known for part in parts])
    if len(parts) == 1:
        return parts[0].series, known
    # Behind one another, the parts are in the order of their positions.
    places = pl.Series([p for part in parts for p in part.positions], dtype=pl.UInt32)
    return pl.concat([part.series for part in parts]).gather(places.arg_sort()), known


def _shape(cell: Expr) -> Hashable:
    """Equal for cells that are computed together."""
    if isinstance(cell, Literal):
        return cell.type
    if isinstance(cell, Cast) and isinstance(cell.arg, Literal):
        return (cell.type, cell.explicit, cell.arg.type)
    return None


def _part(cells: list[Expr], positions: list[int], context: Context) -> _Part:
    first = cells[0]
    if isinstance(first, Literal):
        return _literals(cells, first.type, positions)
    if isinstance(first, Cast) and isinstance(first.arg, Literal):
        below = _literals([cell.arg for cell in cells], first.arg.type, positions)  # type: ignore[attr-defined]
        column = ColumnRef(type=first.arg.type, id=0)
        made = context.lower(_cast_of(first, column), {0: below.known})
        found = _computed(below.series.alias(_CELLS).to_frame(), [raised(made).alias("0")])
        return _Part(positions, found.to_series(), made)
    return _one_by_one(cells, positions, context)


def _cast_of(cast: Cast, arg: Expr) -> Cast:
    """The same cast of something else."""
    return Cast(type=cast.type, arg=arg, explicit=cast.explicit)


def _one_by_one(cells: list[Expr], positions: list[int], context: Context) -> _Part:
    values = aligned([context.lower(cell, {}) for cell in cells])
    made = [raised(value).alias(str(i)) for i, value in enumerate(values)]
    row = _computed(pl.DataFrame({_CELLS: [True]}), made)
    series = pl.concat([column.alias("0") for column in row.get_columns()])
    return _Part(positions, series, any_of(values))


def _computed(frame: pl.DataFrame, made: list[pl.Expr]) -> pl.DataFrame:
    """The expressions over the rows. Raises their fault, if any."""
    try:
        return frame.with_columns(made).select([expr.meta.output_name() for expr in made])
    except pl.exceptions.PolarsError as error:
        raise fault_of(error) or error from None


def _widened(part: _Part) -> _Part:
    if part.known.wide:
        return part
    kind = part.known.type
    assert isinstance(kind, DecimalType)
    series = part.series.cast(pl.Int128).reinterpret(dtype=pl.Decimal(38, kind.scale))
    return _Part(part.positions, series, replace(part.known, range=None, wide=True))


# --- literals -------------------------------------------------------------------------------------


def _literals(cells: Sequence[Expr], kind: AnyType, positions: Sequence[int]) -> _Part:
    """Literals of one type."""
    values: list[Any] = [cell.value for cell in cells]  # type: ignore[attr-defined]
    nullable = None in values
    bounds = None
    wide = False
    if isinstance(kind, DecimalType):
        numbers = [None if v is None else unscaled(v, kind.scale) for v in values]
        bounds = _bounds(numbers)
        wide = not bounds.within(INT64)
        series = pl.Series(_CELLS, numbers, dtype=pl.Int128 if wide else pl.Int64)
        if wide:
            series, bounds = series.reinterpret(dtype=pl.Decimal(38, kind.scale)), None
    else:
        bounds = _bounds(values) if is_integer(kind) else None
        if any(type(value) not in _AS_THEY_ARE for value in values if value is not None):
            values = [to_carrier(value, kind) for value in values]
        series = pl.Series(_CELLS, values, dtype=carrier(kind))
    return _Part(positions, series, Value(pl.col(_CELLS), kind, bounds, nullable, wide))


def _bounds(numbers: Sequence[int | None]) -> Range:
    present = [number for number in numbers if number is not None]
    return Range(min(present), max(present)) if present else Range(0, 0)

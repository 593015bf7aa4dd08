"""How many rows a relation is expected to have, from the statistics of files.

Only join order asks; a wrong guess costs time, never an answer. What is known and what is guessed:

1. Rows of a table: of its files, plus deltas.
2. A range of a number, date or timestamp: per file, the share of [min, max] that it covers,
   weighted by rows. Ranges of one column in one conjunction are intersected first.
3. Distinct values of an integer or date column: at most max - min + 1, at most the table's rows.
   Two joined columns share at most the smaller number: an unfiltered key joined with its foreign
   key gives as many rows as the foreign key has.
4. Several columns that join the same two relations have no more distinct combinations than either
   relation has rows: otherwise keys of two columns would look far too selective.
5. The rest is guessed by constants, as planners have since Selinger et al., 1979.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.schema import (
    SCALED_PRECISION_MAX,
    Column,
    DecimalType,
    Kind,
    ScalarType,
    is_integer,
    plain_type,
)
from storage.snapshot.model import TableState
from warehouse.algebra.expressions import (
    Call,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    conjuncts,
)
from warehouse.algebra.walk import columns_used

__all__ = ["OTHER_SHARE", "UNKNOWN_ROWS", "Estimate", "TableStatistics", "conjunction"]

EQUAL_SHARE = 0.05  # of a column of which nothing is known
PATTERN_SHARE = 0.1  # LIKE
OTHER_SHARE = 1 / 3
UNKNOWN_ROWS = 1000.0
_EPOCH = datetime.datetime(1970, 1, 1)
_FLIPPED = {"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_PATTERNS = ("~~(text,text)", "~~*(text,text)", "~(text,text)", "~*(text,text)")

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is expected of a relation.

    Attributes:
        rows: expected.
        rows_total: expected without the conditions on this relation alone.
        distinct: by column id, an upper bound of its distinct values; absent means unknown.
        tables: by column id, the statistics of the table that the column comes from unchanged.
    """

    rows: float
    rows_total: float
    distinct: Mapping[int, float] = field(default_factory=dict)
    tables: Mapping[int, TableColumn] = field(default_factory=dict)

    def distinct_of(self, column: int) -> float:
        """At most this many distinct values, at least 1."""
        return max(1.0, min(self.distinct.get(column, self.rows_total), self.rows_total))

    def filtered(self, predicate: Expr) -> Estimate:
        """After a condition on its columns."""
        rows = max(1.0, self.rows * conjunction(conjuncts(predicate), self.tables))
        return replace(self, rows=rows)


class TableStatistics:
    """One table's statistics: shares of rows and distinct values."""

    def __init__(self, table: TableState) -> None:
        self._columns = {column.name: column for column in table.columns}
        self._files = table.files.table
        self._row_counts: _Floats = np.asarray(self._files["row_count"], dtype=np.float64)
        self.rows = float(self._row_counts.sum()) + sum(d.row_count for d in table.deltas)

    def estimate(self, columns: Iterable[tuple[ColumnRef, str]]) -> Estimate:
        """Of a scan of these columns."""
        tables = {column.id: TableColumn(self, self._columns[name]) for column, name in columns}
        found = {key: self._distinct(known.column) for key, known in tables.items()}
        return Estimate(
            rows=max(1.0, self.rows),
            rows_total=max(1.0, self.rows),
            distinct={key: count for key, count in found.items() if count is not None},
            tables=tables,
        )

    def share(self, column: Column, low: float, high: float) -> float:
        """The share of rows with a value in [low, high]."""
        lows, highs = (
            _values(self._files, f"min_{column.id}"),
            _values(self._files, f"max_{column.id}"),
        )
        if lows is None or highs is None or not self.rows:
            return OTHER_SHARE
        step = 1.0 if _is_discrete(column) else 0.0
        with np.errstate(all="ignore"):
            width = highs - lows + step
            inside = np.minimum(highs, high) - np.maximum(lows, low) + step
            shares = np.clip(inside / width, 0.0, 1.0)
        guess = EQUAL_SHARE if low == high else OTHER_SHARE
        shares = np.where(np.isnan(shares), guess, shares)
        if low == high and not step:
            shares = np.where(inside >= 0, EQUAL_SHARE, 0.0)
        weight = float(self._row_counts.sum())
        return float((shares * self._row_counts).sum() / weight) if weight else guess

    def null_share(self, column: Column) -> float:
        """The share of rows where the column is NULL."""
        counts = _values(self._files, f"null_count_{column.id}")
        if counts is None or not self.rows:
            return EQUAL_SHARE
        return min(1.0, float(np.nansum(counts)) / self.rows)

    def _distinct(self, column: Column) -> float | None:
        if not (is_integer(column.type) or column.type == ScalarType(kind=Kind.DATE)):
            return None
        lows, highs = (
            _values(self._files, f"min_{column.id}"),
            _values(self._files, f"max_{column.id}"),
        )
        if lows is None or highs is None or np.isnan(lows).all():
            return None
        return float(np.nanmax(highs) - np.nanmin(lows)) + 1.0


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A table's column and the table's statistics."""

    statistics: TableStatistics
    column: Column

    def interval(self, op: str, value: Any) -> tuple[float, float] | None:
        """The values that compare so with a constant, as the statistics count; None if unknown."""
        point = _point(self.column, value)
        if point is None:
            return None
        step = 1.0 if _is_discrete(self.column) else 0.0
        match op:
            case "<":
                return -math.inf, point - step
            case "<=":
                return -math.inf, point
            case ">":
                return point + step, math.inf
            case ">=":
                return point, math.inf
            case _:
                return point, point


# --- conditions -----------------------------------------------------------------------------------


def conjunction(conditions: Iterable[Expr], tables: Mapping[int, TableColumn]) -> float:
    """The share of rows that may satisfy all conditions."""
    share = 1.0
    ranges: dict[int, tuple[float, float]] = {}
    for part in (part for condition in conditions for part in conjuncts(condition)):
        found = _range(part, tables)
        if found is None:
            share *= _share(part, tables)
            continue
        column, low, high = found
        before = ranges.get(column, (-math.inf, math.inf))
        ranges[column] = (max(before[0], low), min(before[1], high))
    for column, (low, high) in ranges.items():
        known = tables[column]
        share *= known.statistics.share(known.column, low, high)
    return share


def _range(node: Expr, tables: Mapping[int, TableColumn]) -> tuple[int, float, float] | None:
    """(column, low, high) of a comparison with a constant; None if it is something else."""
    if not isinstance(node, Call) or node.fn not in _FLIPPED:
        return None
    op, (column, other) = node.fn, node.args
    if not _column(column):
        op, column, other = _FLIPPED[op], other, column
    found = _column(column)
    if found is None or found.id not in tables or not isinstance(other, Literal):
        return None
    interval = tables[found.id].interval(op, other.value)
    return None if interval is None else (found.id, *interval)


def _column(node: Expr) -> ColumnRef | None:
    if isinstance(node, Cast):
        node = node.arg
    return node if isinstance(node, ColumnRef) else None


def _share(node: Expr, tables: Mapping[int, TableColumn]) -> float:
    """The share of one condition that is neither a conjunction nor a known range."""
    match node:
        case Call(fn="or", args=args):
            return min(1.0, sum(conjunction([side], tables) for side in args))
        case Call(fn="not", args=(arg,)):
            return max(EQUAL_SHARE, 1.0 - conjunction([arg], tables))
        case Call(fn="=" | "is not distinct"):
            return EQUAL_SHARE
        case Call(fn="is null", args=(ColumnRef(id=key),)) if key in tables:
            return tables[key].statistics.null_share(tables[key].column)
        case Call(fn="is not null", args=(ColumnRef(id=key),)) if key in tables:
            return 1.0 - tables[key].statistics.null_share(tables[key].column)
        case Call(fn="<>" | "is distinct" | "is not null"):
            return 1.0 - EQUAL_SHARE
        case InList(arg=arg, items=items, negated=negated):
            equal = (Call(type=node.type, fn="=", args=(arg, item)) for item in items[:100])
            share = min(1.0, sum(conjunction([test], tables) for test in equal))
            return max(EQUAL_SHARE, 1.0 - share) if negated else share
        case Call(fn=fn) if fn in _PATTERNS:
            return PATTERN_SHARE
        case Literal(value=value):
            return 1.0 if value else 0.0
        case _:
            return OTHER_SHARE if columns_used(node) else 1.0


# --- values ---------------------------------------------------------------------------------------


def _is_discrete(column: Column) -> bool:
    return plain_type(column.type) not in (
        ScalarType(kind=Kind.REAL),
        ScalarType(kind=Kind.DOUBLE),
        ScalarType(kind=Kind.TIMESTAMP),
        ScalarType(kind=Kind.TIMESTAMPTZ),
    )


def _point(column: Column, value: Any) -> float | None:
    """A constant as a number in the domain of the column's statistics; None if it is none there."""
    try:
        found = _number(column, value)
    except OverflowError:
        return None
    return found if found is not None and math.isfinite(found) else None


def _number(column: Column, value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | datetime.date):
        return None
    match column.type:
        case ScalarType(Kind.DATE) if isinstance(value, datetime.date):
            return float(value.toordinal() - _EPOCH.toordinal())
        case ScalarType(Kind.TIMESTAMP | Kind.TIMESTAMPTZ) if isinstance(value, datetime.date):
            moment = datetime.datetime.combine(value, datetime.time())
            if isinstance(value, datetime.datetime):
                moment = value.replace(tzinfo=None)
            return (moment - _EPOCH) / datetime.timedelta(microseconds=1)
        case _ if isinstance(value, datetime.date):
            return None
        case DecimalType(precision, scale) if precision <= SCALED_PRECISION_MAX:
            return float(value) * 10.0**scale
        case ScalarType(Kind.REAL | Kind.DOUBLE):
            return float(value)
        case sql_type:
            return float(value) if is_integer(sql_type) else None


def _values(files: pa.Table, name: str) -> _Floats | None:
    """A statistic of every file as a number; NaN where it is not known."""
    if name not in files.column_names:
        return None
    values = files[name]
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return None
    numbers = np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)

"""How many rows a table, a condition or a join is expected to have, from the statistics of files.

Only join order asks; a wrong guess costs time, never an answer. What is known and what is guessed:

1. Rows: of the files that pruning left, plus deltas.
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

import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from actors.planner import PlannedScan
from storage.schema import (
    SCALED_PRECISION_MAX,
    Column,
    DecimalType,
    Kind,
    ScalarType,
    is_integer,
)
from warehouse.sql.constants import UNKNOWN, constant

__all__ = ["OTHER_SHARE", "UNKNOWN_ROWS", "Relation", "TableRelation", "conjunction"]

EQUAL_SHARE = 0.05  # of a column of which nothing is known
PATTERN_SHARE = 0.1  # LIKE
OTHER_SHARE = 1 / 3
UNKNOWN_ROWS = 1000.0
_EPOCH = datetime.datetime(1970, 1, 1)
_RANGES = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)
_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.EQ,
    exp.LT: exp.GT,
    exp.GT: exp.LT,
    exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
}

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What FROM offers under one name.

    Attributes:
        rows: expected after the conditions on this relation alone.
        rows_total: expected without them.
        distinct: by column, an upper bound of its distinct values; absent means unknown.
    """

    rows: float
    rows_total: float
    distinct: Mapping[str, float] = field(default_factory=dict)

    def distinct_of(self, column: str) -> float:
        """At most this many distinct values, at least 1."""
        return max(1.0, min(self.distinct.get(column, self.rows_total), self.rows_total))

    def filtered(self, conditions: Iterable[exp.Expr], alias: str) -> Relation:
        """After conditions under `alias`, of whose columns no statistics are known."""
        rows = max(1.0, self.rows * conjunction(conditions, alias))
        return dataclasses.replace(self, rows=rows)


class TableRelation:
    """One scan's statistics, read once and asked for shares of rows and for distinct values."""

    def __init__(self, scan: PlannedScan) -> None:
        self._columns = {column.name: column for column in scan.columns}
        self._pruned = scan.files.table
        self._all = scan.table.files.table
        self._row_counts: _Floats = np.asarray(self._pruned["row_count"], dtype=np.float64)
        deltas = sum(delta.row_count for delta in scan.table.deltas)
        self._rows = float(self._row_counts.sum()) + deltas
        self._rows_total = float(scan.table.files.row_count) + deltas

    def relation(self, conditions: Iterable[exp.Expr], alias: str) -> Relation:
        """The relation under `alias`; conditions on other relations are ignored."""
        share = conjunction(conditions, alias, self)
        found = {name: self._distinct(column) for name, column in self._columns.items()}
        return Relation(
            rows=max(1.0, self._rows * share),
            rows_total=max(1.0, self._rows_total),
            distinct={name: count for name, count in found.items() if count is not None},
        )

    def interval(self, name: str, kind: type[exp.Expr], value: Any) -> tuple[float, float] | None:
        """The values that compare so with a constant, as the statistics count; None if unknown."""
        column = self._columns.get(name)
        point = None if column is None else _point(column, value)
        if column is None or point is None:
            return None
        step = 1.0 if _is_discrete(column) else 0.0
        match kind:
            case exp.LT:
                return -math.inf, point - step
            case exp.LTE:
                return -math.inf, point
            case exp.GT:
                return point + step, math.inf
            case exp.GTE:
                return point, math.inf
            case _:
                return point, point

    def share(self, name: str, low: float, high: float) -> float:
        """The share of this scan's rows with a value in [low, high]."""
        column = self._columns[name]
        lows, highs = _bounds(self._pruned, column, "min"), _bounds(self._pruned, column, "max")
        if lows is None or highs is None or not self._rows:
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

    def null_share(self, name: str) -> float:
        """The share of this scan's rows where the column is NULL."""
        column = self._columns.get(name)
        counts = None if column is None else _values(self._pruned, f"null_count_{column.id}")
        if counts is None or not self._rows:
            return EQUAL_SHARE
        return min(1.0, float(np.nansum(counts)) / self._rows)

    def _distinct(self, column: Column) -> float | None:
        if not (is_integer(column.type) or column.type == ScalarType(kind=Kind.DATE)):
            return None
        lows, highs = _bounds(self._all, column, "min"), _bounds(self._all, column, "max")
        if lows is None or highs is None or np.isnan(lows).all():
            return None
        return float(np.nanmax(highs) - np.nanmin(lows)) + 1.0


# --- conditions -----------------------------------------------------------------------------------


def conjunction(
    conditions: Iterable[exp.Expr], alias: str, table: TableRelation | None = None
) -> float:
    """The share of `alias`'s rows that may satisfy all conditions, as far as they speak of it."""
    share = 1.0
    ranges: dict[str, tuple[float, float]] = {}
    for condition in conditions:
        for part in _parts(condition):
            found = _range(part, alias, table)
            if found is None:
                share *= _share(part, alias, table)
                continue
            name, low, high = found
            before = ranges.get(name, (-math.inf, math.inf))
            ranges[name] = (max(before[0], low), min(before[1], high))
    for name, (low, high) in ranges.items():
        assert table is not None
        share *= table.share(name, low, high)
    return share


def _parts(condition: exp.Expr) -> Iterable[exp.Expr]:
    if isinstance(condition, exp.Paren):
        yield from _parts(condition.this)
    elif isinstance(condition, exp.And):
        yield from _parts(condition.this)
        yield from _parts(condition.expression)
    else:
        yield condition


def _range(
    node: exp.Expr, alias: str, table: TableRelation | None
) -> tuple[str, float, float] | None:
    """(column, low, high) of a comparison with a constant; None if it is something else."""
    if table is None or not isinstance(node, _RANGES):
        return None
    ends: list[tuple[type[exp.Expr], exp.Expr]]
    if isinstance(node, exp.Between):
        ends = [(exp.GTE, node.args["low"]), (exp.LTE, node.args["high"])]
        column: exp.Expr = node.this
    else:
        kind: type[exp.Expr] = type(node)
        column, other = node.this, node.expression
        if not _is_own(column, alias):
            kind, column, other = _FLIPPED[kind], other, column
        ends = [(kind, other)]
    if not _is_own(column, alias):
        return None
    low, high = -math.inf, math.inf
    for kind, end in ends:
        value = constant(end)
        found = None if value is UNKNOWN else table.interval(column.name, kind, value)
        if found is None:
            return None
        low, high = max(low, found[0]), min(high, found[1])
    return column.name, low, high


def _share(node: exp.Expr, alias: str, table: TableRelation | None) -> float:
    """The share of one condition that is neither a conjunction nor a known range."""
    if isinstance(node, exp.Or):
        sides = (node.this, node.expression)
        return min(1.0, sum(conjunction([side], alias, table) for side in sides))
    if not _speaks_only_of(node, alias):
        return 1.0
    if isinstance(node, exp.Not):
        return max(EQUAL_SHARE, 1.0 - conjunction([node.this], alias, table))
    share = _leaf(node, table)
    return max(EQUAL_SHARE, 1.0 - share) if node.args.get("negate") else share


def _leaf(node: exp.Expr, table: TableRelation | None) -> float:
    match node:
        case exp.EQ() | exp.NullSafeEQ():
            return EQUAL_SHARE
        case exp.NEQ():
            return 1.0 - EQUAL_SHARE
        case exp.In() if node.expressions:
            equal = (exp.EQ(this=node.this.copy(), expression=i.copy()) for i in node.expressions)
            alias = node.this.table if isinstance(node.this, exp.Column) else ""
            return min(1.0, sum(conjunction([e], alias, table) for e in equal))
        case exp.Like() | exp.ILike():
            return PATTERN_SHARE
        case exp.Is() if isinstance(node.expression, exp.Null):
            known = table is not None and isinstance(node.this, exp.Column)
            return table.null_share(node.this.name) if table and known else EQUAL_SHARE
        case exp.Boolean():
            return 1.0 if node.this else 0.0
        case _:
            return OTHER_SHARE


def _is_own(node: exp.Expr, alias: str) -> bool:
    return isinstance(node, exp.Column) and node.table == alias


def _speaks_only_of(node: exp.Expr, alias: str) -> bool:
    columns = list(node.find_all(exp.Column))
    return bool(columns) and all(c.table == alias for c in columns) and not node.find(exp.Query)


# --- values ---------------------------------------------------------------------------------------


def _is_discrete(column: Column) -> bool:
    return column.type not in (
        ScalarType(kind=Kind.REAL),
        ScalarType(kind=Kind.DOUBLE),
        ScalarType(kind=Kind.TIMESTAMP),
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
        case ScalarType(Kind.TIMESTAMP) if isinstance(value, datetime.date):
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


def _bounds(files: pa.Table, column: Column, end: str) -> _Floats | None:
    """A bound of every file as a number; NaN where it is not known."""
    return _values(files, f"{end}_{column.id}")


def _values(files: pa.Table, name: str) -> _Floats | None:
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

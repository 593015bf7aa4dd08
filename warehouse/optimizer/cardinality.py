"""How many rows a relation is expected to have, from the statistics of files.

Only join order asks; a wrong guess costs time, never an answer. What is known and what is guessed:

1. Rows of a table: of its files, plus deltas, less deleted ones.
2. A range of a number, date or timestamp: per file, the share of [min, max] that it covers,
   weighted by rows. Ranges of one column in one conjunction are intersected first.
3. Distinct values of an integer or date column: at most max - min + 1, at most the table's rows.
   Two joined columns share at most the smaller number, of the values where their ranges overlap:
   an unfiltered key joined with its foreign key gives as many rows as the foreign key has, also
   where the key has more values than are ever used, as a calendar has.
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

__all__ = [
    "OTHER_SHARE",
    "UNKNOWN_ROWS",
    "Estimate",
    "TableStatistics",
    "common_values",
    "conjunction",
]

EQUAL_SHARE = 0.05  # of a column of which nothing is known
PATTERN_SHARE = 0.1  # LIKE
OTHER_SHARE = 1 / 3
UNKNOWN_ROWS = 1000.0
_EPOCH = datetime.datetime(1970, 1, 1)
_FLIPPED = {"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_PATTERNS = ("~~(text,text)", "~~*(text,text)", "~(text,text)", "~*(text,text)")

_Floats = npt.NDArray[np.float64]
_Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is expected of a relation.

    Attributes:
        rows: expected.
        rows_total: expected without the conditions on this relation alone.
        distinct: by column id, an upper bound of its distinct values, or where to ask for it: wide
            tables have many columns that no join is about. Absent means unknown.
        tables: by column id, the statistics of the table that the column comes from unchanged.
        kept: by column id, the range that conditions leave of it.
    """

    rows: float
    rows_total: float
    distinct: Mapping[int, float | TableColumn] = field(default_factory=dict)
    tables: Mapping[int, TableColumn] = field(default_factory=dict)
    kept: Mapping[int, _Span] = field(default_factory=dict)

    def distinct_of(self, column: int) -> float:
        """At most this many distinct values, at least 1."""
        known = self.known_distinct(column)
        return max(1.0, self.rows_total if known is None else min(known, self.rows_total))

    def known_distinct(self, column: int) -> float | None:
        """The upper bound that is known, as it is of the table before any condition."""
        known = self.distinct.get(column)
        return known.distinct() if isinstance(known, TableColumn) else known

    def spans(self, column: int) -> tuple[_Span, _Span] | None:
        """The least and greatest value of the column: in its table, and after the conditions."""
        known = self.tables.get(column)
        whole = None if known is None else known.statistics.span(known.column)
        if whole is None:
            return None
        low, high = self.kept.get(column, whole)
        low = max(low, whole[0])
        return whole, (low, max(low, min(high, whole[1])))

    def filtered(self, predicate: Expr) -> Estimate:
        """After a condition on its columns."""
        parts = conjuncts(predicate)
        rows = max(1.0, self.rows * conjunction(parts, self.tables))
        ranges, _ = _ranges(parts, self.tables)
        kept = {key: _common(self.kept.get(key), span) for key, span in ranges.items()}
        return replace(self, rows=rows, kept={**self.kept, **kept})


def common_values(
    left: Estimate, left_column: int, right: Estimate, right_column: int
) -> tuple[float, float]:
    """How many distinct values two joined columns may share, and the share of all pairs of rows
    whose two values both lie where the ranges of the columns overlap."""
    counts = (left.distinct_of(left_column), right.distinct_of(right_column))
    if min(left.rows_total, right.rows_total) <= 1.0:  # as good as a constant
        return 1.0, 1.0 / max(counts)
    spans = [left.spans(left_column), right.spans(right_column)]
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return min(counts), 1.0
    (_, one), (_, other) = known
    width = max(0.0, min(one[1], other[1]) - max(one[0], other[0]) + 1.0)
    shared, share = math.inf, 1.0
    for count, (whole, kept) in zip(counts, known, strict=True):
        shared = min(shared, count * width / (whole[1] - whole[0] + 1.0))
        share *= width / (kept[1] - kept[0] + 1.0)
    return max(1.0, shared), share


class TableStatistics:
    """One table's statistics: shares of rows and distinct values."""

    def __init__(self, table: TableState) -> None:
        self._columns = {column.name: column for column in table.columns}
        self._files = table.files.table
        self._stored_rows = float(table.stored_row_count)
        self._row_counts = _live_rows(table)
        self._spans: dict[int, _Span | None] = {}
        self.rows = float(table.row_count)

    def estimate(self, columns: Iterable[tuple[ColumnRef, str]]) -> Estimate:
        """Of a scan of these columns."""
        tables = {
            column.id: TableColumn(self, self._columns[name])
            for column, name in columns
            if name in self._columns
        }
        rows = max(1.0, self.rows)
        return Estimate(rows=rows, rows_total=rows, distinct=tables, tables=tables)

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
        if counts is None or not self._stored_rows:
            return EQUAL_SHARE
        return min(1.0, float(np.nansum(counts)) / self._stored_rows)

    def distinct(self, column: Column) -> float | None:
        """At most this many distinct values; None if nothing is known."""
        span = self.span(column)
        return None if span is None else span[1] - span[0] + 1.0

    def span(self, column: Column) -> _Span | None:
        """The least and greatest value of an integer or date column, if they are known."""
        if column.id not in self._spans:
            self._spans[column.id] = self._span(column)
        return self._spans[column.id]

    def _span(self, column: Column) -> _Span | None:
        if not (is_integer(column.type) or column.type == ScalarType(kind=Kind.DATE)):
            return None
        lows, highs = (
            _values(self._files, f"min_{column.id}"),
            _values(self._files, f"max_{column.id}"),
        )
        if lows is None or highs is None or np.isnan(lows).all():
            return None
        return float(np.nanmin(lows)), float(np.nanmax(highs))


def _live_rows(table: TableState) -> _Floats:
    """Rows of each file, less deleted ones."""
    counts: _Floats = np.array(table.files.table["row_count"], dtype=np.float64)
    if not table.bitmaps:
        return counts
    ids = table.files.table["file_id"].to_pylist()
    deleted = [table.bitmaps[i].deleted_count if i in table.bitmaps else 0 for i in ids]
    return counts - np.array(deleted, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A table's column and the table's statistics."""

    statistics: TableStatistics
    column: Column

    def distinct(self) -> float | None:
        """At most this many distinct values; None if nothing is known."""
        return self.statistics.distinct(self.column)

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
    ranges, others = _ranges(conditions, tables)
    share = math.prod(_share(part, tables) for part in others)
    for column, (low, high) in ranges.items():
        known = tables[column]
        share *= known.statistics.share(known.column, low, high)
    return share


def _ranges(
    conditions: Iterable[Expr], tables: Mapping[int, TableColumn]
) -> tuple[dict[int, _Span], list[Expr]]:
    """The ranges of columns that the conditions leave together, and those that are no ranges."""
    ranges: dict[int, _Span] = {}
    others: list[Expr] = []
    for part in (part for condition in conditions for part in conjuncts(condition)):
        found = _range(part, tables)
        if found is None:
            others.append(part)
        else:
            ranges[found[0]] = _common(ranges.get(found[0]), found[1:])
    return ranges, others


def _common(one: _Span | None, other: _Span) -> _Span:
    return other if one is None else (max(one[0], other[0]), min(one[1], other[1]))


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
    position = files.schema.get_field_index(name)
    if position < 0:
        return None
    values = files.column(position)
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return None
    numbers = np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)

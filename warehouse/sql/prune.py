"""Leaving out micropartitions by their statistics, before anything is fetched.

For each scan: the conjuncts of `predicates.py`, each evaluated on the columns of the table's
`FileSet` to "may some row of this file make it true?". Wrong pruning is the worst bug there is, so
every step may only err toward keeping a file:

- what is not a comparison of a plain column with a constant is unknown, and unknown keeps the file;
- AND keeps what both sides keep, OR what either keeps, NOT is moved down to the comparisons;
- a missing bound (no statistics, all NULL, all NaN, cut text without upper bound) keeps the file,
  unless the NULL count says that no value is left;
- NaN is the greatest value, as in Polars and PostgreSQL: with any NaN, `>`, `>=`, `<>` keep;
- a constant is compared exactly where Polars compares exactly (integers and DECIMAL among
  themselves, as integers scaled by 10^s), and with a margin wherever a binary float takes part;
- types that Polars compares in another way than the statistics (BOOLEAN, BYTEA, a text with a
  number) are unknown.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from storage.schema import (
    SCALED_PRECISION_MAX,
    Column,
    DecimalType,
    Kind,
    ScalarType,
    VarCharType,
    is_integer,
)
from storage.snapshot.files import FileSet
from storage.snapshot.model import TableState
from warehouse.sql.constants import UNKNOWN, constant
from warehouse.sql.predicates import Conjunct

__all__ = ["Pruned", "prune"]

Mask = npt.NDArray[np.bool_]
ONE_DAY = datetime.timedelta(days=1)
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MARGIN = {Kind.REAL: Fraction(1, 10**6), Kind.DOUBLE: Fraction(1, 10**12)}
MARGIN_MIN = Fraction(1, 10**40)  # below the smallest REAL that matters, for constants near 0
EXACT_FLOAT_INTEGER = 2**53
REAL_LIMIT = Fraction(34 * 10**37)
_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
    exp.LT: exp.GT,
    exp.GT: exp.LT,
    exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
}
_NEGATED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
}


@dataclass(frozen=True, slots=True)
class Pruned:
    """The files that are left, and the conjuncts that were understood."""

    files: FileSet
    used: tuple[Conjunct, ...]


def prune(table: TableState, conjuncts: Iterable[Conjunct]) -> Pruned:
    """The files of `table` in which every conjunct may be true of some row."""
    files = table.files
    used: list[Conjunct] = []
    mask: Mask | None = None
    for conjunct in conjuncts:
        found = _Evaluator(files.table, table, conjunct.alias).may(conjunct.condition)
        if found is None:
            continue
        used.append(conjunct)
        mask = found if mask is None else mask & found
    if mask is None or mask.all():
        return Pruned(files, tuple(used))
    return Pruned(files.selected(pa.array(mask)), tuple(used))


@dataclass(frozen=True, slots=True)
class _Interval:
    """A constant as the statistics see it: at least `low`, at most `high`; exact if they agree."""

    low: Any
    high: Any
    exact: bool


class _Evaluator:
    """Evaluates conditions on the file rows of one table; None is "unknown: keeps every file"."""

    def __init__(self, files: pa.Table, table: TableState, alias: str) -> None:
        self._files = files
        self._columns: Mapping[str, Column] = {c.name: c for c in table.columns}
        self._alias = alias

    def may(self, node: exp.Expr) -> Mask | None:
        """Per file: may some row make `node` TRUE?"""
        if node.args.get("negate"):  # IS NOT NULL and NOT LIKE are one node in this dialect
            return self._is_not_null(node.this) if _is_null_test(node) else None
        match node:
            case exp.Paren():
                return self.may(node.this)
            case exp.And():
                return _both(self.may(node.this), self.may(node.expression))
            case exp.Or():
                return _either(self.may(node.this), self.may(node.expression))
            case exp.Not():
                return self._may_not(node.this)
            case exp.Boolean():
                return None if node.this else self._none()
            case exp.Is() if _is_null_test(node):
                return self._is_null(node.this)
            case exp.Between() if not node.args.get("symmetric"):
                low = self._compare(exp.GTE, node.this, node.args["low"])
                return _both(low, self._compare(exp.LTE, node.this, node.args["high"]))
            case exp.In():
                return self._in(node)
            case exp.Like():
                return self._like(node)
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
                return self._compare(type(node), node.this, node.expression)
            case _:
                return None

    def _may_not(self, node: exp.Expr) -> Mask | None:
        """Per file: may some row make `node` FALSE?"""
        if node.args.get("negate"):
            return self._is_null(node.this) if _is_null_test(node) else None
        match node:
            case exp.Paren():
                return self._may_not(node.this)
            case exp.And():
                return _either(self._may_not(node.this), self._may_not(node.expression))
            case exp.Or():
                return _both(self._may_not(node.this), self._may_not(node.expression))
            case exp.Not():
                return self.may(node.this)
            case exp.Is() if _is_null_test(node):
                return self._is_not_null(node.this)
            case exp.Between() if not node.args.get("symmetric"):
                below = self._compare(exp.LT, node.this, node.args["low"])
                return _either(below, self._compare(exp.GT, node.this, node.args["high"]))
            case exp.In() if _is_list(node):
                mask: Mask | None = None
                for item in node.expressions:
                    mask = _both(mask, self._compare(exp.NEQ, node.this, item))
                return mask
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
                return self._compare(_NEGATED[type(node)], node.this, node.expression)
            case _:
                return None

    # --- leaves -----------------------------------------------------------------------------------

    def _column(self, node: exp.Expr) -> Column | None:
        if isinstance(node, exp.Column) and node.table == self._alias:
            return self._columns.get(node.name)
        return None

    def _compare(self, kind: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> Mask | None:
        column = self._column(left)
        if column is None:
            column, kind, right = self._column(right), _FLIPPED[kind], left
        if column is None:
            return None
        value = constant(right)
        if value is UNKNOWN or value is None:
            return None
        interval = _interval(column, value)
        return None if interval is None else self._holds(kind, column, interval)

    def _holds(self, kind: type[exp.Expr], column: Column, at: _Interval) -> Mask | None:
        """Per file: may a value compare so with the constant?"""
        low, high = self._statistic("min", column), self._statistic("max", column)
        if low is None or high is None:
            return None
        if kind is exp.NEQ:
            mask = self._differs(column, low, high, at)
        else:
            mask = self._all()
            if kind in (exp.LT, exp.LTE, exp.EQ):
                mask &= _test(low, pc.less if kind is exp.LT else pc.less_equal, at.high)
            if kind in (exp.GT, exp.GTE, exp.EQ):
                mask &= _test(high, pc.greater if kind is exp.GT else pc.greater_equal, at.low)
        if kind in (exp.GT, exp.GTE, exp.NEQ) and _is_float(column):
            mask |= self._has_nan(column)
        return mask & self._has_values(column)

    def _differs(self, column: Column, low: Any, high: Any, at: _Interval) -> Mask:
        """False where every value is known to be the constant."""
        exact = [self._statistic(f"{end}_exact", column) for end in ("min", "max")]
        if not at.exact or exact[0] is None or exact[1] is None:
            return self._all()
        same = _test(low, pc.equal, at.low, unknown=False)
        same &= _test(high, pc.equal, at.low, unknown=False)
        for flag in exact:
            same &= _numpy(pc.fill_null(flag, False))
        return ~same

    def _is_null(self, node: exp.Expr) -> Mask | None:
        column = self._column(node)
        counts = None if column is None else self._statistic("null_count", column)
        return None if counts is None else _test(counts, pc.greater, 0)

    def _is_not_null(self, node: exp.Expr) -> Mask | None:
        column = self._column(node)
        return None if column is None else self._has_values(column)

    def _has_values(self, column: Column) -> Mask:
        counts = self._statistic("null_count", column)
        if counts is None:
            return self._all()
        return _numpy(pc.fill_null(pc.less(counts, self._files["row_count"]), True))

    def _has_nan(self, column: Column) -> Mask:
        counts = self._statistic("nan_count", column)
        return self._all() if counts is None else _test(counts, pc.greater, 0)

    def _in(self, node: exp.In) -> Mask | None:
        if not _is_list(node) or self._column(node.this) is None:
            return None
        mask = self._none()
        for item in node.expressions:
            if isinstance(item, exp.Null):
                continue
            found = self._compare(exp.EQ, node.this, item)
            if found is None:
                return None
            mask |= found
        return mask

    def _like(self, node: exp.Like) -> Mask | None:
        column, pattern = self._column(node.this), node.expression
        if column is None or not _is_text(column) or not pattern.is_string:
            return None
        text = str(pattern.this)
        stop = next((i for i, c in enumerate(text) if c in "%_\\"), len(text))
        prefix = text[:stop]
        low, high = self._statistic("min", column), self._statistic("max", column)
        if not prefix or low is None or high is None:
            return None
        start = pc.utf8_slice_codeunits(low, 0, len(prefix))
        mask = _test(start, pc.less_equal, prefix) & _test(high, pc.greater_equal, prefix)
        return mask & self._has_values(column)

    # --- masks ------------------------------------------------------------------------------------

    def _statistic(self, name: str, column: Column) -> Any:
        key = f"{name}_{column.id}"
        return self._files[key] if key in self._files.column_names else None

    def _all(self) -> Mask:
        return np.ones(self._files.num_rows, dtype=np.bool_)

    def _none(self) -> Mask:
        return np.zeros(self._files.num_rows, dtype=np.bool_)


def _both(a: Mask | None, b: Mask | None) -> Mask | None:
    if a is None or b is None:
        return b if a is None else a
    return a & b


def _either(a: Mask | None, b: Mask | None) -> Mask | None:
    return None if a is None or b is None else a | b


def _is_null_test(node: exp.Expr) -> bool:
    return isinstance(node, exp.Is) and isinstance(node.expression, exp.Null)


def _is_list(node: exp.In) -> bool:
    return bool(node.expressions) and not node.args.get("query") and not node.args.get("unnest")


def _numpy(values: Any) -> Mask:
    found: Mask = np.asarray(
        values.to_numpy(zero_copy_only=False)
        if isinstance(values, pa.Array)
        else values.to_numpy(),
        dtype=np.bool_,
    )
    return found


def _test(
    values: Any, test: Callable[[Any, Any], Any], bound: Any, *, unknown: bool = True
) -> Mask:
    """`test(values, bound)`; NULL is `unknown`. Integers past 64 bits are decided here."""
    if type(bound) is int and not INT64_MIN <= bound <= INT64_MAX:
        above = bound > 0
        holds = above if test in (pc.less, pc.less_equal) else not above
        return np.full(len(values), holds and test is not pc.equal, dtype=np.bool_)
    scalar = pa.scalar(bound, values.type)
    return _numpy(pc.fill_null(test(values, scalar), unknown))


# --- constants ------------------------------------------------------------------------------------


def _is_float(column: Column) -> bool:
    return column.type in (ScalarType(kind=Kind.REAL), ScalarType(kind=Kind.DOUBLE))


def _is_text(column: Column) -> bool:
    return isinstance(column.type, VarCharType) or column.type == ScalarType(kind=Kind.TEXT)


def _interval(column: Column, value: Any) -> _Interval | None:
    """The constant in the domain of the column's statistics; None if they do not compare."""
    if isinstance(value, bool | bytes):
        return None
    if isinstance(value, str):
        return _Interval(value, value, True) if _is_text(column) else None
    if isinstance(value, datetime.date):
        return _moment(column, value)
    if isinstance(value, int | float | Decimal):
        return _number(column, value) if math.isfinite(value) else None
    return None


def _moment(column: Column, value: datetime.date) -> _Interval | None:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return None
    if column.type == ScalarType(kind=Kind.DATE):
        if not isinstance(value, datetime.datetime):
            return _Interval(value, value, True)
        day = value.date()  # Polars compares midnights: between this day and the next
        return None if day == datetime.date.max else _Interval(day, day + ONE_DAY, False)
    if column.type == ScalarType(kind=Kind.TIMESTAMP):
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day)
        return _Interval(value, value, True)
    return None


def _number(column: Column, value: float | Decimal) -> _Interval | None:
    match column.type:
        case ScalarType(Kind.REAL | Kind.DOUBLE as kind):
            return _float_interval(value, kind)
        case DecimalType(precision, scale) if precision <= SCALED_PRECISION_MAX:
            return _scaled_interval(value, scale)
        case sql_type if is_integer(sql_type):
            return _scaled_interval(value, 0)
        case _:
            return None  # DECIMAL past 18 digits: left to the scan


def _margin(value: float | Decimal, share: Fraction) -> tuple[Fraction, Fraction]:
    center = Fraction(value)
    width = abs(center) * share + MARGIN_MIN
    return center - width, center + width


def _float_interval(value: float | Decimal, kind: Kind) -> _Interval | None:
    if kind is Kind.REAL and abs(Fraction(value)) >= REAL_LIMIT:
        return None  # Polars rounds the constant to infinity first
    try:
        if kind is Kind.DOUBLE and _is_double(value):
            return _Interval(float(value), float(value), True)
        low, high = _margin(value, MARGIN[kind])
        return _Interval(float(low), float(high), False)
    except OverflowError:
        return None


def _is_double(value: Any) -> bool:
    """Does a DOUBLE hold the constant exactly, so that Polars compares without rounding?"""
    if isinstance(value, int):
        return abs(value) <= EXACT_FLOAT_INTEGER
    return isinstance(value, float)


def _scaled_interval(value: float | Decimal, scale: int) -> _Interval:
    """As integers scaled by 10^scale: a value is above the constant if above the floor of it, at
    least the constant if at least its ceiling."""
    exact = not isinstance(value, float)
    low, high = (Fraction(value),) * 2 if exact else _margin(value, MARGIN[Kind.DOUBLE])
    low, high = low * 10**scale, high * 10**scale
    whole = exact and low.denominator == 1
    return _Interval(math.floor(low), math.ceil(high), whole)

"""Leaving out micropartitions by their statistics, before anything is fetched.

For each scan: the conjuncts that stand right above it, each evaluated on the columns of the
table's `FileSet` to "may some row of this file make it true?". Wrong pruning is the worst bug there
is, so every step may only err toward keeping a file:

- what is not a comparison of a plain column with a constant is unknown, and unknown keeps the file;
- AND keeps what both sides keep, OR what either keeps, NOT is moved down to the comparisons;
- a missing bound (no statistics, all NULL, all NaN, cut text without upper bound) keeps the file,
  unless the NULL count says that no value is left;
- NaN is the greatest value: with any NaN, `>`, `>=`, `<>` keep;
- a constant is compared exactly where execution compares exactly (integers and DECIMAL among
  themselves, as integers scaled by 10^s), and with a margin wherever a binary float takes part;
- types that compare in another way than the statistics (BOOLEAN, BYTEA, ENUM) are unknown.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.schema import (
    SCALED_PRECISION_MAX,
    Column,
    DecimalType,
    Kind,
    ScalarType,
    VarCharType,
    is_integer,
    plain_type,
)
from storage.snapshot.files import FileSet, Mask, Numbers
from storage.snapshot.model import TableState
from warehouse.algebra.expressions import Call, Cast, ColumnRef, Expr, InList, Literal
from warehouse.algebra.types import DOUBLE, TIMESTAMP, is_numeric

__all__ = ["Interval", "float_interval", "prune", "scaled_interval"]

ONE_DAY = datetime.timedelta(days=1)
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MARGIN = {Kind.REAL: Fraction(1, 10**6), Kind.DOUBLE: Fraction(1, 10**12)}
MARGIN_MIN = Fraction(1, 10**40)  # below the smallest REAL that matters, for constants near 0
EXACT_FLOAT_INTEGER = 2**53
REAL_LIMIT = Fraction(34 * 10**37)
_OVER_NUMBERS: Mapping[Any, Any] = {
    pc.equal: np.equal,
    pc.less: np.less,
    pc.less_equal: np.less_equal,
    pc.greater: np.greater,
    pc.greater_equal: np.greater_equal,
}
_FLIPPED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def prune(
    table: TableState,
    conjuncts: Sequence[tuple[Expr, dict[int, str]]],
    partitions: Collection[int] | None = None,
) -> tuple[FileSet, list[Expr]]:
    """The files of `table` with rows that are not deleted, in which every conjunct may be true of
    some row. Statistics include deleted rows, so they may keep a file in vain.

    Args:
        conjuncts: each with the names of the table's columns by column id.
        partitions: ids of those that may have such rows (`optimizer/partitions.py`); None: any.
    Returns: the files, and the conjuncts that were understood.
    """
    files = table.files
    used: list[Expr] = []
    mask = _has_rows(table)
    if partitions is not None:
        inside = np.isin(files.partitions, list(partitions))
        mask = inside if mask is None else mask & inside
    for condition, names in conjuncts:
        found = _Evaluator(files, table, names).may(condition)
        if found is None:
            continue
        used.append(condition)
        mask = found if mask is None else mask & found
    if mask is None or mask.all():
        return files, used
    return files.selected(mask), used


def _has_rows(table: TableState) -> Mask | None:
    """False of files whose rows are all deleted; None: there is no such file."""
    empty = [b.file_id for b in table.bitmaps.values() if b.deleted_count == b.row_count]
    if not empty:
        return None
    return ~_numpy(pc.is_in(table.files.table["file_id"], value_set=pa.array(empty, pa.int64())))


@dataclass(frozen=True, slots=True)
class _Statistic:
    """One statistic of one column, of every file. `numbers`: see `FileSet.statistic`."""

    values: pa.ChunkedArray
    numbers: Numbers | None


@dataclass(frozen=True, slots=True)
class Interval:
    """A constant as the statistics see it: at least `low`, at most `high`; exact if they agree."""

    low: Any
    high: Any
    exact: bool


class _Evaluator:
    """Evaluates conditions on the file rows of one table; None is "unknown: keeps every file"."""

    def __init__(self, files: FileSet, table: TableState, names: dict[int, str]) -> None:
        self._files = files
        columns = {c.name: c for c in table.columns}
        # a scan may have columns that the table has not, such as where a row is
        self._columns = {key: columns[name] for key, name in names.items() if name in columns}

    def may(self, node: Expr) -> Mask | None:
        """Per file: may some row make `node` TRUE?"""
        match node:
            case Call(fn="and", args=args):
                return _fold(_both, [self.may(arg) for arg in args])
            case Call(fn="or", args=args):
                return _fold(_either, [self.may(arg) for arg in args])
            case Call(fn="not", args=(arg,)):
                return self._may_not(arg)
            case Literal(value=value):
                return None if value else self._none()
            case Call(fn="is null", args=(arg,)):
                return self._is_null(arg)
            case Call(fn="is not null", args=(arg,)):
                return self._is_not_null(arg)
            case Call(fn="is true", args=(arg,)):
                return self.may(arg)
            case InList(negated=False):
                return self._in(node)
            case InList():
                return self._not_in(node)
            case Call(fn="~~(text,text)", args=(arg, pattern)):
                return self._like(arg, pattern)
            case Call(fn="=" | "<>" | "<" | "<=" | ">" | ">=" as op, args=(left, right)):
                return self._compare(op, left, right)
            case _:
                return None

    def _may_not(self, node: Expr) -> Mask | None:
        """Per file: may some row make `node` FALSE?"""
        match node:
            case Call(fn="and", args=args):
                return _fold(_either, [self._may_not(arg) for arg in args])
            case Call(fn="or", args=args):
                return _fold(_both, [self._may_not(arg) for arg in args])
            case Call(fn="not", args=(arg,)):
                return self.may(arg)
            case Call(fn="is null", args=(arg,)):
                return self._is_not_null(arg)
            case Call(fn="is not null", args=(arg,)):
                return self._is_null(arg)
            case InList(negated=False):
                return self._not_in(node)
            case InList():
                return self._in(node)
            case Call(fn="=" | "<>" | "<" | "<=" | ">" | ">=" as op, args=(left, right)):
                return self._compare(_NEGATED[op], left, right)
            case _:
                return None

    # --- leaves -----------------------------------------------------------------------------------

    def _column(self, node: Expr) -> Column | None:
        """The column, also one that was only widened for the comparison."""
        if isinstance(node, Cast) and isinstance(node.arg, ColumnRef):
            source = node.arg.type
            widened = (node.type == DOUBLE and is_numeric(source)) or (
                node.type == TIMESTAMP and source == ScalarType(kind=Kind.DATE)
            )
            return self._columns.get(node.arg.id) if widened else None
        return self._columns.get(node.id) if isinstance(node, ColumnRef) else None

    def _compare(self, op: str, left: Expr, right: Expr) -> Mask | None:
        column = self._column(left)
        if column is None:
            column, op, right = self._column(right), _FLIPPED[op], left
        if column is None or not isinstance(right, Literal):
            return None
        if right.value is None:  # neither true nor false of any row
            return self._none()
        interval = _interval(column, right.value)
        return None if interval is None else self._holds(op, column, interval)

    def _holds(self, op: str, column: Column, at: Interval) -> Mask | None:
        """Per file: may a value compare so with the constant?"""
        low, high = self._statistic("min", column), self._statistic("max", column)
        if low is None or high is None:
            return None
        if op == "<>":
            mask = self._differs(column, low, high, at)
        else:
            mask = self._all()
            if op in ("<", "<=", "="):
                mask &= _test(low, pc.less if op == "<" else pc.less_equal, at.high)
            if op in (">", ">=", "="):
                mask &= _test(high, pc.greater if op == ">" else pc.greater_equal, at.low)
        if op in (">", ">=", "<>") and _is_float(column):
            mask |= self._has_nan(column)
        return mask & self._has_values(column)

    def _differs(self, column: Column, low: Any, high: Any, at: Interval) -> Mask:
        """False where every value is known to be the constant."""
        found = [self._statistic(f"{end}_exact", column) for end in ("min", "max")]
        exact = [flag for flag in found if flag is not None]
        if not at.exact or len(exact) < len(found):
            return self._all()
        same = _test(low, pc.equal, at.low, unknown=False)
        same &= _test(high, pc.equal, at.low, unknown=False)
        for flag in exact:
            same &= _numpy(pc.fill_null(flag.values, False))
        return ~same

    def _is_null(self, node: Expr) -> Mask | None:
        column = self._column(node)
        counts = None if column is None else self._statistic("null_count", column)
        return None if counts is None else _test(counts, pc.greater, 0)

    def _is_not_null(self, node: Expr) -> Mask | None:
        column = self._column(node)
        return None if column is None else self._has_values(column)

    def _has_values(self, column: Column) -> Mask:
        counts = self._statistic("null_count", column)
        if counts is None:
            return self._all()
        known = self._files.memo
        name = f"has values {column.id}"
        if name not in known:
            fewer = pc.less(counts.values, self._files.table["row_count"])
            known[name] = _numpy(pc.fill_null(fewer, True))
        found: Mask = known[name]
        return found

    def _has_nan(self, column: Column) -> Mask:
        counts = self._statistic("nan_count", column)
        return self._all() if counts is None else _test(counts, pc.greater, 0)

    def _in(self, node: InList) -> Mask | None:
        if self._column(node.arg) is None:
            return None
        mask = self._none()
        for item in node.items:
            if isinstance(item, Literal) and item.value is None:
                continue
            found = self._compare("=", node.arg, item)
            if found is None:
                return None
            mask |= found
        return mask

    def _not_in(self, node: InList) -> Mask | None:
        mask: Mask | None = None
        for item in node.items:
            mask = _both(mask, self._compare("<>", node.arg, item))
        return mask

    def _like(self, node: Expr, pattern: Expr) -> Mask | None:
        column = self._column(node)
        if column is None or not _is_text(column) or not isinstance(pattern, Literal):
            return None
        text = pattern.value
        if not isinstance(text, str):
            return None
        stop = next((i for i, c in enumerate(text) if c in "%_\\"), len(text))
        prefix = text[:stop]
        low, high = self._statistic("min", column), self._statistic("max", column)
        if not prefix or low is None or high is None:
            return None
        start = pc.utf8_slice_codeunits(low.values, 0, len(prefix))
        mask = _test(_Statistic(start, None), pc.less_equal, prefix) & _test(
            high, pc.greater_equal, prefix
        )
        return mask & self._has_values(column)

    # --- masks ------------------------------------------------------------------------------------

    def _statistic(self, name: str, column: Column) -> _Statistic | None:
        name = f"{name}_{column.id}"
        position = self._files.table.schema.get_field_index(name)
        if position < 0:
            return None
        return _Statistic(self._files.table.column(position), self._files.statistic(name))

    def _all(self) -> Mask:
        return np.ones(len(self._files), dtype=np.bool_)

    def _none(self) -> Mask:
        return np.zeros(len(self._files), dtype=np.bool_)


def _both(a: Mask | None, b: Mask | None) -> Mask | None:
    if a is None or b is None:
        return b if a is None else a
    return a & b


def _either(a: Mask | None, b: Mask | None) -> Mask | None:
    return None if a is None or b is None else a | b


def _fold(
    combine: Callable[[Mask | None, Mask | None], Mask | None], masks: list[Mask | None]
) -> Mask | None:
    found = masks[0]
    for mask in masks[1:]:
        found = combine(found, mask)
    return found


def _numpy(values: Any) -> Mask:
    found: Mask = np.asarray(
        values.to_numpy(zero_copy_only=False)
        if isinstance(values, pa.Array)
        else values.to_numpy(),
        dtype=np.bool_,
    )
    return found


def _test(
    statistic: _Statistic, test: Callable[[Any, Any], Any], bound: Any, *, unknown: bool = True
) -> Mask:
    """`test(values, bound)`; NULL is `unknown`. Integers past 64 bits are decided here."""
    values = statistic.values
    if type(bound) is int and not INT64_MIN <= bound <= INT64_MAX:
        above = bound > 0
        holds = above if test in (pc.less, pc.less_equal) else not above
        return np.full(len(values), holds and test is not pc.equal, dtype=np.bool_)
    scalar = pa.scalar(bound, values.type)
    if statistic.numbers is None:
        return _numpy(pc.fill_null(test(values, scalar), unknown))
    numbers, known = statistic.numbers
    mask: Mask = _OVER_NUMBERS[test](numbers, getattr(scalar, "value", bound))
    if known is not None:
        mask = mask | ~known if unknown else mask & known
    return mask


# --- constants ------------------------------------------------------------------------------------


def _is_float(column: Column) -> bool:
    return column.type in (ScalarType(kind=Kind.REAL), ScalarType(kind=Kind.DOUBLE))


def _is_text(column: Column) -> bool:
    return isinstance(column.type, VarCharType) or column.type == ScalarType(kind=Kind.TEXT)


def _interval(column: Column, value: Any) -> Interval | None:
    """The constant in the domain of the column's statistics; None if they do not compare."""
    if isinstance(value, bool | bytes):
        return None
    if isinstance(value, str):
        return Interval(value, value, True) if _is_text(column) else None
    if isinstance(value, datetime.date):
        return _moment(column, value)
    if isinstance(value, int | float | Decimal):
        return _number(column, value) if math.isfinite(value) else None
    return None


def _moment(column: Column, value: datetime.date) -> Interval | None:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return None
    if column.type == ScalarType(kind=Kind.DATE):
        if not isinstance(value, datetime.datetime):
            return Interval(value, value, True)
        day = value.date()
        if value.time() == datetime.time():
            return Interval(day, day, True)
        # Dates compare as their midnights: the moment is between this day and the next.
        return None if day == datetime.date.max else Interval(day, day + ONE_DAY, False)
    if plain_type(column.type) == ScalarType(kind=Kind.TIMESTAMP):
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day)
        return Interval(value, value, True)
    return None


def _number(column: Column, value: float | Decimal) -> Interval | None:
    match column.type:
        case ScalarType(Kind.REAL | Kind.DOUBLE as kind):
            return float_interval(value, kind)
        case DecimalType(precision, scale) if precision <= SCALED_PRECISION_MAX:
            return scaled_interval(value, scale)
        case sql_type if is_integer(sql_type):
            return scaled_interval(value, 0)
        case _:
            return None  # DECIMAL past 18 digits: left to the scan


def _margin(value: float | Decimal, share: Fraction) -> tuple[Fraction, Fraction]:
    center = Fraction(value)
    width = abs(center) * share + MARGIN_MIN
    return center - width, center + width


def float_interval(value: float | Decimal, kind: Kind) -> Interval | None:
    if kind is Kind.REAL and abs(Fraction(value)) >= REAL_LIMIT:
        return None  # Polars rounds the constant to infinity first
    try:
        if kind is Kind.DOUBLE and _is_double(value):
            return Interval(float(value), float(value), True)
        low, high = _margin(value, MARGIN[kind])
        return Interval(float(low), float(high), False)
    except OverflowError:
        return None


def _is_double(value: Any) -> bool:
    """Does a DOUBLE hold the constant exactly, so that Polars compares without rounding?"""
    if isinstance(value, int):
        return abs(value) <= EXACT_FLOAT_INTEGER
    return isinstance(value, float)


def scaled_interval(value: float | Decimal, scale: int) -> Interval:
    """As integers scaled by 10^scale: a value is above the constant if above the floor of it, at
    least the constant if at least its ceiling."""
    exact = not isinstance(value, float)
    low, high = (Fraction(value),) * 2 if exact else _margin(value, MARGIN[Kind.DOUBLE])
    low, high = low * 10**scale, high * 10**scale
    whole = exact and low.denominator == 1
    return Interval(math.floor(low), math.ceil(high), whole)

"""Leaving out partitions by their bounds, before the statistics of any file are looked at.

Each conjunct above a scan is asked "in which partitions may some row make it true?". As in
`prune.py`, every step may only err toward keeping a partition:

- a comparison of a column that decides with a constant: by the span that a range has in it, or by
  the values of a list; AND keeps what both sides keep, OR what either does;
- where every column that decides can only have a few values (=, IN, IS NULL), these rows are routed
  as they would be when they are written: so a hash has partitions left out, and the default one.
"""

from __future__ import annotations

import datetime
import decimal
import functools
import itertools
import math
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from storage.partitions.routing import partition_columns, partitions_of
from storage.partitions.scheme import Bound, Partition, Partitioning
from storage.partitions.values import Sortable, sortable
from storage.schema import (
    CharType,
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    VarCharType,
    arrow_type,
    is_integer,
    plain_type,
)
from storage.snapshot.model import TableState
from warehouse.algebra.expressions import Call, Cast, ColumnRef, Expr, InList, Literal
from warehouse.algebra.types import DOUBLE, TIMESTAMP, is_numeric
from warehouse.optimizer.prune import Interval, float_interval, scaled_interval

__all__ = ["Left", "partitions_left"]

ITEMS_MAX = 256  # of an IN that are looked at one by one
ROWS_MAX = 4096  # that are routed to find out where they would be
SPANS_KEPT = 64

Found = frozenset[int] | None  # None: any partition
_FLIPPED = {"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Left:
    """The partitions in which rows may be that a query wants, and by which conjuncts."""

    partitions: frozenset[int]
    used: tuple[Expr, ...]


def partitions_left(
    table: TableState, conjuncts: Sequence[tuple[Expr, dict[int, str]]]
) -> Left | None:
    """Of a table and the conjuncts above its scan, as `prune` has them.

    None: it has no partitions, or all of them are left.
    """
    if table.partitioning is None:
        return None
    columns = {c.name: c for c in table.columns}
    asked = _Asked(table.partitioning, partition_columns(table.partitioning, table.schema))
    found: Found = None
    used: list[Expr] = []
    flat: list[_Condition] = []
    for node, names in conjuncts:
        condition = _Condition(node, {k: columns[n] for k, n in names.items() if n in columns})
        flat += condition.parts()
        own = asked.all_of(condition.parts())
        if own is not None:
            used.append(node)
            found = _both(found, own)
    found = _both(found, asked.routed(flat))
    return None if found is None else Left(found, tuple(used))


@dataclass(frozen=True, slots=True)
class _Condition:
    """A condition, and the columns of the table that its references are."""

    node: Expr
    columns: dict[int, Column]

    def parts(self) -> list[_Condition]:
        """What it is AND of."""
        if isinstance(self.node, Call) and self.node.fn == "and":
            parts = [_Condition(arg, self.columns).parts() for arg in self.node.args]
            return [one for part in parts for one in part]
        return [self]

    def column(self, node: Expr) -> Column | None:
        """The column, also one that was only widened for the comparison."""
        if isinstance(node, Cast) and isinstance(node.arg, ColumnRef):
            source = node.arg.type
            widened = (node.type == DOUBLE and is_numeric(source)) or (
                node.type == TIMESTAMP and source == ScalarType(kind=Kind.DATE)
            )
            return self.columns.get(node.arg.id) if widened else None
        return self.columns.get(node.id) if isinstance(node, ColumnRef) else None

    def comparison(self) -> tuple[str, Column, Literal] | None:
        """Of a column with a constant."""
        match self.node:
            case Call(fn="=" | "<" | "<=" | ">" | ">=" as op, args=(left, right)):
                column = self.column(left)
                if column is not None and isinstance(right, Literal):
                    return op, column, right
                column = self.column(right)
                if column is not None and isinstance(left, Literal):
                    return _FLIPPED[op], column, left
            case Call(fn="is not distinct", args=(left, Literal() as right)):
                column = self.column(left)
                if column is not None and right.value is not None:
                    return "=", column, right
            case Call(fn="is true", args=(ColumnRef() as arg,)) | (ColumnRef() as arg):
                return self._flag(arg, value=True)
            case Call(fn="not", args=(ColumnRef() as arg,)):
                return self._flag(arg, value=False)
        return None

    def _flag(self, node: ColumnRef, *, value: bool) -> tuple[str, Column, Literal] | None:
        column = self.columns.get(node.id)
        kind = ScalarType(kind=Kind.BOOLEAN)
        return None if column is None else ("=", column, Literal(type=kind, value=value))

    def null_test(self) -> Column | None:
        """The column of `IS NULL`."""
        match self.node:
            case Call(fn="is null", args=(arg,)):
                return self.column(arg) if isinstance(arg, ColumnRef) else None
            case Call(fn="is not distinct", args=(arg, Literal(value=None))):
                return self.column(arg) if isinstance(arg, ColumnRef) else None
        return None

    def not_null_test(self) -> Column | None:
        """The column of `IS NOT NULL`."""
        match self.node:
            case Call(fn="is not null", args=(ColumnRef() as arg,)):
                return self.column(arg)
        return None


class _Asked:
    """Asks conditions of one partitioning."""

    def __init__(self, partitioning: Partitioning, columns: tuple[Column, ...]) -> None:
        self._partitioning = partitioning
        self._columns = columns
        self._place = {column.id: place for place, column in enumerate(columns)}
        types = tuple(plain_type(column.type) for column in columns)
        self._spans = None if partitioning.is_hash else _spans(partitioning, types)

    def all_of(self, conditions: Sequence[_Condition]) -> Found:
        """Where all of them may be true of some row."""
        found = self.routed(conditions)
        for condition in conditions:
            found = _both(found, self._may(condition))
        return found

    def _may(self, condition: _Condition) -> Found:
        match condition.node:
            case Call(fn="or", args=args):
                return self._either([_Condition(arg, condition.columns) for arg in args])
            case Literal(value=value):
                return None if value else frozenset()
            case InList(negated=False) as node if len(node.items) <= ITEMS_MAX:
                return self._either(
                    [
                        _Condition(
                            Call(type=node.type, fn="=", args=(node.arg, item)), condition.columns
                        )
                        for item in node.items
                    ]
                )
        if (compared := condition.comparison()) is not None:
            op, column, literal = compared
            if literal.value is None:
                return frozenset()
            place, at = self._place.get(column.id), _interval(column, literal)
            if place is None or at is None or (op != "=" and isinstance(column.type, EnumType)):
                return None
            return self._where(place, lambda span: span.may(op, at))
        if (null := condition.null_test()) is not None and null.id in self._place:
            return self._where(self._place[null.id], lambda span: span.null)
        if (known := condition.not_null_test()) is not None and known.id in self._place:
            return self._where(self._place[known.id], lambda span: span.has_values)
        return None

    def _either(self, conditions: Sequence[_Condition]) -> Found:
        found: frozenset[int] = frozenset()
        for condition in conditions:
            own = self.all_of(condition.parts())
            if own is None:
                return None
            found |= own
        return found

    def _where(self, place: int, test: Any) -> Found:
        if self._spans is None:
            return None
        return frozenset(number for number, spans in self._spans if test(spans[place]))

    def routed(self, conditions: Sequence[_Condition]) -> Found:
        """Where the rows would be, if the conditions leave few values to every column."""
        choices: dict[int, set[Any]] = {}
        for condition in conditions:
            chosen = self._values(condition)
            if chosen is not None:
                place, values = chosen
                choices[place] = choices[place] & values if place in choices else values
        if len(choices) < len(self._columns):
            return None
        if math.prod(len(values) for values in choices.values()) > ROWS_MAX:
            return None
        rows = list(itertools.product(*(choices[at] for at in range(len(self._columns)))))
        table = pa.table(
            {
                column.name: pa.array([row[at] for row in rows], arrow_type(column.type))
                for at, column in enumerate(self._columns)
            }
        )
        return frozenset(partitions_of(self._partitioning, table, self._columns).tolist()) - {0}

    def _values(self, condition: _Condition) -> tuple[int, set[Any]] | None:
        """The column that a condition leaves few values, and these as Arrow takes them."""
        if (column := condition.null_test()) is not None and column.id in self._place:
            return self._place[column.id], {None}
        if isinstance(condition.node, InList) and not condition.node.negated:
            column = condition.column(condition.node.arg)
            items: Sequence[Expr] = condition.node.items
        elif (compared := condition.comparison()) is not None and compared[0] == "=":
            column, items = compared[1], (compared[2],)
        else:
            return None
        if column is None or column.id not in self._place:
            return None
        values: set[Any] = set()
        for item in items:
            if not isinstance(item, Literal):
                return None
            if item.value is None:
                continue
            at = _interval(column, item)
            if at is None or (not at.exact and (_is_float(column.type) or _is_near(item))):
                return None
            if at.exact:
                values |= _as_arrow(at.low, column.type)
        return self._place[column.id], values


def _both(one: Found, two: Found) -> Found:
    if one is None or two is None:
        return two if one is None else one
    return one & two


# --- what partitions may hold ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """What a partition may hold in one column.

    Attributes:
        low, high: ends of its values, None: there is none; `high` is not among them if `is_open`.
        values: all of them, of a list.
        null: whether it may have a NULL; has_values: anything else.
    """

    low: Sortable | None = None
    high: Sortable | None = None
    is_open: bool = False
    values: tuple[Sortable, ...] | None = None
    null: bool = False
    has_values: bool = True

    def may(self, op: str, at: Interval) -> bool:
        """May a value compare so with the constant?"""
        if self.values is not None:
            return any(_holds(op, value, at) for value in self.values)
        if op in ("<", "<=", "=") and self.low is not None and not _holds("<=", self.low, at):
            return False
        if op == "<" and self.low is not None and not _holds("<", self.low, at):
            return False
        if op in (">", ">=", "=") and self.high is not None:
            return _holds(">" if self.is_open or op == ">" else ">=", self.high, at)
        return True


def _holds(op: str, value: Any, at: Interval) -> bool:
    """May the value compare so with a constant between `at.low` and `at.high`?"""
    match op:
        case "=":
            return bool(at.low <= value <= at.high)
        case "<":
            return bool(value < at.high)
        case "<=":
            return bool(value <= at.high)
        case ">":
            return bool(value > at.low)
        case _:
            return bool(value >= at.low)


_ANYTHING = _Span(null=True)
_Spans = tuple[tuple[int, tuple[_Span, ...]], ...]


@functools.lru_cache(SPANS_KEPT)
def _spans(partitioning: Partitioning, types: tuple[SqlType, ...]) -> _Spans:
    """Of every partition, by its id, what it may hold in each column that decides."""
    return tuple((part.id, _spans_of(part, types)) for part in partitioning.parts)


def _spans_of(part: Partition, types: tuple[SqlType, ...]) -> tuple[_Span, ...]:
    if part.default:
        return (_ANYTHING,) * len(types)
    if part.values:
        return tuple(_listed([row[at] for row in part.values], t) for at, t in enumerate(types))
    spans: list[_Span] = []
    for at, sql_type in enumerate(types):
        spans.append(_ranged(part, at, sql_type))
        low, high = part.low[at], part.high[at]
        if low.side or high.side or spans[-1].low != spans[-1].high:
            break  # a column behind may have any value
    return (*spans, *(_Span() for _ in range(len(types) - len(spans))))


def _listed(values: Sequence[Any], sql_type: SqlType) -> _Span:
    known = tuple({sortable(value, sql_type) for value in values if value is not None})
    return _Span(values=known, null=None in values, has_values=bool(known))


def _ranged(part: Partition, at: int, sql_type: SqlType) -> _Span:
    low, high = _end(part.low[at], sql_type), _end(part.high[at], sql_type)
    is_open = all(bound.side < 0 for bound in part.high[at + 1 :])
    if is_open and isinstance(high, int) and not _is_float(sql_type):
        high, is_open = high - 1, False
    return _Span(low=low, high=high, is_open=is_open)


def _end(bound: Bound, sql_type: SqlType) -> Sortable | None:
    return None if bound.side else sortable(bound.value, sql_type)


# --- constants ------------------------------------------------------------------------------------


def _is_float(sql_type: SqlType) -> bool:
    return sql_type in (ScalarType(Kind.REAL), ScalarType(Kind.DOUBLE))


def _is_near(literal: Literal) -> bool:
    """Is it compared with a margin, so that a value may equal it although none seems to?"""
    return isinstance(literal.value, float)


def _interval(column: Column, literal: Literal) -> Interval | None:
    """The constant among the values of the column, as `values.sortable` has them; None: they do
    not compare."""
    value, kind = literal.value, plain_type(column.type)
    match kind:
        case ScalarType(Kind.BOOLEAN) if isinstance(value, bool):
            return Interval(int(value), int(value), True)
        case ScalarType(Kind.UUID) if isinstance(value, uuid.UUID):
            return Interval(value.bytes, value.bytes, True)
        case ScalarType(Kind.BYTEA) if isinstance(value, bytes):
            return Interval(value, value, True)
        case ScalarType(Kind.TEXT) | VarCharType() | CharType() | EnumType():
            return _text(kind, literal)
    if isinstance(value, datetime.date | datetime.time):
        return _moment(kind, literal)
    if isinstance(value, bool) or not isinstance(value, int | float | decimal.Decimal):
        return None
    if not math.isfinite(value):
        return None
    match kind:
        case ScalarType(Kind.REAL | Kind.DOUBLE as which):
            return _codes(float_interval(value, which))
        case DecimalType(_, scale):
            return scaled_interval(value, scale)
        case _ if is_integer(kind):
            return scaled_interval(value, 0)
    return None


def _text(kind: SqlType, literal: Literal) -> Interval | None:
    """Texts of one type only: what CHAR has behind it does not count."""
    if not isinstance(literal.value, str):
        return None
    if isinstance(kind, CharType) != isinstance(literal.type, CharType):
        return None
    text = literal.value.rstrip(" ") if isinstance(kind, CharType) else literal.value
    return Interval(text.encode(), text.encode(), True)


def _moment(kind: SqlType, literal: Literal) -> Interval | None:
    value = literal.value
    if isinstance(value, datetime.time):
        moment = datetime.datetime.combine(_EPOCH, value)
        at = (moment - _EPOCH) // _MICROSECOND
        return Interval(at, at, True) if kind == ScalarType(Kind.TIME) else None
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    zoned = literal.type == ScalarType(Kind.TIMESTAMPTZ)
    if value.tzinfo is not None or zoned != (kind == ScalarType(Kind.TIMESTAMPTZ)):
        return None
    if kind == ScalarType(Kind.DATE):
        days, rest = divmod(value - _EPOCH, datetime.timedelta(days=1))
        return Interval(days, days + bool(rest), not rest)
    if kind in (ScalarType(Kind.TIMESTAMP), ScalarType(Kind.TIMESTAMPTZ)):
        at = (value - _EPOCH) // _MICROSECOND
        return Interval(at, at, True)
    return None


def _codes(found: Interval | None) -> Interval | None:
    if found is None:
        return None
    kind = ScalarType(Kind.DOUBLE)
    return Interval(sortable(found.low, kind), sortable(found.high, kind), found.exact)


def _as_arrow(value: Any, sql_type: SqlType) -> set[Any]:
    """A sortable value as Arrow takes it for the column's type; empty: the type does not have it,
    so no row does."""
    kind = plain_type(sql_type)
    made = _plain(value, kind)
    try:
        pa.array([made], arrow_type(kind))
    except (pa.ArrowException, OverflowError):
        return set()
    return {made}


def _plain(value: Any, kind: SqlType) -> Any:
    match kind:
        case ScalarType(Kind.BOOLEAN):
            return bool(value)
        case ScalarType(Kind.DOUBLE | Kind.REAL):
            bits = value if value >= 0 else value ^ ((1 << 63) - 1)
            return struct.unpack(">d", struct.pack(">q", bits))[0]
        case DecimalType(_, scale):
            return decimal.Context(prec=80).scaleb(decimal.Decimal(value), -scale)
        case ScalarType(Kind.DATE):
            return _EPOCH.date() + datetime.timedelta(days=value)
        case ScalarType(Kind.TIME):
            return (_EPOCH + value * _MICROSECOND).time()
        case ScalarType(Kind.TIMESTAMP):
            return _EPOCH + value * _MICROSECOND
        case ScalarType(Kind.TIMESTAMPTZ):
            return (_EPOCH + value * _MICROSECOND).replace(tzinfo=datetime.UTC)
        case ScalarType(Kind.UUID | Kind.BYTEA):
            return value
        case _:
            return value.decode() if isinstance(value, bytes) else value

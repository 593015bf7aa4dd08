"""`scalar op ANY (array)`, `scalar op ALL (array)`, and arrays as sets: `@>`, `<@`, `&&`.

ANY is the OR of the comparisons, ALL their AND, three-valued: NULL elements leave the answer open
unless another element decides it. An empty array decides at once, even for a NULL scalar.

Where an element type orders in Polars as in PostgreSQL, the least and the greatest element decide;
other types (floats with their NaN, intervals, rows, …) are compared row by row by their keys.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import polars as pl

from storage.errors import NotYet
from storage.schema import SCALED_PRECISION_MAX, CharType, DecimalType, VarCharType
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTEGER,
    JSON,
    JSONB,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    AnyType,
)
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import to_carrier
from warehouse.execution.ordering import ordering_key
from warehouse.execution.value import Value, carrier
from warehouse.functions.arrays import element_type, held, held_value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_PLAIN = frozenset({SMALLINT, INTEGER, BIGINT, TEXT, DATE, TIME, TIMESTAMP, TIMESTAMPTZ})
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _is_plain(kind: AnyType) -> bool:
    """Do Polars' comparisons and list functions order the elements as PostgreSQL does?"""
    narrow = isinstance(kind, DecimalType) and kind.precision <= SCALED_PRECISION_MAX
    return kind in _PLAIN or narrow or isinstance(kind, VarCharType | CharType)


def _any_true(op: str, value: pl.Expr, array: pl.Expr) -> pl.Expr:
    """Is the comparison true for some element? Elements that are NULL are not looked at."""
    least, greatest = array.list.min(), array.list.max()
    match op:
        case "=":
            return array.list.contains(value, nulls_equal=False)
        case "<>":
            return (least != value) | (greatest != value)
        case "<" | "<=":
            return _COMPARE[op](value, greatest)  # type: ignore[no-any-return]
        case _:
            return _COMPARE[op](value, least)  # type: ignore[no-any-return]


def _any_plain(op: str, value: Value, array: Value) -> pl.Expr:
    """`value op ANY (array)` of a plain element type."""
    scalar_expr = held(value, element_type(array))
    true = _any_true(op, scalar_expr, array.expr).fill_null(False)
    open_ended = scalar_expr.is_null() | array.expr.list.eval(pl.element().is_null()).list.any()
    return (
        pl.when(array.expr.is_null())
        .then(None)
        .when(array.expr.list.len() == 0)
        .then(pl.lit(False))
        .when(true)
        .then(pl.lit(True))
        .when(~open_ended)
        .then(pl.lit(False))
    )


def _any_constant(value: Value, array: Value) -> pl.Expr:
    """`value = ANY (constant array)`, which Polars looks up in a set."""
    kind = element_type(array)
    items = [to_carrier(item, kind) for item in array.literal if item is not None]
    known = pl.Series(items, dtype=carrier(array.type).inner)
    found = held(value, kind).is_in(known.implode())
    if not array.literal:
        return pl.lit(False)
    if len(items) == len(array.literal):
        return found
    return pl.when(found).then(pl.lit(True))


def _any_by_row(op: str, value: Value, array: Value, kind: AnyType) -> Value:
    element = element_type(array)
    if element == JSON:
        raise NotYet("json values do not compare; use jsonb")
    if element == JSONB and op not in ("=", "<>"):
        raise NotYet("an order of jsonb values is not supported")
    key, compare = ordering_key(element), _COMPARE[op]

    def some(wanted: Any, items: Any) -> bool | None:
        if items is None:
            return None
        if not items:
            return False
        if wanted is None:
            return None
        own = key(wanted)
        if any(compare(own, key(item)) for item in items if item is not None):
            return True
        return None if None in items else False

    return rowwise(some, [held_value(value, element), array], kind, strict=False)


def _any(op: str, value: Value, array: Value) -> Value:
    if not _is_plain(element_type(array)):
        return _any_by_row(op, value, array, BOOLEAN)
    if op == "=" and array.constant and array.literal is not None:
        return Value(expr=_any_constant(value, array), type=BOOLEAN)
    return Value(expr=_any_plain(op, value, array), type=BOOLEAN)


def _register(op: str) -> None:
    @scalar(f"any {op}(anyelement,anyarray) -> bool", native=False, strict=False)
    def compare_any(value: Value, array: Value, *, kind: AnyType) -> Value:
        return _any(op, value, array)

    @scalar(f"all {op}(anyelement,anyarray) -> bool", native=False, strict=False)
    def compare_all(value: Value, array: Value, *, kind: AnyType) -> Value:
        made = _any(_OPPOSITE[op], value, array)  # all of them are, if none is not
        return made.derived(made.expr.not_(), kind)


for _op in _COMPARE:
    _register(_op)


def _contains(whole: Value, part: Value, kind: AnyType) -> Value:
    """Is every element of `part` one of `whole`? NULL equals nothing."""
    element = element_type(whole)
    if _is_plain(element):
        nulls = part.expr.list.eval(pl.element().is_null()).list.any()
        missing = part.expr.list.set_difference(whole.expr).list.len()
        return Value(expr=(missing == 0) & ~nulls, type=kind)
    key = ordering_key(element)

    def covers(items: Any, wanted: Any) -> bool:
        known = [key(item) for item in items if item is not None]
        return all(item is not None and key(item) in known for item in wanted)

    return rowwise(covers, [whole, part], kind)


@scalar("@>(anyarray,anyarray) -> bool", native=False)
def contains(whole: Value, part: Value, *, kind: AnyType) -> Value:
    """Every element of the right array is one of the left's."""
    return _contains(whole, part, kind)


@scalar("<@(anyarray,anyarray) -> bool", native=False)
def contained(part: Value, whole: Value, *, kind: AnyType) -> Value:
    """Every element of the left array is one of the right's."""
    return _contains(whole, part, kind)


@scalar("&&(anyarray,anyarray) -> bool", native=False)
def overlaps(left: Value, right: Value, *, kind: AnyType) -> Value:
    """They have an element in common."""
    element = element_type(left)
    if _is_plain(element):
        common = left.expr.list.drop_nulls().list.set_intersection(right.expr.list.drop_nulls())
        return Value(expr=common.list.len() > 0, type=kind)
    key = ordering_key(element)

    def meet(first: Any, second: Any) -> bool:
        known = [key(item) for item in first if item is not None]
        return any(item is not None and key(item) in known for item in second)

    return rowwise(meet, [left, right], kind)

"""Comparisons: `=`, `<>`, `<`, `<=`, `>`, `>=`, IS [NOT] DISTINCT FROM, and IN a list.

Two operands become expressions that Polars compares as SQL does:

- integers and DECIMALs: integers of one scale, exactly. Where more digits do not fit, the number
  with fewer is cut to just beyond what the other can be, which leaves its order;
- NUMERIC (or REAL beside DOUBLE): 64-bit floats. NaN equals itself and is the greatest;
- INTERVAL: one number of microseconds, of months of 30 days;
- arrays: NULL elements equal each other and are greater than others, as in PostgreSQL;
- rows: by position. Two row constructors give three-valued results, field by field; stored
  composites compare as a whole, NULL fields being equal.

Text, bytes, dates, times, UUIDs, Booleans and enums compare as their carriers do.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from storage.errors import InternalError
from storage.schema import ArrayType, DecimalType, EnumType, StructType
from warehouse.algebra.expressions import Literal
from warehouse.algebra.types import (
    BOOLEAN,
    INTERVAL,
    JSON,
    JSONB,
    NUMERIC,
    REAL,
    AnyType,
    RecordType,
    is_float,
    is_integer,
)
from warehouse.execution.json_keys import jsonb_equality, jsonb_order
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import EXACT, fields_of, to_carrier, unscaled
from warehouse.execution.ordering import ordering_key
from warehouse.execution.ranges import DIGITS_38
from warehouse.execution.scaled import Scaled, as_float, held, of, raised_to, same_width, widened
from warehouse.execution.value import INT64, Value, any_fault, carrier

__all__ = ["OPERATORS", "compare", "field_of", "in_list", "in_literals", "interval_key"]

OPERATORS = ("=", "<>", "<", "<=", ">", ">=", "is distinct", "is not distinct")

_EQUALITIES = ("=", "<>", "is distinct", "is not distinct")
_NATIVE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "is distinct": lambda a, b: a.ne_missing(b),
    "is not distinct": lambda a, b: a.eq_missing(b),
}


def compare(op: str, left: Value, right: Value, *, by_field: bool = False) -> Value:
    """`left op right`, a Boolean.

    Args:
        by_field: both are row constructors.
    """
    fields = _field_count(left.type)
    if fields is not None and _field_count(right.type) is not None:
        return _compare_rows(op, left, right, by_field=by_field)
    a, b = _comparable(op, left, right)
    if isinstance(left.type, ArrayType) and not _plain_array(op, left.type):
        return _compare_keys(op, left, right)
    return _compared(_NATIVE[op](a, b), op, left, right)


def _compared(expr: pl.Expr, op: str, left: Value, right: Value) -> Value:
    total = op in ("is distinct", "is not distinct")
    return Value(
        expr,
        BOOLEAN,
        nullable=not total and (left.nullable or right.nullable),
        fault=any_fault([left.fault, right.fault]),
    )


def _comparable(op: str, left: Value, right: Value) -> tuple[pl.Expr, pl.Expr]:
    """Two expressions that Polars compares as SQL does the values."""
    a, b = left.type, right.type
    if _exact(a) and _exact(b):
        return _scaled(left, right)
    if _exact(a) or _exact(b) or NUMERIC in (a, b):
        return _float(left), _float(right)
    if is_float(a) and is_float(b):
        return (left.expr, right.expr) if a == b else (_float(left), _float(right))
    if a == INTERVAL:
        return interval_key(left.expr), interval_key(right.expr)
    if a == JSONB:
        key = jsonb_equality if op in _EQUALITIES else jsonb_order
        return key(left.expr), key(right.expr)
    return left.expr, right.expr


def _exact(kind: AnyType) -> bool:
    return is_integer(kind) or isinstance(kind, DecimalType)


def _float(value: Value) -> pl.Expr:
    if _exact(value.type):
        return as_float(of(value))
    return value.expr.cast(pl.Float64()) if value.type == REAL else value.expr


def _scaled(left: Value, right: Value) -> tuple[pl.Expr, pl.Expr]:
    a, b = _shortest(left), _shortest(right)
    scale = max(a.scale, b.scale)
    a, b = same_width(_stretched(a, scale), _stretched(b, scale))
    return a.expr, b.expr


def _shortest(value: Value) -> Scaled:
    """A constant without its last zeros: columns then need no rescaling to meet it."""
    number = of(value)
    if not value.constant or value.literal is None or number.scale == 0:
        return number
    digits, scale = unscaled(value.literal, number.scale), number.scale
    while scale and digits % 10 == 0:
        digits, scale = digits // 10, scale - 1
    dtype = pl.Int128() if number.wide else pl.Int64()
    return replace(number, expr=pl.lit(digits, dtype=dtype), scale=scale)


def _stretched(number: Scaled, scale: int) -> Scaled:
    """With more digits behind the point, for a comparison with a number that has them."""
    power = 10 ** (scale - number.scale)
    most = max(abs(number.bounds.low), abs(number.bounds.high)) * power
    if most <= DIGITS_38.high:
        return raised_to(number, scale)
    # 10^38 and its negative lie beyond all numbers of 38 digits, and 128 bits hold them.
    limit = pl.lit(10**38 // power, dtype=pl.Int128())
    wide = widened(number)
    cut = wide.expr.clip(-limit, limit) * pl.lit(power, dtype=pl.Int128())
    return replace(wide, expr=cut, scale=scale, bounds=DIGITS_38)


def interval_key(expr: pl.Expr) -> pl.Expr:
    """An interval as one Int128 by which it compares: months of 30 days, days of 24 hours."""
    months = expr.struct.field("months").cast(pl.Int64())
    days = months * 30 + expr.struct.field("days").cast(pl.Int64())
    day = pl.lit(86_400_000_000, dtype=pl.Int128())
    return days.cast(pl.Int128()) * day + expr.struct.field("microseconds").cast(pl.Int128())


def _plain_array(op: str, kind: ArrayType) -> bool:
    """Does Polars compare the lists as PostgreSQL the arrays?"""
    equality = op in _EQUALITIES
    scalar = not isinstance(kind.element, ArrayType | StructType | RecordType)
    return equality and scalar and kind.element not in (INTERVAL, JSONB)


def _compare_keys(op: str, left: Value, right: Value) -> Value:
    """Whole values by their ordering keys, row by row."""
    keys = ordering_key(left.type), ordering_key(right.type)
    function: Callable[[Any, Any], bool] = _NATIVE[op]
    if not op.startswith("is "):
        return rowwise(lambda a, b: function(keys[0](a), keys[1](b)), [left, right], BOOLEAN)

    def same(a: Any, b: Any) -> bool:
        if a is None or b is None:
            return (a is None) == (b is None)
        return bool(keys[0](a) == keys[1](b))

    made = rowwise(same, [left, right], BOOLEAN, strict=False)
    expr = made.expr.not_() if op == "is distinct" else made.expr
    return replace(made, expr=expr, nullable=False)


def _field_count(kind: AnyType) -> int | None:
    return len(kind.fields) if isinstance(kind, StructType | RecordType) else None


def field_of(value: Value, position: int) -> Value:
    """A field of a row, by its position from 0."""
    fields = fields_of(value.type)
    if fields is None:
        raise InternalError(f"{value.type} has no fields")
    name, kind = fields[position]
    return held(value.expr.struct.field(name), kind, fault=value.fault)


def _compare_rows(op: str, left: Value, right: Value, *, by_field: bool) -> Value:
    from warehouse.execution import logic

    count = _field_count(left.type) or 0
    if count != _field_count(right.type):
        raise InternalError(f"rows of {count} and {_field_count(right.type)} fields")
    pairs = [(field_of(left, i), field_of(right, i)) for i in range(count)]
    fault = any_fault([left.fault, right.fault])
    pairs = [(replace(a, fault=None), replace(b, fault=None)) for a, b in pairs]
    if op in ("=", "<>") and by_field:
        parts = [compare(op, a, b, by_field=True) for a, b in pairs]
        made = logic.conjunction(parts) if op == "=" else logic.disjunction(parts)
        return replace(made, fault=fault)
    if op in ("=", "<>", "is distinct", "is not distinct"):
        parts = [compare("is not distinct", a, b) for a, b in pairs]
        same = logic.conjunction(parts).expr
        return _whole(same, op, left, right, fault)
    if by_field:
        return replace(_lexical(op, pairs), fault=fault)
    return _compare_keys(op, left, right)


def _whole(same: pl.Expr, op: str, left: Value, right: Value, fault: pl.Expr | None) -> Value:
    """The equality of stored rows from that of their fields."""
    neither = left.expr.is_not_null() & right.expr.is_not_null()
    if op in ("=", "<>"):
        answer = pl.when(neither).then(same if op == "=" else same.not_())
        return Value(answer, BOOLEAN, fault=fault)
    equal = same & (left.expr.is_null() == right.expr.is_null())
    expr = equal if op == "is not distinct" else equal.not_()
    return Value(expr, BOOLEAN, nullable=False, fault=fault)


def _lexical(op: str, pairs: list[tuple[Value, Value]]) -> Value:
    """The first pair that is not equal decides; NULL if it holds a NULL."""
    last = pairs[-1]
    expr = compare(op, last[0], last[1], by_field=True).expr
    for a, b in reversed(pairs[:-1]):
        equal = compare("=", a, b, by_field=True).expr
        strict = compare(op[0], a, b, by_field=True).expr
        undecided = pl.lit(None, dtype=pl.Boolean())
        expr = pl.when(equal).then(expr).when(equal.not_()).then(strict).otherwise(undecided)
    return Value(expr, BOOLEAN)


def in_list(arg: Value, items: list[Value], *, negated: bool) -> Value:
    """`arg [NOT] IN (items)`; the items are constants."""
    made = _set_member(arg, items) if _settable(arg, items) else _one_by_one(arg, items)
    return replace(made, expr=made.expr.not_()) if negated else made


class _Constant(NamedTuple):
    """What a set needs to know of a constant: a long list is no list of expressions."""

    type: AnyType
    literal: Any
    fault: None = None
    constant: bool = True


def in_literals(arg: Value, items: Sequence[Literal], *, negated: bool) -> Value | None:
    """`arg [NOT] IN (items)`; None if that takes comparisons one by one."""
    known = [_Constant(item.type, item.value) for item in items]
    if not _settable(arg, known):
        return None
    made = _set_member(arg, known)
    return replace(made, expr=made.expr.not_()) if negated else made


def _settable(arg: Value, items: Sequence[Value | _Constant]) -> bool:
    nested = isinstance(arg.type, ArrayType | StructType | RecordType | EnumType)
    mixed = any(item.type != arg.type and not _exact(item.type) for item in items)
    apart = mixed or (not _exact(arg.type) and any(_exact(item.type) for item in items))
    faulty = any(item.fault is not None or not item.constant for item in items)
    return not (nested or apart or faulty or arg.type in (INTERVAL, JSON, JSONB))


def _set_member(arg: Value, items: Sequence[Value | _Constant]) -> Value:
    known = [item.literal for item in items if item.literal is not None]
    if _exact(arg.type):
        # A constant with more digits than the type has equals none of its values.
        known = [number for number in known if _fits(number, arg)]
        exact = arg.type if isinstance(arg.type, DecimalType) else DecimalType(19, 0)
        members = [to_carrier(number, exact, wide=arg.wide) for number in known]
    else:
        members = [to_carrier(item, arg.type) for item in known]
    dtype = carrier(arg.type, wide=arg.wide)
    expr: pl.Expr = arg.expr.is_in(pl.lit(members, dtype=pl.List(dtype)))
    if any(item.literal is None for item in items):
        expr = expr | pl.lit(None, dtype=pl.Boolean())
    return Value(
        expr,
        BOOLEAN,
        nullable=arg.nullable or any(item.literal is None for item in items),
        fault=arg.fault,
    )


def _fits(value: Any, arg: Value) -> bool:
    """Can the argument's carrier hold the number exactly?"""
    scale = arg.type.scale if isinstance(arg.type, DecimalType) else 0
    digits = unscaled(value, scale)
    limits = DIGITS_38 if arg.wide else INT64
    exact = Decimal(digits).scaleb(-scale, context=EXACT) == value
    return exact and limits.low <= digits <= limits.high


def _one_by_one(arg: Value, items: list[Value]) -> Value:
    from warehouse.execution import logic

    quiet = replace(arg, fault=None)
    made = logic.disjunction([compare("=", quiet, item) for item in items])
    return replace(made, fault=any_fault([arg.fault, made.fault]))

"""Values on their way into a column: PostgreSQL's assignment casts.

A plain literal becomes the column's at once, without a cast that execution would have to run: a
VALUES list has thousands of them. What does not fit keeps its cast, which fails when it runs, with
the right error.
"""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from typing import Any

import msgspec

from storage.errors import InvalidRequest
from storage.schema import (
    ArrayType,
    CharType,
    DecimalType,
    EnumType,
    SqlType,
    StructType,
    VarCharType,
    plain_type,
)
from warehouse.algebra.expressions import Call, Cast, Expr, Literal
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    SMALLINT,
    TEXT,
    UNKNOWN,
    AnyType,
    RecordType,
    base_name,
    category,
    is_integer,
    is_numeric,
    is_text,
    shown,
)
from warehouse.binder.constants import literal_as, plain_literal
from warehouse.binder.types import implicit
from warehouse.syntax.tree import Constant

__all__ = ["assigned", "assigned_constant"]

_ASSIGNED: dict[str, frozenset[str]] = {
    "timestamp": frozenset(("date", "time")),
    "timestamptz": frozenset(("date", "time", "timestamp")),
    "interval": frozenset(("time",)),
    "json": frozenset(("jsonb",)),
    "jsonb": frozenset(("json",)),
}
_BOUNDS = {SMALLINT: 2**15, INTEGER: 2**31, BIGINT: 2**63}
_INTEGER = re.compile("-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?(?:[0-9]{1,38}\.?[0-9]{0,38}|\.[0-9]{1,38})")
_EXACT = decimal.Context(prec=100, rounding=decimal.ROUND_HALF_UP)


def assigned(expr: Expr, kind: SqlType, column: str, *, later: bool = False) -> Expr:
    """The expression as a value of a column of type `kind`.

    Args:
        later: leave it to execution to read the texts of literals that need more than a look.
    Raises:
        InvalidRequest: the types do not fit without a cast that the user writes (42804); a literal
            is no such value (22P02, 22007, …).
    """
    kind = plain_type(kind)  # whoever stores the value rounds its seconds (`storage.assignment`)
    if expr.type == kind:
        return expr
    if expr.type == UNKNOWN:
        return _untyped(expr, kind, later)
    if isinstance(kind, StructType) and isinstance(expr, Call) and expr.fn == "row":
        return _row(expr, kind, later)
    if isinstance(expr.type, RecordType) and not _fits(expr.type, kind):
        raise InvalidRequest(f"cannot cast type record to {shown(kind)}", "42846")
    if not _fits(expr.type, kind):
        raise InvalidRequest(
            f'column "{column}" is of type {shown(kind)} but expression is of type'
            f" {shown(expr.type)}; you will need to rewrite or cast the expression",
            "42804",
        )
    if isinstance(expr, Literal):
        found = _literal(expr.value, expr.type, kind)
        if found is not None:
            return found
    return Cast(type=kind, arg=expr)


def _row(expr: Call, kind: StructType, later: bool) -> Expr:
    """ROW(…), field by field. Its texts are literals whose type nothing has decided yet."""
    if len(expr.args) != len(kind.fields):
        raise InvalidRequest(f"cannot cast type record to {shown(kind)}", "42846")
    args = []
    for arg, (name, field) in zip(expr.args, kind.fields, strict=True):
        untyped = isinstance(arg, Literal) and arg.type == TEXT
        value = msgspec.structs.replace(arg, type=UNKNOWN) if untyped else arg
        args.append(assigned(value, field, name, later=later))
    return Call(type=kind, fn="row", args=tuple(args))


def _untyped(expr: Expr, kind: SqlType, later: bool) -> Expr:
    if not isinstance(expr, Literal):
        return Cast(type=kind, arg=expr)
    if expr.value is None:
        return Literal(type=kind, value=None)
    text: str = expr.value
    if category(kind) == "S":
        found = _text(text, kind)
        return Cast(type=kind, arg=Literal(type=TEXT, value=text)) if found is None else found
    if not later:
        return literal_as(text, kind)
    plain = plain_literal(text, kind)
    if plain is not None:
        return plain
    return Cast(type=kind, arg=Literal(type=TEXT, value=text), explicit=True)


def assigned_constant(node: Constant, kind: SqlType) -> Literal | None:
    """A constant of a statement as a literal of the column's type, without being bound first.

    None if that takes more than a look, or if it does not fit: `assigned` finds the error.
    """
    text, kind = node.value, plain_type(kind)
    match node.kind:
        case "null":
            return Literal(type=kind, value=None)
        case "string":
            return _text(text, kind) if is_text(kind) else plain_literal(text, kind)
        case "number":
            if is_integer(kind) or isinstance(kind, DecimalType) or kind == DOUBLE:
                if _INTEGER.fullmatch(text):
                    return _number(int(text), kind)
                if _DECIMAL.fullmatch(text):
                    return _number(Decimal(text), kind)
            return None
        case "bool":
            return Literal(type=kind, value=text == "true") if kind == BOOLEAN else None
        case _:
            return None


# --- literals -------------------------------------------------------------------------------------


def _literal(value: Any, source: AnyType, kind: SqlType) -> Literal | None:
    """The value as a literal of the column's type; None if it needs a cast, or does not fit."""
    if value is None:
        return Literal(type=kind, value=None)
    if category(kind) == "S" and category(source) == "S":
        return _text(value, kind)
    if is_integer(source) or isinstance(source, DecimalType):
        return _number(value, kind)
    return None


def _text(value: str, kind: SqlType) -> Literal | None:
    """A text of limited length loses blanks beyond it and nothing else."""
    if isinstance(kind, VarCharType) and len(value) > kind.length:
        value = value[: kind.length] if not value[kind.length :].strip(" ") else value
        return Literal(type=kind, value=value) if len(value) <= kind.length else None
    if isinstance(kind, CharType):
        value = value.rstrip(" ")
        return Literal(type=kind, value=value) if len(value) <= kind.length else None
    return Literal(type=kind, value=value)


def _number(value: int | Decimal, kind: SqlType) -> Literal | None:
    if is_integer(kind):
        bound = _BOUNDS[kind]  # type: ignore[index]
        if isinstance(value, int):
            return Literal(type=kind, value=value) if -bound <= value < bound else None
        number = int(value.to_integral_value(decimal.ROUND_HALF_UP, _EXACT))
        return Literal(type=kind, value=number) if -bound <= number < bound else None
    if isinstance(kind, DecimalType):
        digits = Decimal(value).scaleb(kind.scale, _EXACT)
        digits = digits.to_integral_value(decimal.ROUND_HALF_UP, _EXACT)
        if abs(digits) >= 10**kind.precision:
            return None
        return Literal(type=kind, value=digits.scaleb(-kind.scale, _EXACT))
    if kind == DOUBLE:
        return Literal(type=kind, value=float(value))
    return None


# --- types ----------------------------------------------------------------------------------------


def _fits(source: AnyType, target: AnyType) -> bool:
    """Is there an assignment cast?"""
    if is_numeric(source) and is_numeric(target):
        return True
    if category(target) == "S":
        return True
    if isinstance(source, ArrayType) and isinstance(target, ArrayType):
        return _fits(source.element, target.element)
    if isinstance(target, EnumType | StructType):
        return source == target or _fields_fit(source, target)
    a, b = base_name(source), base_name(target)
    return a == b or implicit(source, b) or b in _ASSIGNED.get(a, ())


def _fields_fit(source: AnyType, target: AnyType) -> bool:
    """ROW(…) is assigned field by field."""
    return (
        isinstance(source, RecordType)
        and isinstance(target, StructType)
        and len(source.fields) == len(target.fields)
        and all(
            given == UNKNOWN or _fits(given, wanted)
            for given, (_, wanted) in zip(source.fields, target.fields, strict=True)
        )
    )

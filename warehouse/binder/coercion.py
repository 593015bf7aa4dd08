"""Expressions brought to a type: by a cast, or, for an untyped literal, by reading its text.

What stands beside a typed value takes its type: in a comparison, CASE, COALESCE, UNION, VALUES or
ARRAY. A type's modifiers do not carry over to a literal there: beside a `numeric(10, 1)`, `'4.25'`
is the number 4.25 and not 4.3, and beside a `char(4)`, `'abcdef'` has six letters (documentation,
10.5).
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import InvalidRequest
from storage.schema import ArrayType, CharType, DecimalType, VarCharType
from warehouse.algebra import types
from warehouse.algebra.expressions import Call, Cast, Expr, Literal
from warehouse.algebra.types import (
    NUMERIC,
    TEXT,
    UNKNOWN,
    AnyType,
    RecordType,
    is_integer,
    shown,
)
from warehouse.binder.constants import literal_as
from warehouse.binder.types import castable, common_type

__all__ = ["agreed", "beside", "coerce", "settled", "stored_element", "without_modifiers"]


def coerce(expr: Expr, kind: AnyType, *, explicit: bool = False) -> Expr:
    """The expression as `kind`, by a cast if it needs one.

    Raises InvalidRequest: there is no such cast (42846), or a literal is no such value.
    """
    if expr.type == kind:
        return expr
    if expr.type == UNKNOWN and isinstance(expr, Literal):
        if expr.value is None:
            return Literal(type=kind, value=None)
        return literal_as(expr.value, kind)
    if not castable(expr.type, kind):
        raise InvalidRequest(f"cannot cast type {shown(expr.type)} to {shown(kind)}", "42846")
    if isinstance(expr, Literal) and is_integer(expr.type) and is_integer(kind) and not explicit:
        return Literal(type=kind, value=expr.value)
    return Cast(type=kind, arg=expr, explicit=explicit)


def settled(expr: Expr) -> Expr:
    """An untyped literal as TEXT, also inside a row; everything else as it is."""
    if expr.type == UNKNOWN:
        return coerce(expr, TEXT)
    if isinstance(expr, Call) and expr.fn == "row" and isinstance(expr.type, RecordType):
        args = tuple(settled(arg) for arg in expr.args)
        return Call(type=RecordType(fields=tuple(a.type for a in args)), fn="row", args=args)
    return expr


def beside(expr: Expr, kind: AnyType) -> Expr:
    """An untyped literal as what it is beside a value of `kind`; everything else as it is."""
    if expr.type != UNKNOWN:
        return expr
    if not isinstance(expr, Literal) or expr.value is None:
        return coerce(expr, kind)
    match kind:
        case DecimalType():
            return literal_as(expr.value, NUMERIC)
        case VarCharType(length) if len(expr.value) > length:
            return coerce(expr, TEXT)
        case CharType(length):
            return literal_as(expr.value, CharType(length=max(length, len(expr.value))))
        case ArrayType(element=DecimalType() | VarCharType() | CharType() as element):
            return _array_beside(expr.value, element)
    return coerce(expr, kind)


def _array_beside(text: str, element: AnyType) -> Expr:
    """`'{4.25, 1}'` beside an array: as an array of what its elements are beside `element`."""
    texts = literal_as(text, ArrayType(element=types.TEXT))
    if not isinstance(texts, Literal) or texts.value is None:
        return coerce(Literal(type=UNKNOWN, value=text), ArrayType(element=element))  # type: ignore[arg-type]
    items = [
        Literal(type=element, value=None)
        if item is None
        else beside(Literal(type=UNKNOWN, value=item), element)
        for item in texts.value
    ]
    kind = ArrayType(element=stored_element(common_type([element, *(i.type for i in items)], "")))  # type: ignore[arg-type]
    return literal_as(text, kind)


def stored_element(kind: AnyType) -> AnyType:
    """What an array of `kind` holds: NUMERIC without a scale travels as a 64-bit float."""
    return types.DOUBLE if kind == NUMERIC else kind


def agreed(exprs: Sequence[Expr], context: str) -> tuple[list[Expr], AnyType]:
    """Parts of CASE, COALESCE, ARRAY, …: all in the one type that they have in common.

    Raises InvalidRequest (42804) naming `context` if they do not fit together.
    """
    first = common_type([expr.type for expr in exprs], context)
    parts = [beside(expr, first) for expr in exprs]
    kind = common_type([part.type for part in parts], context)
    return [coerce(part, kind) for part in parts], kind


def without_modifiers(kind: AnyType) -> AnyType:
    """The type for a value of which nothing is known but that its base type is that of `kind`."""
    match kind:
        case DecimalType():
            return NUMERIC
        case VarCharType() | CharType():
            return TEXT
    return kind

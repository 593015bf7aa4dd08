"""Values on their way into a column: PostgreSQL's assignment casts."""

from __future__ import annotations

from storage.errors import InvalidRequest
from storage.schema import ArrayType, CharType, SqlType, VarCharType
from warehouse.algebra.expressions import Cast, Expr, Literal
from warehouse.algebra.types import (
    TEXT,
    UNKNOWN,
    AnyType,
    base_name,
    category,
    is_numeric,
    shown,
)
from warehouse.binder.resolve import coerce
from warehouse.binder.types import implicit

__all__ = ["assigned"]

_ASSIGNED: dict[str, frozenset[str]] = {
    "timestamp": frozenset(("date", "time")),
    "timestamptz": frozenset(("date", "time", "timestamp")),
    "interval": frozenset(("time",)),
    "json": frozenset(("jsonb",)),
    "jsonb": frozenset(("json",)),
}


def assigned(expr: Expr, kind: SqlType, column: str) -> Expr:
    """The expression as a value of a column of type `kind`.

    Lengths of VARCHAR(n) and CHAR(n) are checked where the rows are stored, not here: a value
    that is too long is an error and is not cut.
    Raises InvalidRequest (42804) if the types do not fit without a cast that the user writes.
    """
    if isinstance(kind, VarCharType | CharType):
        return _as_text(expr, kind)
    if expr.type == kind:
        return expr
    if expr.type == UNKNOWN:
        return coerce(expr, kind)
    if not _fits(expr.type, kind):
        raise InvalidRequest(
            f'column "{column}" is of type {shown(kind)} but expression is of type'
            f" {shown(expr.type)}; you will need to rewrite or cast the expression",
            "42804",
        )
    if isinstance(expr, Literal) and expr.value is None:
        return Literal(type=kind, value=None)
    return Cast(type=kind, arg=expr)


def _as_text(expr: Expr, kind: SqlType) -> Expr:
    if expr.type == UNKNOWN or category(expr.type) != "S":
        expr = coerce(expr, TEXT)
    return expr


def _fits(source: AnyType, target: AnyType) -> bool:
    if is_numeric(source) and is_numeric(target):
        return True
    if category(target) == "S":
        return True
    a, b = base_name(source), base_name(target)
    if a == b:
        return a != "enum" or source == target
    if isinstance(source, ArrayType) and isinstance(target, ArrayType):
        return _fits(source.element, target.element)
    return implicit(source, b) or b in _ASSIGNED.get(a, ())

"""Comparisons: both sides brought to types that compare, rows compared by their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from storage.errors import InvalidRequest, UnknownObject
from storage.schema import ArrayType
from warehouse.algebra.expressions import Call, Expr
from warehouse.algebra.types import (
    BOOLEAN,
    DOUBLE,
    TEXT,
    UNKNOWN,
    AnyType,
    RecordType,
    base_name,
    category,
    has_equality,
    is_float,
    is_numeric,
    shown,
)
from warehouse.binder.coercion import beside, coerce
from warehouse.binder.objects import numbers
from warehouse.binder.types import common_type, implicit

__all__ = ["COMPARISONS", "comparable", "compare", "negation_of", "row_parts"]

COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">="))
_DATES = ("date", "timestamp", "timestamptz")
_NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_STRICT = {"<": "<", "<=": "<", ">": ">", ">=": ">"}


def negation_of(op: str) -> str:
    """The comparison that is true where `op` is false."""
    return _NEGATED[op]


def row_parts(expr: Expr) -> tuple[Expr, ...] | None:
    """The parts of a row constructor, or None."""
    if isinstance(expr, Call) and expr.fn == "row":
        return expr.args
    return None


def comparable(
    op: str, left: Expr, right: Expr, place: Callable[[], str] = lambda: ""
) -> tuple[Expr, Expr]:
    """Both sides with the casts that the comparison needs. Raises UnknownObject (42883)."""
    left, right = numbers(left, right)
    a, b = left.type, right.type
    if a == UNKNOWN and b == UNKNOWN:
        return coerce(left, TEXT), coerce(right, TEXT)
    if UNKNOWN in (a, b) and not has_equality(b if a == UNKNOWN else a):
        raise _no_operator(op, a, b, place())
    if a == UNKNOWN:
        left, a = (found := beside(left, b)), found.type
    if b == UNKNOWN:
        right, b = (found := beside(right, a)), found.type
    if is_numeric(a) and is_numeric(b):
        if is_float(a) != is_float(b):
            return coerce(left, DOUBLE), coerce(right, DOUBLE)
        return left, right
    if not (has_equality(a) and has_equality(b)):
        raise _no_operator(op, a, b, place())
    if base_name(a) == base_name(b) == "record" and _width(a) != _width(b):
        raise InvalidRequest(
            f"cannot compare record types with different numbers of columns{place()}", "42804"
        )
    if base_name(a) == base_name(b) and not isinstance(a, ArrayType | RecordType):
        if base_name(a) == "enum" and a != b:
            raise _no_operator(op, a, b, place())
        return left, right
    if category(a) == category(b) == "S":
        return left, right
    if base_name(a) in _DATES and base_name(b) in _DATES:
        kind = a if _DATES.index(base_name(a)) > _DATES.index(base_name(b)) else b
        return coerce(left, kind), coerce(right, kind)
    if isinstance(a, ArrayType) and isinstance(b, ArrayType):
        kind = common_type([a, b], op)
        return coerce(left, kind), coerce(right, kind)
    if base_name(a) == base_name(b) == "record":
        return left, right
    if category(a) != "S" and category(b) != "S":
        if implicit(a, base_name(b)):
            return coerce(left, b), right
        if implicit(b, base_name(a)):
            return left, coerce(right, a)
    raise _no_operator(op, a, b, place())


def _width(kind: AnyType) -> int:
    return len(getattr(kind, "fields", ()))


def _no_operator(op: str, a: AnyType, b: AnyType, place: str) -> UnknownObject:
    return UnknownObject(
        f"operator does not exist: {shown(a)} {op} {shown(b)}{place};"
        " you might need to add explicit casts",
        "42883",
    )


def compare(op: str, left: Expr, right: Expr, place: Callable[[], str] = lambda: "") -> Expr:
    """`left op right`; `op` may be "is distinct" and "is not distinct" too."""
    ours, theirs = row_parts(left), row_parts(right)
    if ours is not None and theirs is not None and len(ours) == len(theirs) and ours:
        return _rows(op, ours, theirs, place)
    a, b = comparable(op, left, right, place)
    return Call(type=BOOLEAN, fn=op, args=(a, b))


def _rows(op: str, left: Sequence[Expr], right: Sequence[Expr], place: Callable[[], str]) -> Expr:
    pairs = list(zip(left, right, strict=True))
    if op in ("=", "is not distinct"):
        return _joined("and", [compare(op, a, b, place) for a, b in pairs])
    if op in ("<>", "is distinct"):
        return _joined("or", [compare(op, a, b, place) for a, b in pairs])
    parts: list[Expr] = []
    for position, (a, b) in enumerate(pairs):
        last = position == len(pairs) - 1
        equal = [compare("=", c, d, place) for c, d in pairs[:position]]
        parts.append(_joined("and", [*equal, compare(op if last else _STRICT[op], a, b, place)]))
    return _joined("or", parts)


def _joined(word: str, parts: list[Expr]) -> Expr:
    return parts[0] if len(parts) == 1 else Call(type=BOOLEAN, fn=word, args=tuple(parts))

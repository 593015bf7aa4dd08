"""Conditions that the rewrites build: Boolean calls, and what can be said of comparisons."""

from __future__ import annotations

from storage.errors import InternalError
from warehouse.algebra.expressions import Call, Case, Expr, Literal
from warehouse.algebra.types import BIGINT, BOOLEAN
from warehouse.algebra.walk import subexpressions
from warehouse.functions.registry import function

__all__ = [
    "FALSE",
    "TRUE",
    "at_most",
    "call",
    "either",
    "identical",
    "is_true",
    "is_volatile",
    "more_than",
    "negated",
    "null_unless",
    "operator",
    "plus",
]

TRUE = Literal(type=BOOLEAN, value=True)
FALSE = Literal(type=BOOLEAN, value=False)

_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_OPPOSITE |= {"is distinct": "is not distinct", "is not distinct": "is distinct"}


def call(fn: str, *args: Expr) -> Call:
    """A Boolean call."""
    return Call(type=BOOLEAN, fn=fn, args=args)


def operator(fn: str) -> str:
    """The name in a signature: `=` of `=(int4,int4)`."""
    return fn.split("(", 1)[0]


def identical(one: Expr, other: Expr) -> Expr:
    """IS NOT DISTINCT FROM: NULL equals NULL."""
    return call("is not distinct", one, other)


def is_true(condition: Expr) -> Expr:
    """False where the condition is NULL."""
    return call("is true", condition)


def either(*parts: Expr) -> Expr:
    """OR."""
    return parts[0] if len(parts) == 1 else call("or", *parts)


def negated(condition: Expr) -> Expr:
    """NOT, by the opposite comparison if there is one: NULL stays NULL."""
    if isinstance(condition, Call):
        if condition.fn == "not":
            return condition.args[0]
        name = operator(condition.fn)
        if name in _OPPOSITE:
            return call(_OPPOSITE[name] + condition.fn[len(name) :], *condition.args)
    return call("not", condition)


def null_unless(condition: Expr, value: Expr) -> Expr:
    """The value where the condition is true, else NULL."""
    nothing = Literal(type=value.type, value=None)
    return Case(type=value.type, branches=((condition, value),), default=nothing)


def at_most(one: Expr, other: Expr) -> Expr:
    """`<=` of BIGINTs."""
    return call("<=", one, other)


def more_than(one: Expr, other: Expr) -> Expr:
    """`>` of BIGINTs."""
    return call(">", one, other)


def plus(one: Expr, other: Expr) -> Expr:
    """`+` of BIGINTs; of constants, the constant."""
    if isinstance(one, Literal) and isinstance(other, Literal):
        if one.value is None or other.value is None:
            return Literal(type=BIGINT, value=None)
        return Literal(type=BIGINT, value=one.value + other.value)
    return Call(type=BIGINT, fn="+(int8,int8)", args=(one, other))


def is_volatile(expr: Expr) -> bool:
    """May it give another value each time, as `random()` does?"""
    for part in subexpressions(expr):
        if isinstance(part, Call):
            try:
                entry = function(part.fn)
            except InternalError:  # the connectives are in no catalogue
                continue
            if entry.volatile:
                return True
    return False

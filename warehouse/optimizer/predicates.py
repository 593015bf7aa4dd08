"""What can be said of a predicate: may it fail, does NULL make it not true, what does it imply."""

from __future__ import annotations

from collections.abc import Callable, Collection

from storage.errors import InternalError
from storage.schema import DecimalType
from warehouse.algebra.expressions import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    Parameter,
    both,
    conjuncts,
)
from warehouse.algebra.types import BIGINT, DOUBLE, INTEGER, NUMERIC, SMALLINT, TEXT, is_text
from warehouse.algebra.walk import columns_used, map_children
from warehouse.functions.registry import function
from warehouse.optimizer.logic import FALSE, TRUE, either, operator

__all__ = ["factored", "implied", "may_fault", "rejects_null"]

_COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">="))
_ARITHMETIC = frozenset(("+", "-", "*", "/", "%"))
_CONNECTIVES = frozenset(("and", "or", "not", "coalesce"))
_LIKE = frozenset(("like", "not like", "ilike", "not ilike", "~~", "!~~", "~~*", "!~~*"))
_INTEGERS = (SMALLINT, INTEGER, BIGINT)
_DIGITS = {SMALLINT: 5, INTEGER: 10, BIGINT: 19}


def may_fault(expr: Expr) -> bool:
    """Can a row make it fail? False only for what is known to be safe."""
    match expr:
        case ColumnRef() | Literal() | Parameter():
            return False
        case Cast():
            return not _safe_cast(expr) or may_fault(expr.arg)
        case Call(fn=fn, args=args):
            name = operator(fn)
            safe = name in _COMPARISONS or name in _CONNECTIVES or name.startswith("is ")
            if name in _LIKE:
                safe = len(args) == 2 and _safe_pattern(args[1])
            return not safe or any(map(may_fault, args))
        case Case() | InList():
            return _any_child(expr, may_fault)
        case _:
            return True


def _any_child(expr: Expr, test: Callable[[Expr], bool]) -> bool:
    found: list[bool] = []

    def note(part: Expr) -> Expr:
        found.append(test(part))
        return part

    map_children(expr, note)
    return any(found)


def _safe_pattern(pattern: Expr) -> bool:
    """A pattern that ends with its escape character is an error."""
    value = pattern.value if isinstance(pattern, Literal) else "\\"
    return value is None or not str(value).endswith("\\")


def _safe_cast(cast: Cast) -> bool:
    source, target = cast.arg.type, cast.type
    if source == target:
        return True
    if source in _INTEGERS:
        if target in _INTEGERS:
            return _INTEGERS.index(source) <= _INTEGERS.index(target)
        if isinstance(target, DecimalType):
            return target.precision - target.scale >= _DIGITS[source]
        return target in (DOUBLE, NUMERIC)
    if isinstance(source, DecimalType):
        if isinstance(target, DecimalType):
            whole = target.precision - target.scale >= source.precision - source.scale
            return whole and target.scale >= source.scale
        return target in (DOUBLE, NUMERIC)
    return is_text(source) and target == TEXT


def rejects_null(predicate: Expr, columns: Collection[int]) -> bool:
    """Is it never true where all these columns are NULL?"""
    match predicate:
        case Literal():
            return predicate.value is not True
        case Call(fn="and", args=args):
            return any(rejects_null(arg, columns) for arg in args)
        case Call(fn="or", args=args):
            return all(rejects_null(arg, columns) for arg in args)
        case Call(fn="not", args=(Call(fn="is null", args=(arg,)),)):
            return _null(arg, columns)
        case Call(fn="is not null", args=(arg,)):
            return _null(arg, columns)
        case Call(fn="is true", args=(arg,)):
            return rejects_null(arg, columns)
        case _:
            return _null(predicate, columns)


def _null(expr: Expr, columns: Collection[int]) -> bool:
    """Is it surely NULL where these columns are?"""
    match expr:
        case ColumnRef(id=number):
            return number in columns
        case Literal(value=value):
            return value is None
        case Cast(arg=arg):
            return _null(arg, columns)
        case InList(arg=arg):
            return _null(arg, columns)
        case Call(fn="not", args=(arg,)):
            return _null(arg, columns)
        case Call(fn="and" | "or", args=args):
            return all(_null(arg, columns) for arg in args)
        case Call(fn=fn, args=args):
            return _strict(fn) and any(_null(arg, columns) for arg in args)
        case _:
            return False


def _strict(fn: str) -> bool:
    if operator(fn) in _COMPARISONS | _ARITHMETIC | _LIKE:
        return True
    try:
        entry = function(fn)
    except InternalError:  # the connectives and tests are in no catalogue
        return False
    return entry.strict and entry.kind == "scalar"


def factored(predicate: Expr) -> list[Expr]:
    """The conjuncts; what all branches of an OR have in common is taken out of it.

    `(a AND b) OR (a AND c)` is `a AND (b OR c)`. What may fail stays: a branch may guard it.
    """
    found: list[Expr] = []
    for part in conjuncts(predicate):
        if not (isinstance(part, Call) and part.fn == "or"):
            found.append(part)
            continue
        branches = [_flat(arg) for arg in _alternatives(part)]
        shared = [
            one
            for one in branches[0]
            if not may_fault(one) and all(one in other for other in branches[1:])
        ]
        if not shared:
            found.append(part)
            continue
        rests = [both([one for one in branch if one not in shared]) for branch in branches]
        found += shared
        kept = [rest for rest in rests if rest is not None]
        if len(kept) == len(rests):
            found.append(either(*kept))
    return found


def _alternatives(expr: Expr) -> list[Expr]:
    if isinstance(expr, Call) and expr.fn == "or":
        return [part for arg in expr.args for part in _alternatives(arg)]
    return [expr]


def _flat(branch: Expr) -> list[Expr]:
    """The branch's conjuncts, those of ORs within it factored too."""
    return factored(branch)


def implied(predicate: Expr, columns: Collection[int]) -> Expr | None:
    """What an OR says of these columns alone: it holds wherever the OR does. None: nothing.

    `(a = 1 AND b = 2) OR (a = 3 AND b = 4)` implies `a = 1 OR a = 3`.
    """
    if not (isinstance(predicate, Call) and predicate.fn == "or"):
        return None
    branches: list[Expr] = []
    for branch in _alternatives(predicate):
        own = [
            part
            for part in conjuncts(branch)
            if columns_used(part) and columns_used(part) <= set(columns) and not may_fault(part)
        ]
        alone = both(own)
        if alone is None:
            return None
        branches.append(alone)
    unique = list(dict.fromkeys(branches))
    return None if TRUE in unique or FALSE in unique else either(*unique)

"""Arguments by name: `f(a, vars => b)` as the positional call that it stands for.

Source: PostgreSQL documentation, 4.3 (Calling Functions). Arguments without a name come first; what
is left out behind the last one that is given takes the function's default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from storage.errors import InvalidRequest, UnknownObject
from warehouse.algebra.expressions import Expr, Literal
from warehouse.algebra.types import BOOLEAN, DOUBLE, INTEGER, UNKNOWN, AnyType, shown
from warehouse.functions.registry import Function, functions_named

__all__ = ["Given", "positional"]

Given = tuple[str | None, Expr]
_TYPES: dict[type, AnyType] = {bool: BOOLEAN, int: INTEGER, float: DOUBLE, str: UNKNOWN}


def positional(name: str, given: Sequence[Given], place: Callable[[], str]) -> list[Expr]:
    """The arguments in the order of the function's.

    Raises InvalidRequest (42601): an argument is named twice, or one without a name comes behind
    one with. UnknownObject (42883): no function of that name has arguments of those names.
    """
    names = [argument for argument, _ in given if argument is not None]
    count = len(given) - len(names)
    if any(argument is None for argument, _ in given[count:]):
        raise InvalidRequest(f"positional argument cannot follow named argument{place()}", "42601")
    if repeated := next((one for one in names if names.count(one) > 1), None):
        raise InvalidRequest(f'argument name "{repeated}" used more than once{place()}', "42601")
    found = [
        arranged
        for entry in functions_named(name)
        if entry.names and (arranged := _arranged(entry, given, count)) is not None
    ]
    if not found:
        kinds = ", ".join(
            shown(expr.type) if argument is None else f"{argument} => {shown(expr.type)}"
            for argument, expr in given
        )
        raise UnknownObject(f"function {name}({kinds}) does not exist{place()}", "42883")
    return min(found, key=len)


def _arranged(entry: Function, given: Sequence[Given], count: int) -> list[Expr] | None:
    """All arguments of this function; None if it has no such names, or lacks some."""
    chosen: dict[str, Expr] = {
        argument: expr for argument, (_, expr) in zip(entry.names, given[:count], strict=False)
    }
    for argument, expr in given[count:]:
        assert argument is not None
        if argument not in entry.names or argument in chosen:
            return None
        chosen[argument] = expr
    if len(chosen) < len(given):
        return None
    optional = entry.names[len(entry.names) - len(entry.defaults) :]
    defaults = dict(zip(optional, entry.defaults, strict=True))
    if any(argument not in chosen and argument not in defaults for argument in entry.names):
        return None
    return [
        chosen[argument] if argument in chosen else _default(defaults[argument])
        for argument in entry.names
    ]


def _default(value: Any) -> Expr:
    return Literal(type=_TYPES[type(value)], value=value)

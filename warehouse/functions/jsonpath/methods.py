"""Methods of SQL/JSON paths that make one item of one: `.type()`, `.abs()`, `.double()`, …"""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from typing import Any

from storage.errors import InvalidRequest
from warehouse.algebra.types import DOUBLE
from warehouse.execution import scalar_input
from warehouse.functions.jsonpath.numbers import double

__all__ = ["PathError", "applied"]

_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    Decimal: "number",
    bool: "boolean",
    type(None): "null",
}


class PathError(Exception):
    """A soft error: a predicate takes it for unknown, a silent call for the end."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message, sqlstate)
        self.message = message
        self.sqlstate = sqlstate


def applied(name: str, item: Any) -> Any:
    """The item that the method makes. Raises PathError (22036) for an item of another type."""
    match name:
        case "type":
            return _TYPES[type(item)]
        case "double":
            return _double(item)
        case _:
            return _rounded(name, item)


def _rounded(name: str, item: Any) -> Decimal:
    if not isinstance(item, Decimal):
        raise PathError(
            f"jsonpath item method .{name}() can only be applied to a numeric value", "22036"
        )
    match name:
        case "abs":
            return item.copy_abs()
        case "floor":
            return item.to_integral_value(decimal.ROUND_FLOOR) + 0
        case _:
            return item.to_integral_value(decimal.ROUND_CEILING) + 0


def _double(item: Any) -> Decimal:
    if isinstance(item, Decimal):
        text, what = format(item, "f"), "numeric argument"
    elif isinstance(item, str):
        text, what = item, "string argument"
    else:
        raise PathError(
            "jsonpath item method .double() can only be applied to a string or numeric value",
            "22036",
        )
    try:
        value = scalar_input.floating(text, kind=DOUBLE)
    except InvalidRequest:
        problem = f"{what} of jsonpath item method .double() is not a valid representation of a"
        raise PathError(f"{problem} double precision number", "22036") from None
    if math.isinf(value) or math.isnan(value):
        raise PathError(
            "NaN or Infinity is not allowed for jsonpath item method .double()", "22036"
        )
    return double(value)

"""Predicates of SQL/JSON paths over two items: True, False, or None for unknown."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from warehouse.functions.jsonpath.parse import regex_options
from warehouse.functions.regex.match import contains
from warehouse.functions.regex.parse import parse as parse_regex

__all__ = ["compared", "matches", "starts"]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def compared(op: str, left: Any, right: Any) -> bool | None:
    """null is unlike everything else; other types do not compare, nor do objects and arrays."""
    if left is None or right is None:
        if left is None and right is None:
            return _OPERATORS[op](0, 0)
        return op == "!="
    if type(left) is not type(right) or not isinstance(left, bool | Decimal | str):
        return None
    return _OPERATORS[op](left, right)


def starts(whole: Any, start: Any) -> bool | None:
    """`whole starts with start`."""
    if not isinstance(whole, str) or not isinstance(start, str):
        return None
    return whole.startswith(start)


def matches(text: Any, pattern: str, flags: str) -> bool | None:
    """`text like_regex pattern flag flags`."""
    if not isinstance(text, str):
        return None
    return contains(parse_regex(pattern, regex_options(flags)), text)

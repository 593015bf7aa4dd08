"""Where an object stands in PostgreSQL's binary form of a document: `.keyvalue()` shows it as `id`.

A container is a header and an entry per key and value, four bytes each, then the keys, then the
values; numbers and containers begin at multiples of four.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

__all__ = ["offsets"]

_WORD = 4
_NUMBER_HEADER = _WORD + 2  # of the value, and of a short numeric
_LONG_NUMBER_HEADER = _WORD + 4
_GROUP_DIGITS, _GROUP_BYTES = 4, 2
_SHORT_SCALE_MAX, _SHORT_WEIGHT_MIN, _SHORT_WEIGHT_MAX = 63, -64, 63


def offsets(document: Any) -> dict[int, int]:
    """The byte offset of every object and array in a document, by its `id()`."""
    found: dict[int, int] = {}
    _place(document, 0, found)
    return found


def _aligned(position: int) -> int:
    return -(-position // _WORD) * _WORD


def _place(value: Any, position: int, found: dict[int, int]) -> int:
    """The end of a value that may begin at `position`."""
    match value:
        case dict():
            position = _aligned(position)
            found[id(value)] = position
            position += _WORD * (1 + 2 * len(value)) + sum(len(key.encode()) for key in value)
            for item in value.values():
                position = _place(item, position, found)
            return position
        case list():
            position = _aligned(position)
            found[id(value)] = position
            position += _WORD * (1 + len(value))
            for item in value:
                position = _place(item, position, found)
            return position
        case str():
            return position + len(value.encode())
        case Decimal():
            return _aligned(position) + _number_bytes(value)
        case _:
            return position


def _number_bytes(number: Decimal) -> int:
    """Groups of four digits around the point, those at both ends that are zero left out."""
    whole, _, fraction = format(number.copy_abs(), "f").partition(".")
    digits = whole.rjust(-(-len(whole) // _GROUP_DIGITS) * _GROUP_DIGITS, "0")
    before = len(digits) // _GROUP_DIGITS
    digits += fraction.ljust(-(-len(fraction) // _GROUP_DIGITS) * _GROUP_DIGITS, "0")
    groups = [digits[i : i + _GROUP_DIGITS] for i in range(0, len(digits), _GROUP_DIGITS)]
    zero = "0" * _GROUP_DIGITS
    leading = next((i for i, group in enumerate(groups) if group != zero), len(groups))
    groups = groups[leading:]
    while groups and groups[-1] == zero:
        groups.pop()
    weight = before - 1 - leading if groups else 0
    short = len(fraction) <= _SHORT_SCALE_MAX and _SHORT_WEIGHT_MIN <= weight <= _SHORT_WEIGHT_MAX
    header = _NUMBER_HEADER if short else _LONG_NUMBER_HEADER
    return header + _GROUP_BYTES * len(groups)

"""Python keys by which values order as in PostgreSQL, for arrays and rows.

Texts order by code point (collation "C"), NaN is the greatest number, intervals by their length,
enums by label, NULL inside an array or row after everything else, a shorter array before the
longer one that it begins. Equal keys are equal values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from storage.schema import ArrayType, EnumType, StructType
from warehouse.algebra.types import INTERVAL, JSONB, NUMERIC, AnyType, RecordType, is_float
from warehouse.execution.json_keys import order_bytes

__all__ = ["interval_length", "ordering_key"]

_Key = Callable[[Any], Any]


def ordering_key(kind: AnyType) -> _Key:
    """The function from a value (never None) of the type to its key."""
    match kind:
        case ArrayType(element):
            return _sequence([], ordering_key(element))
        case StructType():
            return _sequence([ordering_key(inner) for _, inner in kind.fields], None)
        case RecordType():
            return _sequence([ordering_key(inner) for inner in kind.fields], None)
        case EnumType(_, labels):
            return {label: i for i, label in enumerate(labels)}.__getitem__
        case _ if kind == INTERVAL:
            return interval_length
        case _ if kind == JSONB:
            return order_bytes
        case _ if is_float(kind) or kind == NUMERIC:
            return _float_key
        case _:
            return lambda value: value


def interval_length(value: tuple[int, int, int]) -> int:
    """Microseconds, with months of 30 days and days of 24 hours."""
    months, days, microseconds = value
    return (months * 30 + days) * 86_400_000_000 + microseconds


def _float_key(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)


def _sequence(keys: list[_Key], every: _Key | None) -> _Key:
    def key(value: tuple[Any, ...]) -> tuple[Any, ...]:
        chosen = keys if every is None else [every] * len(value)
        return tuple(
            (True,) if item is None else (False, part(item))
            for item, part in zip(value, chosen, strict=True)
        )

    return key

"""LIMIT and OFFSET whose number comes from a subquery: it is known, and checked, with the rows."""

from __future__ import annotations

from warehouse.algebra.types import AnyType
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__: list[str] = []


@scalar("limit rows(int8) -> int8", native=False)
def limit_rows(count: Value, *, kind: AnyType) -> Value:
    """The number as it is."""
    return count.faulty(count.expr < 0, "2201W", "LIMIT must not be negative")


@scalar("offset rows(int8) -> int8", native=False)
def offset_rows(count: Value, *, kind: AnyType) -> Value:
    """The number as it is."""
    return count.faulty(count.expr < 0, "2201X", "OFFSET must not be negative")

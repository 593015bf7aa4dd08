"""Arrays by the values in them: positions, removal, replacement.

Elements compare as in PostgreSQL (`execution.ordering`); unlike in `=`, NULL is a value to search
for. These run row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.ordering import ordering_key
from warehouse.execution.value import Value
from warehouse.functions.arrays import element_type, held_value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_Same = Callable[[Any, Any], bool]


def _same(kind: AnyType) -> _Same:
    """Are two elements, maybe None, not distinct?"""
    key = ordering_key(kind)

    def same(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return left is None and right is None
        return bool(key(left) == key(right))

    return same


@scalar(
    "array_position(anycompatiblearray,anycompatible) -> int4",
    "array_position(anycompatiblearray,anycompatible,int4) -> int4",
    native=False,
    strict=False,
)
def array_position(*given: Value, kind: AnyType) -> Value:
    """The index of the first such element, from a starting index on; NULL if there is none."""
    array, value = given[:2]
    element = element_type(array)
    same = _same(element)

    def found(items: Any, wanted: Any, *start: int | None) -> int | None:
        if items is None:
            return None
        if start and start[0] is None:
            raise InvalidRequest("initial position must not be null", "22004")
        first = start[0] if start and start[0] is not None else 1
        places = (i for i, item in enumerate(items, 1) if i >= first and same(item, wanted))
        return next(places, None)

    return rowwise(found, [array, held_value(value, element), *given[2:]], kind, strict=False)


@scalar("array_positions(anycompatiblearray,anycompatible) -> _int4", native=False, strict=False)
def array_positions(array: Value, value: Value, *, kind: AnyType) -> Value:
    """The indices of all such elements."""
    element = element_type(array)
    same = _same(element)

    def found(items: Any, wanted: Any) -> tuple[int, ...] | None:
        if items is None:
            return None
        return tuple(i for i, item in enumerate(items, 1) if same(item, wanted))

    return rowwise(found, [array, held_value(value, element)], kind, strict=False)


@scalar(
    "array_remove(anycompatiblearray,anycompatible) -> anycompatiblearray",
    native=False,
    strict=False,
)
def array_remove(array: Value, value: Value, *, kind: AnyType) -> Value:
    """Without such elements."""
    element = element_type(array)
    same = _same(element)

    def kept(items: Any, unwanted: Any) -> tuple[Any, ...] | None:
        return None if items is None else tuple(x for x in items if not same(x, unwanted))

    return rowwise(kept, [array, held_value(value, element)], kind, strict=False)


@scalar(
    "array_replace(anycompatiblearray,anycompatible,anycompatible) -> anycompatiblearray",
    native=False,
    strict=False,
)
def array_replace(array: Value, old: Value, new: Value, *, kind: AnyType) -> Value:
    """With `new` in the place of `old`."""
    element = element_type(array)
    same = _same(element)

    def replaced(items: Any, before: Any, after: Any) -> tuple[Any, ...] | None:
        return None if items is None else tuple(after if same(x, before) else x for x in items)

    values = [array, held_value(old, element), held_value(new, element)]
    return rowwise(replaced, values, kind, strict=False)

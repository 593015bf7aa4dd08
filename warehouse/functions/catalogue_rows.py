"""Functions of PostgreSQL's catalogue that return rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.schema import ArrayType, StructType
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import INTEGER, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import table_function

__all__: list[str] = []


def _numbered(args: Sequence[Expr]) -> AnyType:
    """An array of (x, n)."""
    kind = args[0].type
    assert isinstance(kind, ArrayType)
    fields = (("x", kind.element), ("n", INTEGER))
    return ArrayType(element=StructType(name="record", fields=fields))


@table_function("_pg_expandarray(anyarray) -> record", native=False, result=_numbered)
def expand_array(array: Value, *, kind: AnyType) -> Value:
    """The elements with their numbers from 1; JDBC drivers take keys of indexes apart with it."""

    def rows(items: tuple[Any, ...]) -> tuple[tuple[Any, int], ...]:
        return tuple((item, number) for number, item in enumerate(items, 1))

    return rowwise(rows, [array], kind)

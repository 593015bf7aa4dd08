"""`Rows`: the content of a system relation, column by column, and its way to Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from actors.messages import Session
from storage.errors import InternalError
from storage.schema import arrow_schema
from storage.snapshot.model import Snapshot
from warehouse.catalogue_tables.definitions import Definitions
from warehouse.catalogue_tables.relations import SystemRelation

__all__ = ["Builder", "Rows", "Subject", "rows_of"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What the rows are about. Only relations that are not kept may look past `definitions`."""

    definitions: Definitions
    snapshot: Snapshot
    session: Session


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns by name: a list has a value per row, anything else is the value of every row.

    Columns that are not there are NULL.
    """

    count: int
    columns: Mapping[str, Any] = field(default_factory=dict)

    def table(self, relation: SystemRelation) -> pa.Table:
        """As Arrow, in the columns of the relation."""
        schema = arrow_schema(relation.stored)
        if unknown := self.columns.keys() - set(schema.names):
            raise InternalError(f"{relation.name} has no columns {sorted(unknown)}")
        arrays = [self._array(name, schema.field(name).type) for name in schema.names]
        return pa.Table.from_arrays(arrays, schema=schema)

    def _array(self, name: str, kind: pa.DataType) -> pa.Array:
        value = self.columns.get(name)
        if value is None:
            return pa.nulls(self.count, kind)
        if isinstance(value, list):
            return pa.array(value, kind)
        return pa.repeat(pa.scalar(value, kind), self.count)


Builder = Callable[[Subject], Rows]


def rows_of(names: Sequence[str], found: Iterable[Sequence[Any]], **constants: Any) -> Rows:
    """Rows from tuples of the columns `names`; `constants` are the same in every row."""
    listed = list(found)
    columns: list[list[Any]] = [list(column) for column in zip(*listed, strict=True)]
    if not listed:
        columns = [[] for _ in names]
    return Rows(len(listed), {**dict(zip(names, columns, strict=True)), **constants})

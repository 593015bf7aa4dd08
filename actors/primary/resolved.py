"""What an operation comes to, and the look-ups that the rules of `resolve.py` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.errors import UnknownObject
from storage.key_rows import RowKeys
from storage.nearest import nearest
from storage.primary_key import Keys, TableIndex
from storage.snapshot.changes import CatalogueChange, TableChange
from storage.snapshot.model import PUBLIC, Snapshot, TableState
from storage.source_map import SourceMap

__all__ = ["DeltaKeys", "Resolved", "known_schema", "known_table", "qualified"]


DeltaKeys = Mapping[tuple[int, int], Mapping[int, RowKeys]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The changes of one operation; `table_id` 0 where it concerns the catalogue.

    Attributes:
        indexes: by table id, the index as it is with the changes.
        deltas: of each delta of a table with keys, by (table id, delta id), the keys of its rows
            by key id.
        moved: by table id, where rows went that maintenance has put elsewhere.
        written: by table id, the keys that were written, by key id; None: any may have been.
    """

    kind: str
    table_id: int = 0
    row_count: int = 0
    catalogue: tuple[CatalogueChange, ...] = ()
    tables: Mapping[int, tuple[TableChange, ...]] = field(default_factory=dict)
    indexes: Mapping[int, TableIndex] = field(default_factory=dict)
    deltas: DeltaKeys = field(default_factory=dict)
    written: Mapping[int, Mapping[int, Keys] | None] = field(default_factory=dict)
    moved: Mapping[int, SourceMap] = field(default_factory=dict)


def known_schema(snapshot: Snapshot, name: str) -> int:
    """The id of a schema. Raises UnknownObject with the nearest name."""
    schema_id = snapshot.schema_id(name)
    if schema_id is None:
        hint = nearest(name, snapshot.schemas.values())
        raise UnknownObject(f"schema {name} does not exist{hint}", "3F000")
    return schema_id


def known_table(snapshot: Snapshot, schema: str, name: str) -> TableState:
    """The table of that name. Raises UnknownObject with the nearest name."""
    known_schema(snapshot, schema)
    table = snapshot.find_table(name, schema)
    if table is None:
        hint = nearest(name, [t.name for t in snapshot.tables.values()])
        raise UnknownObject(f"table {schema}.{name} does not exist{hint}", "42P01")
    return table


def qualified(schema: str, name: str) -> str:
    """The name by which a type is known in columns: without `public`."""
    return name if schema == PUBLIC else f"{schema}.{name}"

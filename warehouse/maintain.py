"""A table's maintenance, asked for: what `mobula compact` and `jobs.compact` do."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import UnknownObject
from storage.nearest import nearest
from storage.snapshot.model import PUBLIC, Snapshot, TableState
from warehouse.database import Database
from warehouse.syntax.quoting import quoted

__all__ = ["maintain", "tables_named"]


def tables_named(snapshot: Snapshot, names: Sequence[str]) -> dict[str, TableState]:
    """By `schema.table`: these tables, or all if there are no names.

    Args: names: `table` or `schema.table`, exactly as they are.
    Raises UnknownObject: one does not exist.
    """
    known = {f"{snapshot.schemas[t.schema_id]}.{t.name}": t for t in snapshot.tables.values()}
    if not names:
        return dict(sorted(known.items()))
    found = {}
    for name in names:
        full = name if name in known else f"{PUBLIC}.{name}"
        if full not in known:
            hint = nearest(name, [*known, *(table.name for table in known.values())])
            raise UnknownObject(f"table {name} does not exist{hint}", "42P01")
        found[full] = known[full]
    return found


def maintain(db: Database, table: TableState, *, recluster: bool = False) -> int:
    """Flush a table and write its files with deleted rows anew; with `recluster`, also sort files
    together until none overlap. Returns how many files were rewritten."""
    name = quoted(db.snapshot().schemas[table.schema_id], table.name)
    db.sql("CALL mobula.flush($1)", [name])
    steps = ["compact", "recluster"] if recluster else ["compact"]
    tags = [db.sql(f"CALL mobula.{step}($1)", [name]).tag for step in steps]
    return sum(int(str(tag).rpartition(" ")[2]) for tag in tags)

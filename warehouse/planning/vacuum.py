"""VACUUM and ANALYZE: which tables they are about."""

from __future__ import annotations

from actors.messages import Session
from actors.planner import VacuumPlan
from actors.temporary import is_foreign
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.snapshot.model import Snapshot, TableState
from warehouse.planning.catalogue import find_table
from warehouse.syntax import commands

__all__ = ["plan_vacuum"]


def plan_vacuum(tree: commands.Vacuum, session: Session, snapshot: Snapshot) -> VacuumPlan:
    """Raises UnknownObject: a table or column does not exist; InvalidRequest (25001): VACUUM is
    part of a transaction."""
    if tree.vacuum and session.transaction:
        raise InvalidRequest("VACUUM cannot run inside a transaction block", "25001")
    tables = [_table(name, columns, session, snapshot) for name, columns in tree.tables]
    if not tree.tables:
        tables = [
            table
            for table in snapshot.tables.values()
            if not is_foreign(snapshot.schemas[table.schema_id], session)
        ]
    return VacuumPlan(
        table_ids=tuple(dict.fromkeys(table.id for table in tables)),
        vacuum=tree.vacuum,
        full=tree.full,
    )


def _table(
    name: tuple[str, ...], columns: tuple[str, ...], session: Session, snapshot: Snapshot
) -> TableState:
    table = find_table(snapshot, name, session)
    for column in columns:
        if table.schema.find(column) is None:
            hint = nearest(column, table.schema.names)
            raise UnknownObject(
                f'column "{column}" of relation "{table.name}" does not exist{hint}', "42703"
            )
    return table

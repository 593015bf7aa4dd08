"""System relations as tables that a query scans.

A relation becomes a table of one delta, made when a query names it, so that scans of it are
planned, shared and run like any other. Its id is negative, and the id of its delta is a hash of the
rows: whoever keeps a delta by its id keeps the right one. Those that depend on definitions alone
are made once for all snapshots with the same definitions.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa
import zstandard

from actors.messages import Session
from storage.errors import NotYet
from storage.schema import Column, TableSchema
from storage.snapshot.model import Delta, Snapshot, TableState
from warehouse.catalogue_tables import (
    information,
    keys,
    objects,
    partitions,
    routines,
    server,
    types,
)
from warehouse.catalogue_tables.definitions import definitions_of
from warehouse.catalogue_tables.relations import SystemRelation
from warehouse.catalogue_tables.rows import Builder, Rows, Subject

__all__ = ["system_table", "table_of"]

_BUILDERS: dict[str, Builder] = {
    **information.BUILDERS,
    **keys.BUILDERS,
    **objects.BUILDERS,
    **partitions.BUILDERS,
    **routines.BUILDERS,
    **server.BUILDERS,
    **types.BUILDERS,
}
FASTEST = -5  # a level of Zstandard
_VARYING = objects.VARYING | server.VARYING

# There is nothing that these could list: no triggers, views, foreign keys, publications, …
_EMPTY = frozenset(
    """
    pg_auth_members pg_available_extensions pg_available_extension_versions pg_db_role_setting
    pg_default_acl pg_event_trigger pg_extension pg_foreign_data_wrapper pg_foreign_server
    pg_foreign_table pg_group pg_inherits pg_locks pg_matviews pg_opclass
    pg_policies pg_policy pg_prepared_xacts pg_publication
    pg_publication_namespace pg_publication_rel pg_publication_tables pg_range
    pg_replication_slots pg_rewrite pg_rules pg_seclabel pg_seclabels pg_shdepend
    pg_shdescription pg_stat_activity pg_stat_all_indexes pg_stat_replication
    pg_stat_user_indexes pg_statistic_ext pg_subscription pg_trigger pg_user_mapping
    pg_user_mappings pg_views
    applicable_roles column_domain_usage domain_constraints
    domain_udt_usage domains foreign_data_wrappers foreign_servers foreign_tables
    referential_constraints triggered_update_columns triggers user_mappings view_column_usage
    view_routine_usage view_table_usage views
    """.split()  # noqa: SIM905
)


def system_table(relation: SystemRelation, snapshot: Snapshot, session: Session) -> TableState:
    """The relation's rows at a snapshot. Raises NotYet if we have none to give."""
    known = definitions_of(snapshot, session)
    key = relation.schema, relation.name
    if key not in known.kept:
        builder = _BUILDERS.get(relation.name)
        if builder is None and relation.name not in _EMPTY:
            raise NotYet(f"{relation.schema}.{relation.name} is not available")
        rows = Rows(0) if builder is None else builder(Subject(known, snapshot, session))
        table = _table(relation, rows)
        if relation.name in _VARYING:
            return table
        known.kept[key] = table
    found: TableState = known.kept[key]
    return found


def _table(relation: SystemRelation, rows: Rows) -> TableState:
    return table_of(-relation.oid, relation.name, relation.stored, rows.table(relation))


def table_of(number: int, name: str, columns: tuple[Column, ...], rows: pa.Table) -> TableState:
    """A table of one delta, with these rows.

    Args:
        number: its id, negative.
        rows: in `arrow_schema(columns)`.
    """
    deltas: tuple[Delta, ...] = ()
    if rows.num_rows:
        data = _encoded(rows)
        delta = int.from_bytes(hashlib.blake2b(data, digest_size=7).digest(), "big")
        deltas = (Delta(id=delta, lsn=0, schema_version=1, row_count=rows.num_rows, rows=data),)
    return TableState(
        id=number,
        schema_id=0,
        name=name,
        schemas=(TableSchema(version=1, columns=columns),),
        next_column_id=len(columns) + 1,
        deltas=deltas,
    )


def _encoded(rows: pa.Table) -> bytes:
    """As `storage.delta` reads them; nobody keeps these bytes, so speed is what counts."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return zstandard.ZstdCompressor(level=FASTEST).compress(sink.getvalue())

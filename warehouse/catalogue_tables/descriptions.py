"""Texts and numbers of objects, by OID: what functions like `pg_get_constraintdef` look up."""

from __future__ import annotations

from collections.abc import Mapping

from storage.snapshot.model import Snapshot
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.definitions import Definitions, qualified
from warehouse.catalogue_tables.keys import constraint_texts
from warehouse.catalogue_tables.objects import comments, sequence_start, size_bytes
from warehouse.catalogue_tables.routines import routines

__all__ = [
    "column_comments",
    "constraints",
    "last_values",
    "object_comments",
    "routine_texts",
    "row_counts",
    "serial_sequences",
    "sizes",
]

_CLASSES = {"pg_class": oids.RELATION_CLASS, "pg_namespace": oids.NAMESPACE_CLASS}


def constraints(known: Definitions, *, pretty: bool) -> Mapping[str, str]:
    """Constraints as `pg_get_constraintdef` shows them; CHECKs that are not pretty with one more
    parenthesis."""
    shape = "CHECK ({})" if pretty else "CHECK (({}))"
    checks = {
        str(oids.check_oid(table.id, position)): shape.format(check.sql)
        for table in known.tables
        for position, check in enumerate(table.checks)
    }
    return {**checks, **constraint_texts(known)}


def object_comments(known: Definitions, catalogue: str | None) -> Mapping[str, str]:
    """Comments on objects that stand in a catalogue; None: in any."""
    wanted = set(_CLASSES.values()) if catalogue is None else {_CLASSES.get(catalogue, 0)}
    return {
        str(oid): text
        for oid, class_oid, column, text in comments(known)
        if column == 0 and class_oid in wanted
    }


def column_comments(known: Definitions) -> Mapping[str, str]:
    """Comments on columns, by `table.column` of numbers."""
    return {f"{oid}.{column}": text for oid, _, column, text in comments(known) if column}


def serial_sequences(known: Definitions) -> Mapping[str, str]:
    """Sequences of identity columns, by the OID of the table and the column's name."""
    sequences = {sequence.id: sequence for sequence in known.sequences}
    return {
        f"{oids.object_oid(table.id)}\x1f{column.name}": qualified(
            known.schemas[sequences[number].schema_id], sequences[number].name, visible=False
        )
        for number, (table, column) in known.owners.items()
    }


def sizes(known: Definitions, snapshot: Snapshot) -> Mapping[str, str]:
    """Bytes that a table's micropartitions and deltas take in the store; others take none."""
    found = {row.oid: 0 for row in known.relations}
    for table in known.states(snapshot):
        found[oids.object_oid(table.id)] = size_bytes(table)
    return {str(oid): str(size) for oid, size in found.items()}


def row_counts(known: Definitions, snapshot: Snapshot) -> Mapping[str, str]:
    """Rows of tables."""
    return {str(oids.object_oid(t.id)): str(t.row_count) for t in known.states(snapshot)}


def last_values(known: Definitions, snapshot: Snapshot) -> Mapping[str, str]:
    """The last value that a sequence may have given out, of those that gave any."""
    return {
        str(oids.object_oid(s.id)): str(s.next_value - s.increment)
        for s in snapshot.sequences.values()
        if s.schema_id in known.schemas and s.next_value != sequence_start(known, s.id, s.increment)
    }


def routine_texts(what: str) -> Mapping[str, str]:
    """ "arguments" or "result" of functions, as \\df shows them."""
    return {
        str(r.oid): r.shown_arguments if what == "arguments" else r.shown_result for r in routines()
    }

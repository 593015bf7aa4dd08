"""pg_class, pg_attribute and what hangs on them: defaults, checks, comments, sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from storage.table_options import options_text
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.checks import columns_of_check
from warehouse.catalogue_tables.definitions import Attribute, Definitions, RelationRow
from warehouse.catalogue_tables.rows import Builder, Rows, Subject, rows_of
from warehouse.catalogue_tables.server import OWNER
from warehouse.catalogue_tables.type_names import TypeRow, by_name, by_oid

__all__ = ["BUILDERS", "VARYING", "comments", "sequence_start", "sequence_type", "size_bytes"]

_PAGE_BYTES = 8192
_ACCESS_METHODS = {"r": 2, "i": 403}  # heap and btree, as PostgreSQL numbers them


def _namespaces(subject: Subject) -> Rows:
    found = [(oid, name) for name, oid in subject.definitions.schema_oids.items()]
    return rows_of(("oid", "nspname"), found, nspowner=oids.OWNER_OID)


def _classes(subject: Subject) -> Rows:
    sizes = {
        oids.object_oid(table.id): (
            size_bytes(table),
            table.row_count,
            list(options_text(table.options)) or None,
        )
        for table in subject.definitions.states(subject.snapshot)
    }
    names = (
        "oid", "relname", "relnamespace", "reltype", "relkind", "relnatts", "relchecks", "relam",
        "relpages", "reltuples", "relreplident", "relhasrules", "relpersistence", "relhasindex",
        "reloptions",
    )  # fmt: skip
    return rows_of(
        names,
        (_class(row, *sizes.get(row.oid, (0, -1, None))) for row in subject.definitions.relations),
        relowner=oids.OWNER_OID,
        relispopulated=True,
        **dict.fromkeys(
            ("reloftype", "relfilenode", "reltablespace", "relallvisible", "reltoastrelid",
             "relrewrite", "relfrozenxid", "relminmxid"), 0,
        ),
        **dict.fromkeys(
            ("relisshared", "relhastriggers", "relhassubclass", "relrowsecurity",
             "relforcerowsecurity", "relispartition"), False,
        ),
    )  # fmt: skip


def _class(
    row: RelationRow, size_bytes: int, row_count: int, options: list[str] | None
) -> tuple[Any, ...]:
    return (
        row.oid,
        row.name,
        row.schema_oid,
        row.type_oid,
        row.kind,
        len(row.attributes),
        len(row.table.checks) if row.table else 0,
        _ACCESS_METHODS.get(row.kind, 0),
        -(-size_bytes // _PAGE_BYTES),
        float(row_count),
        "d" if row.table else "n",
        row.kind == "v",
        "t" if row.temporary else "p",
        bool(row.table and row.table.keys),
        options,
    )


def size_bytes(table: Any) -> int:
    size: int = table.files.size_bytes + sum(len(delta.rows) for delta in table.deltas)
    return size


def _attributes(subject: Subject) -> Rows:
    names = (
        "attrelid", "attname", "attnum", "atttypid", "atttypmod", "attndims", "attnotnull",
        "atthasdef", "attidentity", "attlen", "attbyval", "attalign", "attstorage", "attcollation",
    )  # fmt: skip
    physical = {oid: _physical(row) for oid, row in by_oid().items()}
    for kind, _ in subject.definitions.enums:
        physical[oids.object_oid(kind.id)] = _ENUM
    return rows_of(
        names,
        (
            (row.oid, a.name, a.number, a.type_oid, a.typmod, a.dimensions, a.not_null,
             *_given(a), *physical.get(a.type_oid, _USER_TYPE))
            for row in subject.definitions.relations
            for a in row.attributes
        ),
        attstattarget=-1,
        attcacheoff=-1,
        attinhcount=0,
        attcompression="",
        attgenerated="",
        atthasmissing=False,
        attisdropped=False,
        attislocal=True,
    )  # fmt: skip


_USER_TYPE = (-1, False, "d", "x", 0)
_ENUM = (4, True, "i", "p", 0)


def _physical(row: TypeRow) -> tuple[Any, ...]:
    return row.length, row.by_value, row.alignment, row.storage, row.collation


def _given(attribute: Attribute) -> tuple[bool, str]:
    column = attribute.column
    if column is None:
        return False, ""
    if column.identity is not None:
        return False, "a" if column.identity.always else "d"
    return column.default is not None, ""


def _defaults(subject: Subject) -> Rows:
    return rows_of(
        ("oid", "adrelid", "adnum", "adbin"),
        (
            (oids.default_oid(t.id, c.id), oids.object_oid(t.id), c.id, c.default)
            for t in subject.definitions.tables
            for c in t.columns
            if c.default is not None and c.identity is None
        ),
    )


def _constraints(subject: Subject) -> Rows:
    names = (
        "oid", "conname", "connamespace", "conrelid", "contype", "conindid", "connoinherit",
        "conkey", "conbin",
    )  # fmt: skip
    found: list[tuple[Any, ...]] = []
    for t in subject.definitions.tables:
        place = oids.schema_oid(t.schema_id), oids.object_oid(t.id)
        for i, check in enumerate(t.checks):
            columns = [c.id for c in columns_of_check(check, t)]
            oid = oids.check_oid(t.id, i)
            found.append((oid, check.name, *place, "c", 0, False, columns, check.sql))
        for key in t.keys:
            kind, index = "p" if key.primary else "u", oids.index_oid(t.id, key.id)
            oid, columns = oids.key_oid(t.id, key.id), list(key.column_ids)
            found.append((oid, key.name, *place, kind, index, True, columns, None))
    return rows_of(
        names,
        found,
        convalidated=True,
        conislocal=True,
        **dict.fromkeys(("condeferrable", "condeferred"), False),
        **dict.fromkeys(("contypid", "conparentid", "confrelid", "coninhcount"), 0),
        **dict.fromkeys(("confupdtype", "confdeltype", "confmatchtype"), " "),
    )  # fmt: skip


def comments(definitions: Definitions) -> Iterator[tuple[int, int, int, str]]:
    """Object, class, column (0: the object itself) and text of every comment."""
    yield oids.schema_oid(1), oids.NAMESPACE_CLASS, 0, "standard public schema"
    for table in definitions.tables:
        oid = oids.object_oid(table.id)
        if table.comment is not None:
            yield oid, oids.RELATION_CLASS, 0, table.comment
        for number, text in table.column_comments.items():
            yield oid, oids.RELATION_CLASS, number, text


def _descriptions(subject: Subject) -> Rows:
    names = ("objoid", "classoid", "objsubid", "description")
    return rows_of(names, comments(subject.definitions))


def _dependencies(subject: Subject) -> Rows:
    """Of sequences on the identity columns that they belong to."""
    return rows_of(
        ("objid", "refobjid", "refobjsubid"),
        (
            (oids.object_oid(sequence), oids.object_oid(table.id), column.id)
            for sequence, (table, column) in subject.definitions.owners.items()
        ),
        classid=oids.RELATION_CLASS,
        refclassid=oids.RELATION_CLASS,
        objsubid=0,
        deptype="i",
    )


# --- sequences ------------------------------------------------------------------------------------


def sequence_type(definitions: Definitions, sequence_id: int) -> TypeRow:
    """The type of a sequence's values: that of its column."""
    owner = definitions.owners.get(sequence_id)
    if owner is None:
        return by_name()["int8"]
    return by_oid()[definitions.attribute("", 0, owner[1].type).type_oid]


def sequence_start(definitions: Definitions, sequence_id: int, increment: int) -> int:
    """The first value."""
    owner = definitions.owners.get(sequence_id)
    if owner is not None and owner[1].identity is not None:
        return owner[1].identity.start
    return 1 if increment > 0 else -1


def _sequences(subject: Subject) -> Rows:
    known = subject.definitions
    return rows_of(
        ("seqrelid", "seqtypid", "seqstart", "seqincrement", "seqmax", "seqmin"),
        (
            (oids.object_oid(s.id), sequence_type(known, s.id).oid,
             sequence_start(known, s.id, s.increment), s.increment, s.high, s.low)
            for s in known.sequences
        ),
        seqcache=1,
        seqcycle=False,
    )  # fmt: skip


def _sequence_states(subject: Subject) -> Rows:
    known = subject.definitions
    found = []
    for sequence in subject.snapshot.sequences.values():
        if sequence.schema_id not in known.schemas:
            continue
        start = sequence_start(known, sequence.id, sequence.increment)
        last = None
        if sequence.next_value != start:
            last = sequence.next_value - sequence.increment
        found.append(
            (known.schemas[sequence.schema_id], sequence.name,
             sequence_type(known, sequence.id).display, start, sequence.low, sequence.high,
             sequence.increment, last)
        )  # fmt: skip
    names = (
        "schemaname", "sequencename", "data_type", "start_value", "min_value", "max_value",
        "increment_by", "last_value",
    )  # fmt: skip
    return rows_of(names, found, sequenceowner=OWNER, cache_size=1, cycle=False)


# --- views over these -----------------------------------------------------------------------------


def _tables(subject: Subject) -> Rows:
    return rows_of(
        ("schemaname", "tablename", "hasindexes"),
        (
            (row.schema, row.name, bool(row.table and row.table.keys))
            for row in subject.definitions.relations
            if row.kind == "r"
        ),
        tableowner=OWNER,
        **dict.fromkeys(("hasrules", "hastriggers", "rowsecurity"), False),
    )


def _statistics(subject: Subject) -> Rows:
    counts = (
        "seq_scan", "seq_tup_read", "n_tup_upd", "n_tup_hot_upd", "n_tup_newpage_upd",
        "n_tup_del", "vacuum_count", "autovacuum_count", "analyze_count",
        "autoanalyze_count", "n_mod_since_analyze", "n_ins_since_vacuum",
    )  # fmt: skip
    tables = subject.definitions.states(subject.snapshot)
    found = [
        (
            oids.object_oid(t.id),
            subject.snapshot.schemas[t.schema_id],
            t.name,
            t.row_count,
            t.stored_row_count - t.row_count,
        )
        for t in tables
    ]
    names = ("relid", "schemaname", "relname", "n_live_tup", "n_dead_tup")
    rows = rows_of(names, found, **dict.fromkeys(counts, 0))
    return Rows(rows.count, {**rows.columns, "n_tup_ins": rows.columns["n_live_tup"]})


BUILDERS: dict[str, Builder] = {
    "pg_attrdef": _defaults,
    "pg_attribute": _attributes,
    "pg_class": _classes,
    "pg_constraint": _constraints,
    "pg_depend": _dependencies,
    "pg_description": _descriptions,
    "pg_namespace": _namespaces,
    "pg_sequence": _sequences,
    "pg_sequences": _sequence_states,
    "pg_stat_all_tables": _statistics,
    "pg_stat_user_tables": _statistics,
    "pg_tables": _tables,
}
# Those that change with the rows of tables or the state of sequences.
VARYING = frozenset(("pg_class", "pg_sequences", "pg_stat_all_tables", "pg_stat_user_tables"))

"""information_schema: tables, columns, constraints, schemata, … in the words of the SQL standard.

How a type becomes a data_type, a precision and so on is as PostgreSQL answers (documentation,
chapter 37).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from warehouse.catalogue_tables.checks import columns_of_check
from warehouse.catalogue_tables.definitions import Attribute, Definitions, RelationRow
from warehouse.catalogue_tables.facets import FACETS, Facets
from warehouse.catalogue_tables.keys import all_keys
from warehouse.catalogue_tables.objects import sequence_start, sequence_type
from warehouse.catalogue_tables.rows import Builder, Rows, Subject, rows_of
from warehouse.catalogue_tables.server import DATABASE, OWNER
from warehouse.functions.quoting import quoted_identifier

__all__ = ["BUILDERS"]

_TABLE_PRIVILEGES = (
    "INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER",
)  # fmt: skip
_COLUMN_PRIVILEGES = ("INSERT", "SELECT", "UPDATE", "REFERENCES")


def _listed(known: Definitions) -> Iterable[RelationRow]:
    """Tables and views."""
    return (row for row in known.relations if row.kind in "rv")


def _schemata(subject: Subject) -> Rows:
    names = [(name,) for name in subject.definitions.schema_oids]
    return rows_of(("schema_name",), names, catalog_name=DATABASE, schema_owner=OWNER)


def _tables(subject: Subject) -> Rows:
    return rows_of(
        ("table_schema", "table_name", "table_type", "is_insertable_into", "commit_action"),
        (
            (row.schema, row.name, _table_type(row), "YES" if row.table else "NO",
             "PRESERVE" if row.temporary else None)
            for row in _listed(subject.definitions)
        ),
        table_catalog=DATABASE,
        is_typed="NO",
    )  # fmt: skip


def _table_type(row: RelationRow) -> str:
    if row.temporary:
        return "LOCAL TEMPORARY"
    return "BASE TABLE" if row.kind == "r" else "VIEW"


# --- columns --------------------------------------------------------------------------------------


def _columns(subject: Subject) -> Rows:
    known = subject.definitions
    facets = Facets(known)
    sequences = {sequence.id: sequence for sequence in known.sequences}
    found = []
    for row in _listed(known):
        updatable = "YES" if row.table else "NO"
        for a in row.attributes:
            column = a.column
            default, identity = (column.default, column.identity) if column else (None, None)
            numbers: tuple[Any, ...] = ("NO", None, None, None, None, None)
            if identity is not None:
                default = None
                sequence = sequences[identity.sequence_id]
                numbers = (
                    "YES", "ALWAYS" if identity.always else "BY DEFAULT", str(identity.start),
                    str(sequence.increment), str(sequence.high), str(sequence.low),
                )  # fmt: skip
            found.append(
                (row.schema, row.name, a.name, a.number, default, "NO" if a.not_null else "YES",
                 str(a.number), updatable, *numbers, *facets.of(a))
            )  # fmt: skip
    names = (
        "table_schema", "table_name", "column_name", "ordinal_position", "column_default",
        "is_nullable", "dtd_identifier", "is_updatable", "is_identity", "identity_generation",
        "identity_start", "identity_increment", "identity_maximum", "identity_minimum",
    )  # fmt: skip
    return rows_of(
        (*names, *FACETS),
        found,
        table_catalog=DATABASE,
        udt_catalog=DATABASE,
        identity_cycle="NO",
        is_self_referencing="NO",
        is_generated="NEVER",
    )


def _composites(known: Definitions) -> Iterator[tuple[RelationRow, Attribute]]:
    for row in known.relations:
        if row.kind == "c":
            for attribute in row.attributes:
                yield row, attribute


def _attributes(subject: Subject) -> Rows:
    facets = Facets(subject.definitions)
    renamed = {"udt_schema": "attribute_udt_schema", "udt_name": "attribute_udt_name"}
    return rows_of(
        ("udt_schema", "udt_name", "attribute_name", "ordinal_position", "dtd_identifier",
         *(renamed.get(name, name) for name in FACETS)),
        (
            (row.schema, row.name, a.name, a.number, str(a.number), *facets.of(a))
            for row, a in _composites(subject.definitions)
        ),
        udt_catalog=DATABASE,
        attribute_udt_catalog=DATABASE,
        is_nullable="YES",
        is_derived_reference_attribute="NO",
    )  # fmt: skip


def _element_types(subject: Subject) -> Rows:
    known = subject.definitions
    facets = Facets(known)
    kinds = {"r": "TABLE", "v": "TABLE", "c": "USER-DEFINED TYPE"}
    found = []
    for row in known.relations:
        for a in row.attributes:
            element = facets.element(a)
            if element is not None:
                found.append((row.schema, row.name, kinds[row.kind], str(a.number),
                              f"a{a.number}", *facets.element_of(element)))  # fmt: skip
    names = (
        "object_schema", "object_name", "object_type", "collection_type_identifier",
        "dtd_identifier",
    )  # fmt: skip
    return rows_of((*names, *FACETS), found, object_catalog=DATABASE, udt_catalog=DATABASE)


def _user_types(subject: Subject) -> Rows:
    return rows_of(
        ("user_defined_type_schema", "user_defined_type_name"),
        ((row.schema, row.name) for row in subject.definitions.relations if row.kind == "c"),
        user_defined_type_catalog=DATABASE,
        user_defined_type_category="STRUCTURED",
        is_instantiable="YES",
    )


def _column_types(subject: Subject) -> Rows:
    known = subject.definitions
    facets = Facets(known)
    return rows_of(
        ("udt_schema", "udt_name", "table_schema", "table_name", "column_name"),
        (
            (*facets.type_name(a.type_oid), row.schema, row.name, a.name)
            for row in _listed(known)
            for a in row.attributes
        ),
        udt_catalog=DATABASE,
        table_catalog=DATABASE,
    )


# --- constraints ----------------------------------------------------------------------------------


def _constraints(known: Definitions) -> Iterator[tuple[RelationRow, str, str]]:
    """Tables with the names and conditions of their checks, NOT NULL among them."""
    for row in known.relations:
        if row.kind != "r":
            continue
        if row.table is not None:
            for check in row.table.checks:
                yield row, check.name, f"(({check.sql}))"
        for a in row.attributes:
            if a.not_null:
                name = f"{row.schema_oid}_{row.oid}_{a.number}_not_null"
                yield row, name, f"{quoted_identifier(a.name)} IS NOT NULL"


def _table_constraints(subject: Subject) -> Rows:
    known = subject.definitions
    found: list[tuple[Any, ...]] = [
        (row.schema, row.schema, row.name, name, "CHECK", None)
        for row, name, _ in _constraints(known)
    ]
    for table, key, _ in all_keys(known):
        schema = known.schemas[table.schema_id]
        kind = ("PRIMARY KEY", None) if key.primary else ("UNIQUE", "YES")
        found.append((schema, schema, table.name, key.name, *kind))
    names = (
        "constraint_schema", "table_schema", "table_name", "constraint_name", "constraint_type",
        "nulls_distinct",
    )  # fmt: skip
    return rows_of(
        names,
        found,
        constraint_catalog=DATABASE,
        table_catalog=DATABASE,
        is_deferrable="NO",
        initially_deferred="NO",
        enforced="YES",
    )


def _check_constraints(subject: Subject) -> Rows:
    return rows_of(
        ("constraint_schema", "constraint_name", "check_clause"),
        ((row.schema, name, clause) for row, name, clause in _constraints(subject.definitions)),
        constraint_catalog=DATABASE,
    )


def _constrained_columns(subject: Subject) -> Rows:
    known = subject.definitions
    found = [
        (known.schemas[t.schema_id], known.schemas[t.schema_id], t.name, column.name, check.name)
        for t in known.tables
        for check in t.checks
        for column in columns_of_check(check, t)
    ]
    found += [
        (known.schemas[t.schema_id], known.schemas[t.schema_id], t.name, column.name, key.name)
        for t, key, columns in all_keys(known)
        for column in columns
    ]
    return rows_of(
        ("constraint_schema", "table_schema", "table_name", "column_name", "constraint_name"),
        found,
        constraint_catalog=DATABASE,
        table_catalog=DATABASE,
    )


# --- privileges, roles, the rest ------------------------------------------------------------------


def _table_privileges(subject: Subject) -> Rows:
    return rows_of(
        ("table_schema", "table_name", "privilege_type", "with_hierarchy"),
        (
            (row.schema, row.name, privilege, "YES" if privilege == "SELECT" else "NO")
            for row in _listed(subject.definitions)
            for privilege in _TABLE_PRIVILEGES
        ),
        grantor=OWNER,
        grantee=OWNER,
        table_catalog=DATABASE,
        is_grantable="YES",
    )


def _column_privileges(subject: Subject) -> Rows:
    return rows_of(
        ("table_schema", "table_name", "column_name", "privilege_type"),
        (
            (row.schema, row.name, a.name, privilege)
            for row in _listed(subject.definitions)
            for a in row.attributes
            for privilege in _COLUMN_PRIVILEGES
        ),
        grantor=OWNER,
        grantee=OWNER,
        table_catalog=DATABASE,
        is_grantable="YES",
    )


def _enabled_roles(subject: Subject) -> Rows:
    return Rows(1, {"role_name": OWNER})


def _catalogue_name(subject: Subject) -> Rows:
    return Rows(1, {"catalog_name": DATABASE})


def _character_sets(subject: Subject) -> Rows:
    columns = {
        "character_set_name": "UTF8",
        "character_repertoire": "UCS",
        "form_of_use": "UTF8",
        "default_collate_catalog": DATABASE,
        "default_collate_schema": "pg_catalog",
        "default_collate_name": "C",
    }
    return Rows(1, columns)


_COLLATIONS = [("default",), ("C",), ("POSIX",), ("ucs_basic",)]


def _collations(subject: Subject) -> Rows:
    constants = {"collation_catalog": DATABASE, "collation_schema": "pg_catalog"}
    return rows_of(("collation_name",), _COLLATIONS, pad_attribute="NO PAD", **constants)


def _collation_sets(subject: Subject) -> Rows:
    constants = {"collation_catalog": DATABASE, "collation_schema": "pg_catalog"}
    return rows_of(("collation_name",), _COLLATIONS, character_set_name="UTF8", **constants)


def _sequences(subject: Subject) -> Rows:
    """Those of identity columns are not listed, as PostgreSQL does not list them."""
    known = subject.definitions
    found = []
    for s in known.sequences:
        if s.id in known.owners:
            continue
        kind = sequence_type(known, s.id)
        start = sequence_start(known, s.id, s.increment)
        bits = 8 * kind.length
        found.append(
            (known.schemas[s.schema_id], s.name, kind.display, bits, str(start), str(s.low),
             str(s.high), str(s.increment))
        )  # fmt: skip
    names = (
        "sequence_schema", "sequence_name", "data_type", "numeric_precision", "start_value",
        "minimum_value", "maximum_value", "increment",
    )  # fmt: skip
    return rows_of(
        names,
        found,
        sequence_catalog=DATABASE,
        numeric_precision_radix=2,
        numeric_scale=0,
        cycle_option="NO",
    )


BUILDERS: dict[str, Builder] = {
    "attributes": _attributes,
    "character_sets": _character_sets,
    "check_constraints": _check_constraints,
    "collation_character_set_applicability": _collation_sets,
    "collations": _collations,
    "column_privileges": _column_privileges,
    "column_udt_usage": _column_types,
    "columns": _columns,
    "constraint_column_usage": _constrained_columns,
    "element_types": _element_types,
    "enabled_roles": _enabled_roles,
    "information_schema_catalog_name": _catalogue_name,
    "role_column_grants": _column_privileges,
    "role_table_grants": _table_privileges,
    "schemata": _schemata,
    "sequences": _sequences,
    "table_constraints": _table_constraints,
    "table_privileges": _table_privileges,
    "tables": _tables,
    "user_defined_types": _user_types,
}

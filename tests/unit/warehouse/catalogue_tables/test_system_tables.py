"""System relations as tables: their rows, and what is made once and what anew."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from actors.messages import Session
from storage.delta import decode_rows
from storage.errors import NotYet, UnknownObject
from storage.snapshot.model import Snapshot
from tests.unit.warehouse.catalogue_tables.snapshots import shop, with_rows
from warehouse.catalogue_tables.relations import SystemRelation, find_relation, relations
from warehouse.catalogue_tables.system_tables import system_table

PATH = ("public",)


def rows(name: str, snapshot: Snapshot, session: Session | None = None) -> list[dict[str, Any]]:
    schema, _, relation = name.rpartition(".")
    found = relations()[schema or "pg_catalog", relation]
    table = system_table(found, snapshot, session or Session())
    return [row for delta in table.deltas for row in decode_rows(delta.rows, name).to_pylist()]


@pytest.mark.parametrize("relation", relations().values(), ids=lambda r: f"{r.schema}.{r.name}")
def test_every_relation_has_rows_or_is_truly_empty(relation: SystemRelation) -> None:
    table = system_table(relation, shop(), Session())
    assert [c.name for c in table.columns] == [c.name for c in relation.columns]
    assert table.row_count == len(rows(f"{relation.schema}.{relation.name}", shop()))


def test_relations_have_distinct_oids_and_the_ones_of_postgresql() -> None:
    found = {relation.oid for relation in relations().values()}
    assert len(found) == len(relations())
    assert relations()["pg_catalog", "pg_class"].oid == 1259


def test_classes_are_tables_composite_types_and_sequences() -> None:
    own = [row for row in rows("pg_class", shop()) if row["oid"] >= 16384]
    assert [(r["relname"], r["relkind"], r["relnamespace"]) for r in own] == [
        ("t", "r", 2200),
        ("Order", "r", 16386),
        ("pair", "c", 16386),
        ("t_id_seq", "S", 2200),
    ]
    assert [(r["relnatts"], r["relchecks"], r["reltuples"]) for r in own[:2]] == [
        (6, 1, 0.0),
        (1, 0, 0.0),
    ]


def test_attributes_have_types_modifiers_and_identity() -> None:
    table = 16384 + 3
    found = [row for row in rows("pg_attribute", shop()) if row["attrelid"] == table]
    names = ("attname", "attnum", "atttypid", "atttypmod", "attnotnull", "atthasdef", "attidentity")
    mood = 16384 + 5
    assert [tuple(row[name] for name in names) for row in found] == [
        ("id", 1, 20, -1, True, False, "a"),
        ("a", 2, 23, -1, True, True, ""),
        ("c", 4, 1700, 655366, False, False, ""),
        ("d", 5, 1043, 9, False, False, ""),
        ("m", 6, mood, -1, False, False, ""),
        ("e", 7, 1007, -1, False, False, ""),
    ]


def test_every_reference_between_relations_resolves() -> None:
    snapshot = shop()
    kinds = {row["oid"]: row for row in rows("pg_type", snapshot)}
    classes = {row["oid"] for row in rows("pg_class", snapshot)}
    functions = {row["oid"] for row in rows("pg_proc", snapshot)}
    schemas = {row["oid"] for row in rows("pg_namespace", snapshot)}
    for row in rows("pg_attribute", snapshot):
        assert row["attrelid"] in classes
        assert row["atttypid"] in kinds, row
    for row in kinds.values():
        assert row["typnamespace"] in schemas
        assert not row["typarray"] or kinds[row["typarray"]]["typelem"] == row["oid"]
        assert not row["typrelid"] or row["typrelid"] in classes
        assert row["typinput"] in functions, row
        assert row["typoutput"] in functions, row
    for row in rows("pg_proc", snapshot):
        assert row["prorettype"] in kinds
        assert set(row["proargtypes"]) <= kinds.keys()


@pytest.mark.parametrize("name", ["pg_class", "pg_type", "pg_proc", "pg_constraint", "pg_enum"])
def test_oids_are_distinct(name: str) -> None:
    found = [row["oid"] for row in rows(name, shop())]
    assert len(set(found)) == len(found)


def test_checks_name_their_columns() -> None:
    (check,) = rows("pg_constraint", shop())
    assert (check["conname"], check["conkey"], check["contype"]) == ("positive", [2], "c")
    (usage,) = rows("information_schema.constraint_column_usage", shop())
    assert (usage["table_name"], usage["column_name"]) == ("t", "a")


def test_a_sequence_depends_on_its_column() -> None:
    (found,) = rows("pg_depend", shop())
    assert (found["objid"], found["refobjid"], found["refobjsubid"]) == (16391, 16387, 1)
    (sequence,) = rows("pg_sequence", shop())
    assert (sequence["seqtypid"], sequence["seqstart"], sequence["seqmin"]) == (20, 1, 1)


def test_information_schema_describes_columns_in_its_own_words() -> None:
    found = [
        row
        for row in rows("information_schema.columns", shop())
        if row["table_schema"] in ("public", "shop")
    ]
    names = ("column_name", "data_type", "udt_schema", "udt_name", "is_nullable")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("id", "bigint", "pg_catalog", "int8", "NO"),
        ("a", "integer", "pg_catalog", "int4", "NO"),
        ("c", "numeric", "pg_catalog", "numeric", "YES"),
        ("d", "character varying", "pg_catalog", "varchar", "YES"),
        ("m", "USER-DEFINED", "public", "mood", "YES"),
        ("e", "ARRAY", "pg_catalog", "_int4", "YES"),
        ("p", "USER-DEFINED", "shop", "pair", "YES"),
    ]
    assert (found[0]["is_identity"], found[0]["identity_maximum"]) == ("YES", str(2**63 - 1))
    assert (found[2]["numeric_precision"], found[2]["numeric_scale"]) == (10, 2)
    assert (found[3]["character_maximum_length"], found[3]["character_octet_length"]) == (5, 20)
    assert found[1]["column_default"] == "3"


def test_rows_of_tables_change_what_depends_on_them_alone() -> None:
    before, after = shop(), with_rows(shop(), 7)
    kept = relations()["information_schema", "columns"]
    assert system_table(kept, before, Session()) is system_table(kept, after, Session())
    (found,) = [row for row in rows("pg_class", after) if row["relname"] == "t"]
    assert (found["reltuples"], found["relpages"]) == (7.0, 1)
    assert [row["n_live_tup"] for row in rows("pg_stat_user_tables", after)] == [7, 0]


def test_a_change_of_the_catalogue_makes_new_rows() -> None:
    before = shop()
    after = dataclasses.replace(before, tables={3: before.tables[3]})
    relation = relations()["information_schema", "tables"]
    tables = [system_table(relation, snapshot, Session()) for snapshot in (before, after)]
    assert tables[0].row_count == tables[1].row_count + 1
    assert tables[0].deltas[0].id != tables[1].deltas[0].id


def test_temporary_tables_of_other_sessions_are_hidden() -> None:
    snapshot = shop()
    table = dataclasses.replace(snapshot.tables[3], id=20, schema_id=21, name="mine")
    snapshot = dataclasses.replace(
        snapshot,
        schemas={**snapshot.schemas, 21: "pg_temp_one"},
        tables={**snapshot.tables, 20: table},
    )

    def found(session: str) -> list[tuple[str, str]]:
        return [
            (row["table_name"], row["table_type"])
            for row in rows("information_schema.tables", snapshot, Session(id=session))
            if row["table_name"] == "mine"
        ]

    assert found("one") == [("mine", "LOCAL TEMPORARY")]
    assert found("two") == []


def test_settings_are_those_of_the_session() -> None:
    session = Session(schema_path=("shop", "public"), settings={"application_name": "x"})
    found = {row["name"]: row["setting"] for row in rows("pg_settings", shop(), session)}
    assert (found["search_path"], found["application_name"]) == ("shop, public", "x")
    assert found["max_index_keys"] == "32"


def test_names_are_found_in_the_catalogue_first() -> None:
    def find(*name: str, path: tuple[str, ...] = PATH) -> str | None:
        found = find_relation(name, path, lambda schema: schema == "public")
        return None if found is None else f"{found.schema}.{found.name}"

    assert find("pg_class") == "pg_catalog.pg_class"
    assert find("pg_class", path=("public", "pg_catalog")) is None
    assert find("pg_class", path=("shop", "pg_catalog")) == "pg_catalog.pg_class"
    assert find("information_schema", "tables") == "information_schema.tables"
    assert find("tables") is None
    assert find("tables", path=("information_schema",)) == "information_schema.tables"
    assert find("pg_mine") is None
    assert find("shop", "pg_class") is None


def test_what_is_missing_is_named() -> None:
    with pytest.raises(NotYet, match=r"pg_catalog\.pg_operator is not available"):
        find_relation(("pg_operator",), PATH, lambda _: False)
    with pytest.raises(UnknownObject, match="did you mean") as caught:
        find_relation(("pg_catalog", "pg_clas"), PATH, lambda _: False)
    assert caught.value.sqlstate == "42P01"

"""What DDL comes to: schemas, types, tables with all they have, comments, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest

from actors.operations import (
    CommentOnTable,
    DropSchema,
    DropTable,
    DropType,
    NewColumn,
    NewIdentity,
    NewSchema,
    NewTable,
    NewType,
    Operation,
    SetTableOptions,
)
from actors.primary.resolve import resolve
from storage.errors import InvalidRequest, NotYet
from storage.schema import (
    ArrayType,
    Check,
    EnumType,
    Identity,
    Kind,
    ScalarType,
    SqlType,
    StructType,
)
from storage.snapshot.apply import apply_changes
from storage.snapshot.model import Sequence, Snapshot, TableState

BIGINT = ScalarType(kind=Kind.BIGINT)
SMALLINT = ScalarType(kind=Kind.SMALLINT)
TEXT = ScalarType(kind=Kind.TEXT)
LABELS = EnumType(name="", labels=("sad", "ok"))
MOOD = EnumType(name="mood", labels=("sad", "ok"))
S_MOOD = EnumType(name="s.mood", labels=("sad", "ok"))
UP = NewIdentity(always=True)


def after(*operations: Operation, start: Snapshot | None = None) -> Snapshot:
    snapshot = start or Snapshot(database_id="d", branch_id="main")
    for operation in operations:
        found = resolve(operation, snapshot, 1)
        snapshot = apply_changes(snapshot, found.catalogue, found.tables, lsn=1)
    return snapshot


def table_of(kind: SqlType, name: str = "t", schema: str = "public") -> NewTable:
    return NewTable(schema=schema, name=name, columns=(NewColumn(name="a", type=kind),))


def numbered(identity: NewIdentity, kind: SqlType = BIGINT, **more: object) -> NewTable:
    column = NewColumn(name="id", type=kind, identity=identity, **more)  # type: ignore[arg-type]
    return NewTable(schema="public", name="t", columns=(column,))


def found(snapshot: Snapshot, name: str = "t", schema: str = "public") -> TableState:
    table = snapshot.find_table(name, schema)
    assert table is not None
    return table


def refused(operation: Operation, start: Snapshot, sqlstate: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        resolve(operation, start, 1)
    assert caught.value.sqlstate == sqlstate


EMPTY = Snapshot(database_id="d", branch_id="main")


# --- schemas --------------------------------------------------------------------------------------


def test_a_schema_comes_and_goes() -> None:
    made = after(NewSchema(name="s"), NewSchema(name="s", if_not_exists=True))
    assert made.schemas == {1: "public", 2: "s"}
    assert after(DropSchema(name="s"), start=made).schemas == {1: "public"}
    assert after(DropSchema(name="x", if_exists=True), start=made) == made


def test_names_of_schemas_that_are_refused() -> None:
    made = after(NewSchema(name="s"))
    refused(NewSchema(name="s"), made, "42P06", 'schema "s" already exists')
    refused(NewSchema(name="information_schema"), made, "42P06", "already exists")
    refused(NewSchema(name="pg_x"), made, "42939", 'unacceptable schema name "pg_x"')
    refused(DropSchema(name="z"), made, "3F000", "schema z does not exist")
    with pytest.raises(NotYet):
        resolve(DropSchema(name="public", cascade=True), made, 1)


def test_a_schema_that_holds_something_goes_only_with_cascade() -> None:
    made = after(
        NewSchema(name="s"),
        NewType(schema="s", name="mood", definition=LABELS),
        table_of(ArrayType(element=S_MOOD), schema="s"),
        NewTable(schema="s", name="n", columns=(NewColumn(name="id", type=BIGINT, identity=UP),)),
        table_of(BIGINT),
    )
    refused(DropSchema(name="s"), made, "2BP01", r"table s\.t, table s\.n, type s\.mood")
    gone = after(DropSchema(name="s", cascade=True), start=made)
    assert gone.schemas == {1: "public"}
    assert [table.name for table in gone.tables.values()] == ["t"]
    assert (gone.types, gone.sequences) == ({}, {})
    outside = after(table_of(S_MOOD, "u"), start=made)
    refused(
        DropSchema(name="s", cascade=True),
        outside,
        "2BP01",
        r"cannot drop type s\.mood .* column a of table u",
    )


# --- types ----------------------------------------------------------------------------------------


def test_a_type_has_its_name_and_columns_have_the_type() -> None:
    pair = StructType(name="", fields=(("x", BIGINT), ("m", S_MOOD)))
    made = after(
        NewSchema(name="s"),
        NewType(schema="s", name="mood", definition=LABELS),
        NewType(schema="public", name="mood", definition=LABELS),
        NewType(schema="public", name="pair", definition=pair),
    )
    known = [user_type.definition for user_type in made.types.values()]
    assert known == [S_MOOD, MOOD, StructType(name="pair", fields=pair.fields)]
    assert found(after(table_of(known[2]), start=made)).columns[0].type == known[2]


def test_types_that_are_refused() -> None:
    made = after(NewType(schema="public", name="mood", definition=LABELS), table_of(BIGINT))

    def new(name: str, definition: EnumType | StructType, schema: str = "public") -> NewType:
        return NewType(schema=schema, name=name, definition=definition)

    refused(new("mood", LABELS), made, "42710", 'type "mood" already exists')
    refused(new("t", LABELS), made, "42710", 'type "t" already exists')
    refused(new("x", LABELS, "nowhere"), made, "3F000", "schema nowhere does not exist")
    refused(new("x", EnumType(name="", labels=("a", "a"))), made, "23505", '"a" is given twice')
    refused(new("x", EnumType(name="", labels=("a" * 64,))), made, "42602", "invalid enum label")
    refused(new("x", EnumType(name="", labels=())), made, "0A000", "without labels")
    refused(new("x", StructType(name="", fields=())), made, "0A000", "without attributes")
    twice = StructType(name="", fields=(("a", BIGINT), ("a", TEXT)))
    refused(new("x", twice), made, "42701", 'column "a" specified more than once')
    foreign = StructType(name="", fields=(("a", S_MOOD),))
    refused(new("x", foreign), made, "42704", 'type "s.mood" does not exist')
    refused(table_of(S_MOOD, "u"), made, "42704", 'type "s.mood" does not exist')
    altered = EnumType(name="mood", labels=("sad", "ok", "new"))
    refused(table_of(altered, "u"), made, "42704", 'type "mood" does not exist')
    refused(table_of(BIGINT, "mood"), made, "42710", 'type "mood" already exists')


def test_a_type_that_is_used_stays() -> None:
    made = after(NewType(schema="public", name="mood", definition=LABELS))
    assert after(DropType(schema="public", name="mood"), start=made).types == {}
    used = after(table_of(ArrayType(element=MOOD)), start=made)
    refused(DropType(schema="public", name="mood"), used, "2BP01", "column a of table t")
    pair = NewType(
        schema="public", name="pair", definition=StructType(name="", fields=(("m", MOOD),))
    )
    refused(DropType(schema="public", name="mood"), after(pair, start=made), "2BP01", "type pair")
    freed = after(DropTable(schema="public", name="t"), start=used)
    assert after(DropType(schema="public", name="mood"), start=freed).types == {}
    refused(DropType(schema="public", name="x"), made, "42704", 'type "x" does not exist')
    refused(DropType(schema="x", name="mood"), made, "3F000", "schema x does not exist")
    for missing in (
        DropType(schema="public", name="x", if_exists=True),
        DropType(schema="x", name="mood", if_exists=True),
    ):
        assert after(missing, start=made) == made


# --- tables ---------------------------------------------------------------------------------------


def test_a_table_has_all_that_it_was_given() -> None:
    checks = (Check(name="t_a_check", sql="a > 0"), Check(name="named", sql="a < b"))
    operation = NewTable(
        schema="public",
        name="t",
        columns=(
            NewColumn(name="a", type=BIGINT, default="1 + 1", comment="the a"),
            NewColumn(name="b", type=TEXT),
        ),
        checks=checks,
        comment="a table",
    )
    table = found(after(operation))
    assert [column.default for column in table.columns] == ["1 + 1", None]
    assert (table.checks, table.comment, table.column_comments) == (checks, "a table", {1: "the a"})


def test_checks_of_one_name_are_refused() -> None:
    twice = (Check(name="x", sql="a > 1"), Check(name="x", sql="a < 9"))
    operation = NewTable(
        schema="public", name="t", columns=(NewColumn(name="a", type=BIGINT),), checks=twice
    )
    refused(operation, EMPTY, "42710", 'check constraint "x" already exists')


def test_a_table_is_not_clustered_by_what_skips_no_file() -> None:
    for kind in (ScalarType(kind=Kind.JSON), ArrayType(element=BIGINT)):
        operation = dataclasses.replace(table_of(kind), cluster_by=("a",))
        refused(operation, EMPTY, "22023", "CLUSTER BY names a")
    moods = after(NewType(schema="public", name="mood", definition=LABELS))
    made = after(dataclasses.replace(table_of(MOOD), cluster_by=("a",)), start=moods)
    assert found(made).cluster_by is not None


def test_an_identity_column_has_a_sequence_of_its_own() -> None:
    made = after(
        NewTable(
            schema="public",
            name="t",
            columns=(
                NewColumn(name="a", type=SMALLINT, identity=UP),
                NewColumn(
                    name="b",
                    type=BIGINT,
                    identity=NewIdentity(always=False, increment=-5, start=-10),
                ),
            ),
        )
    )
    table = found(made)
    assert [(c.identity, c.nullable) for c in table.columns] == [
        (Identity(sequence_id=3, always=True), False),
        (Identity(sequence_id=4, always=False, start=-10, increment=-5), False),
    ]
    assert list(made.sequences.values()) == [
        Sequence(
            id=3, schema_id=1, name="t_a_seq", next_value=1, increment=1, low=1, high=2**15 - 1
        ),
        Sequence(
            id=4,
            schema_id=1,
            name="t_b_seq",
            next_value=-10,
            increment=-5,
            low=1 - 2**63,
            high=-1,
        ),
    ]
    assert made.next_id == 5
    gone = after(DropTable(schema="public", name="t"), start=made)
    assert (gone.tables, gone.sequences) == ({}, {})


def test_a_sequence_takes_the_next_free_name() -> None:
    made = after(table_of(BIGINT, "t_id_seq"), numbered(UP))
    assert [sequence.name for sequence in made.sequences.values()] == ["t_id_seq1"]


@pytest.mark.parametrize(
    ("operation", "sqlstate", "message"),
    [
        (numbered(UP, TEXT), "22023", "must be smallint, integer, or bigint"),
        (numbered(UP, default="1"), "42601", 'both default and identity .* of table "t"'),
        (numbered(NewIdentity(always=True, increment=0)), "22023", "INCREMENT must not be zero"),
        (
            numbered(NewIdentity(always=True, start=40_000), SMALLINT),
            "22023",
            r"START value \(40000\) cannot be greater than MAXVALUE \(32767\)",
        ),
        (
            numbered(NewIdentity(always=True, start=-1)),
            "22023",
            r"START value \(-1\) cannot be less than MINVALUE \(1\)",
        ),
        (
            numbered(NewIdentity(always=True, high=40_000), SMALLINT),
            "22023",
            r"MAXVALUE \(40000\) is out of range for sequence data type smallint",
        ),
        (
            numbered(NewIdentity(always=True, low=5, high=5)),
            "22023",
            r"MINVALUE \(5\) must be less than MAXVALUE \(5\)",
        ),
    ],
)
def test_identities_that_are_refused(operation: NewTable, sqlstate: str, message: str) -> None:
    refused(operation, EMPTY, sqlstate, message)


def test_drop_table_if_exists_needs_neither_table_nor_schema() -> None:
    assert after(DropTable(schema="public", name="t", if_exists=True)) == EMPTY
    assert after(DropTable(schema="x", name="t", if_exists=True)) == EMPTY
    refused(DropTable(schema="x", name="t"), EMPTY, "3F000", "schema x")


# --- comments -------------------------------------------------------------------------------------


def test_comments_are_set_and_removed() -> None:
    made = after(
        table_of(BIGINT),
        CommentOnTable(schema="public", table="t", comment="a table"),
        CommentOnTable(schema="public", table="t", column="a", comment="a column"),
    )
    assert (found(made).comment, found(made).column_comments) == ("a table", {1: "a column"})
    removed = after(
        CommentOnTable(schema="public", table="t", comment=None),
        CommentOnTable(schema="public", table="t", column="a", comment=None),
        start=made,
    )
    assert (found(removed).comment, found(removed).column_comments) == (None, {})
    wrong = CommentOnTable(schema="public", table="t", column="x", comment="")
    refused(wrong, made, "42703", 'column "x" of relation "t" does not exist')
    absent = CommentOnTable(schema="public", table="u", comment="")
    refused(absent, made, "42P01", r"table public\.u does not exist")


# --- options --------------------------------------------------------------------------------------


def options(*, set_to: dict[str, int | str], reset: tuple[str, ...] = ()) -> SetTableOptions:
    return SetTableOptions(schema="public", name="t", options=set_to, reset=reset)


def test_options_are_set_and_reset() -> None:
    made = after(
        dataclasses.replace(table_of(BIGINT), options={"flush_rows": 5, "holes_max": "0.50"}),
        options(set_to={"flush_rows": 6, "flush_age_s": 30}),
    )
    assert found(made).options == {"flush_rows": 6, "holes_max": "0.5", "flush_age_s": "30"}
    again = after(options(set_to={}, reset=("flush_rows", "fan_in")), start=made)
    assert found(again).options == {"holes_max": "0.5", "flush_age_s": "30"}
    there = SetTableOptions(schema="public", name="u", options={}, if_exists=True)
    assert after(there, start=made).tables == made.tables


def test_options_that_are_refused() -> None:
    made = after(table_of(BIGINT))
    refused(options(set_to={"flush_row": 5}), made, "22023", "options are micropartition_rows, a")
    refused(options(set_to={}, reset=("x",)), made, "22023", "unknown table option x")
    refused(options(set_to={"flush_rows": 0}), made, "22023", "flush_rows = 0: expected 1 to ")
    missing = SetTableOptions(schema="public", name="u", options={})
    refused(missing, made, "42P01", "u")

"""PARTITION BY as it is planned: what the words come to."""

from __future__ import annotations

import pytest

from actors.operations import NewPartitioning, NewTable
from storage.partitions.scheme import Bound, Partition
from tests.unit.warehouse.planning.database import Database

MIN, MAX = Bound(side=-1), Bound(side=1)


def planned(database: Database, columns: str, clause: str) -> NewPartitioning:
    plan = database.plan(f"CREATE TABLE n ({columns}) PARTITION BY {clause}")
    (operation,) = plan.operations  # type: ignore[union-attr]
    assert isinstance(operation, NewTable)
    assert operation.partitioning is not None
    return operation.partitioning


def at(*values: object) -> tuple[Bound, ...]:
    return tuple(Bound(value=value) for value in values)  # type: ignore[arg-type]


def test_a_hash_has_so_many_partitions(database: Database) -> None:
    found = planned(database, "a INT, b TEXT", "HASH (b, a) PARTITIONS 3")
    names = tuple(Partition(id=0, name=f"p{number}") for number in range(3))
    assert found == NewPartitioning(kind="hash", columns=("b", "a"), parts=names)


def test_key_without_columns_is_the_primary_key(database: Database) -> None:
    found = planned(database, "a INT, b TEXT, PRIMARY KEY (b, a)", "KEY () PARTITIONS 2")
    assert found.columns == ("b", "a")


def test_less_than_begins_where_the_one_before_ends(database: Database) -> None:
    found = planned(
        database,
        "a INT",
        "RANGE (a) (PARTITION p VALUES LESS THAN (10), PARTITION q VALUES LESS THAN (5 * 4),"
        " PARTITION r VALUES LESS THAN MAXVALUE)",
    )
    assert found.parts == (
        Partition(id=0, name="p", low=(MIN,), high=at(10)),
        Partition(id=0, name="q", low=at(10), high=at(20)),
        Partition(id=0, name="r", low=at(20), high=(MAX,)),
    )


def test_from_and_to_may_leave_gaps(database: Database) -> None:
    found = planned(
        database,
        "a INT, b TEXT",
        "RANGE (a, b) (PARTITION p FOR VALUES FROM (1, MINVALUE) TO (1, 'x'), PARTITION d DEFAULT)",
    )
    low = (Bound(value=1), MIN)
    assert found.parts == (
        Partition(id=0, name="p", low=low, high=at(1, "x")),
        Partition(id=0, name="d", default=True),
    )


def test_lists_have_null_and_rows_of_values_once_each(database: Database) -> None:
    one = planned(database, "a INT", "LIST (a) (PARTITION p VALUES IN (2, NULL, 1, 2))")
    assert one.parts[0].values == ((2,), (None,), (1,))
    two = planned(
        database, "a INT, b TEXT", "LIST (a, b) (PARTITION p VALUES IN ((1, 'x'), (NULL, 'y')))"
    )
    assert two.parts[0].values == ((1, "x"), (None, "y"))


@pytest.mark.parametrize(
    ("kind", "written", "kept"),
    [
        ("DECIMAL(10, 2)", "1.5", 150),
        ("DECIMAL(30, 2)", "1.5", "150"),
        ("DATE", "'1970-01-11'", 10),
        ("DATE", "DATE '1970-01-11' + 1", 11),
        ("TIMESTAMP", "'1970-01-01 00:00:01'", 1_000_000),
        ("TIMESTAMP(0)", "'1970-01-01 00:00:00.7'", 1_000_000),
        ("TIMESTAMPTZ", "'1970-01-01 01:00:00+01'", 0),
        ("TEXT", "'x'", "x"),
        ("CHAR(3)", "'x  '", "x"),
        ("BOOLEAN", "true", True),
        ("DOUBLE PRECISION", "1", 1.0),
        ("UUID", "'00000000-0000-0000-0000-00000000000a'", "0" * 31 + "a"),
        ("BYTEA", r"'\x0a'", "0a"),
        ("SMALLINT", "1.4", 1),
    ],
)
def test_values_are_assigned_to_their_columns(
    database: Database, kind: str, written: str, kept: object
) -> None:
    found = planned(database, f"a {kind}", f"LIST (a) (PARTITION p VALUES IN ({written}))")
    assert found.parts[0].values == ((kept,),)

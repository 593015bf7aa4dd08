"""What a plan says of its size: for queries that read much, rows of every relation."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.schema import Kind, ScalarType
from tests.unit.warehouse.planning.database import (
    Database,
    columns_of,
    program_of,
    rows_of,
    snapshot_of,
    table_state,
)
from warehouse.execution.spilling.choice import relations_of
from warehouse.planning import expected

TYPES = {"a": ScalarType(kind=Kind.INTEGER), "b": ScalarType(kind=Kind.INTEGER)}
ROWS = [[n, n % 10] for n in range(100)]
SQL = "SELECT b, count(*) FROM x WHERE a < 50 GROUP BY b"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    files = [rows_of(columns_of(TYPES), ROWS)]
    return Database(tmp_path, snapshot_of(table_state(20, "x", TYPES, tmp_path, files=files)))


def test_small_queries_say_nothing(database: Database) -> None:
    assert program_of(database.query(SQL)).expected == ()


def test_large_ones_say_how_many_rows_each_relation_has(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected, "MUCH_BYTES", 100)
    program = program_of(database.query(SQL))
    names = [type(node).__name__ for node in relations_of(program.query)]
    found = dict(zip(names, program.expected, strict=True))
    assert (found["Scan"], found["Filter"], found["Aggregate"]) == (100.0, 50.0, 10.0)


def test_a_table_counts_as_often_as_it_is_scanned(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the plan reads it once, and all its scans share that."""
    monkeypatch.setattr(expected, "MUCH_BYTES", 3 * 100 * expected.VALUE_BYTES)
    one = "SELECT a FROM x"
    assert program_of(database.query(one)).expected == ()
    assert program_of(database.query(" UNION ALL ".join([one] * 2))).expected == ()
    assert program_of(database.query(" UNION ALL ".join([one] * 3))).expected != ()

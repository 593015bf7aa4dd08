"""Identity columns: whatever writes rows, every row without a number gets one of its own."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import warehouse
from actors.messages import Transaction
from actors.operations import NewColumn, NewIdentity, NewTable
from storage.errors import InvalidRequest
from storage.schema import Kind, ScalarType
from tests.engine.conftest import SELDOM_ON_RAY
from warehouse import Database

BIGINT = ScalarType(kind=Kind.BIGINT)
SMALL = ScalarType(kind=Kind.SMALLINT)


def create(db: Database, kind: ScalarType = BIGINT, name: str = "t") -> None:
    columns = (
        NewColumn(name="id", type=kind, identity=NewIdentity(always=True)),
        NewColumn(name="v", type=BIGINT),
    )
    table = NewTable(schema="public", name=name, columns=columns)
    db._engine.submit(Transaction(operations=(table,)))


def ids(db: Database) -> list[int]:
    return list(db.sql("SELECT id FROM t ORDER BY id").polars()["id"])


def test_appends_are_numbered_and_given_numbers_taken(db: Database) -> None:
    create(db)
    db.table("t").append(pl.DataFrame({"v": [1, 2]}))
    db.table("t").append(pl.DataFrame({"v": [3], "id": [1_000_000]}))
    db.table("t").append(pl.DataFrame({"v": list(range(50_000))}))
    assert ids(db) == [*range(1, 50_003), 1_000_000]


def test_appends_in_one_transaction_are_numbered(db: Database) -> None:
    create(db)
    with db.transaction() as transaction:
        transaction.table("t").append(pl.DataFrame({"v": [1, 2]}))
        transaction.table("t").append(pl.DataFrame({"v": [3]}))
    assert ids(db) == [1, 2, 3]


def test_loads_are_numbered_across_files(db: Database, tmp_path: Path) -> None:
    create(db)
    for number in range(3):
        rows = pa.table({"v": list(range(300_000))})
        pq.write_table(rows, tmp_path / f"{number}.parquet", row_group_size=100_000)
    db.load("t", f"{tmp_path}/*.parquet")
    assert ids(db) == list(range(1, 900_001))


def test_an_insert_that_names_other_columns_is_numbered(db: Database) -> None:
    create(db)
    db.sql("INSERT INTO t (v) SELECT g FROM generate_series(1, 5) AS s(g)")
    db.sql("INSERT INTO t (v) VALUES (7)")
    assert ids(db) == [1, 2, 3, 4, 5, 6]


@SELDOM_ON_RAY
def test_numbers_go_on_behind_those_of_a_primary_that_is_gone(engine: str, root: str) -> None:
    first = warehouse.connect(root, engine=engine)
    create(first)
    first.table("t").append(pl.DataFrame({"v": [1, 2]}))
    first.shutdown()
    second = warehouse.connect(root, engine=engine)
    second.table("t").append(pl.DataFrame({"v": [3]}))
    found = ids(second)
    assert found[:2] == [1, 2]
    assert found[2] > 2
    second.shutdown()


def test_an_append_past_the_last_number_writes_nothing(db: Database) -> None:
    create(db, SMALL)
    with pytest.raises(InvalidRequest, match="reached maximum value") as caught:
        db.table("t").append(pl.DataFrame({"v": list(range(40_000))}))
    assert caught.value.sqlstate == "2200H"
    assert ids(db) == []

"""Leaving out partitions: the answer is that of a table without any, and what must go, goes."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator

import pytest

import warehouse
from actors.messages import Session
from actors.planner import Latest, Version
from storage.errors import MobulaError
from storage.snapshot.model import Snapshot
from warehouse import Database
from warehouse.optimizer.partitions import partitions_left
from warehouse.planning.parse import parse_text
from warehouse.planning.query import QueryPlanner

LIST = "LIST (i) (PARTITION a VALUES IN ({}), PARTITION b VALUES IN ({}), {})"
RANGE = "RANGE (i) (PARTITION a VALUES LESS THAN ({}), PARTITION b VALUES LESS THAN ({}), {})"
DEFAULT = "PARTITION d DEFAULT"
GAPS = "RANGE (i) (PARTITION a VALUES LESS THAN (0), PARTITION b FOR VALUES FROM (1) TO (20))"
UUIDS = " ".join(f"'{uuid.UUID(int=n)}'" for n in (1, 2, 9))
DAYS = ("'2026-01-01'", "'2026-02-01'")
# column, PARTITION BY, values as literals: the third is in partition b, if that is a range
CASES = [
    ("int", RANGE.format(0, 10, DEFAULT), "-5 10 3 0 9 NULL"),
    ("int", GAPS, "-5 10 3 19"),
    ("bigint", "HASH (i) PARTITIONS 4", "-5 10 3 0 9 NULL"),
    ("numeric(10,2)", RANGE.format(0, 10.5, DEFAULT), "-5 10.5 10.49 0 NULL"),
    ("numeric(30,2)", LIST.format("1.5, 2", "NULL", DEFAULT), "1.5 2 3 NULL"),
    ("date", RANGE.format(*DAYS, DEFAULT), "'2025-12-31' '2026-02-01' '2026-01-31' NULL"),
    ("timestamp", RANGE.format(*DAYS, DEFAULT), "'2025-12-31' '2026-02-01' '2026-01-31' NULL"),
    ("timestamptz", RANGE.format(*DAYS, DEFAULT), "'2025-12-31' '2026-02-01' '2026-01-31' NULL"),
    ("text", RANGE.format("'b'", "'bb'", DEFAULT), "'a' 'bb' 'ba' '' NULL"),
    ("varchar(5)", LIST.format("'a', 'b'", "'', NULL", DEFAULT), "'a' 'z' '' NULL"),
    ("char(3)", LIST.format("'a', 'b'", "''", DEFAULT), "'a' 'z' '' NULL"),
    ("boolean", LIST.format("false", "true", DEFAULT), "false NULL true"),
    ("double precision", RANGE.format("'0'", "'NaN'", DEFAULT), "'-0.5' 'NaN' '0.25' '-0' NULL"),
    ("real", "HASH (i) PARTITIONS 3", "'-0.5' 'NaN' '0.25' NULL"),
    ("uuid", "HASH (i) PARTITIONS 5", f"{UUIDS} NULL"),
    ("time", RANGE.format("'10:00'", "'11:00'", DEFAULT), "'09:59' '11:00' '10:30' NULL"),
    ("bytea", "KEY (i) PARTITIONS 3", r"'\x00' '\x0001' '\x02' NULL"),
]  # fmt: skip
OPERATORS = ("=", "<", "<=", ">", ">=", "<>", "IS NOT DISTINCT FROM")


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with warehouse.connect(f"memory://{uuid.uuid4()}", engine="local") as made:
        yield made


def left(db: Database, sql: str) -> list[str] | None:
    """The names of the partitions that a query of one table reads; None: all."""
    snapshot: Snapshot = db.snapshot()
    snapshots: dict[Version, Snapshot] = {Latest(): snapshot}
    planner = QueryPlanner(text=sql, snapshots=snapshots, session=Session())
    prepared = planner.prepare(parse_text(sql).tree)
    ((name, source),) = prepared.sources.items()
    found = partitions_left(source.table, prepared.conditions.get(name, []))
    if found is None:
        return None
    assert source.table.partitioning is not None
    return [p.name for p in source.table.partitioning.parts if p.id in found.partitions]


def conditions(values: list[str]) -> Iterator[str]:
    yield from ("i IS NULL", "i IS NOT NULL", f"i IN ({values[0]}, {values[1]})")
    yield f"NOT (i IN ({values[0]}, {values[1]}))"
    for value, operator in itertools.product(values, OPERATORS):
        yield f"i {operator} {value}"
    for value in values:
        yield from (
            f"i = {value} OR i = {values[1]}",
            f"NOT (i < {value})",
            f"i >= {value} AND i < {values[1]}",
            f"i IN ({value}, NULL) AND n > 0",
            f"(i = {value} AND n = 0) OR (i > {values[2]} AND n >= 0)",
        )


@pytest.mark.parametrize(("kind", "by", "listed"), CASES)
def test_answers_are_those_without_partitions(
    db: Database, kind: str, by: str, listed: str
) -> None:
    values = listed.split(" ")
    db.sql(f"CREATE TABLE p (i {kind}, n int) PARTITION BY {by}")
    db.sql(f"CREATE TABLE q (i {kind}, n int)")
    try:
        for number, value in enumerate(values):
            for name in "pq":
                db.sql(f"INSERT INTO {name} VALUES ({value}, {number})")
        db.sql("CALL mobula.flush('p')")
        for condition in conditions(values):
            own, plain = (
                _answer(db, f"SELECT n FROM {name} WHERE {condition} ORDER BY n") for name in "pq"
            )
            assert own == plain, condition
        if kind != "real":  # whose literals are no values of it
            known = left(db, f"SELECT * FROM p WHERE i = {values[2]}")
            assert known is not None
            assert len(known) == 1
    finally:
        db.sql("DROP TABLE p, q")


def _answer(db: Database, sql: str) -> object:
    try:
        return db.sql(sql).rows()
    except MobulaError as error:
        return error.sqlstate


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a = 5 AND b = 'x'", ["p1"]),
        ("a = 10 AND b = 'a'", ["p1"]),
        ("a = 10 AND b >= 'm'", ["p1", "p2", "d"]),
        ("a > 10", ["p2", "d"]),
        ("a BETWEEN 11 AND 19", ["p2", "d"]),
        ("a IN (5, 30) AND b = 'm'", ["p1", "d"]),
        ("a IS NULL AND b = 'm'", ["d"]),
        ("b = 'm'", ["p1", "p2", "d"]),
        ("a + 0 = 5", None),
        ("a < 3 OR b = 'm'", ["p1", "p2", "d"]),
        ("(a < 3 OR a = 5) AND b < 'c'", ["p1", "d"]),
        ("a = NULL", []),
        ("false", []),
    ],
)
def test_partitions_of_several_columns(
    db: Database, condition: str, expected: list[str] | None
) -> None:
    db.sql(
        "CREATE TABLE IF NOT EXISTS s (a int, b text) PARTITION BY RANGE (a, b) ("
        "PARTITION p1 VALUES LESS THAN (10, 'm'), PARTITION p2 VALUES LESS THAN (20, MINVALUE),"
        " PARTITION d DEFAULT)"
    )
    assert left(db, f"SELECT * FROM s WHERE {condition}") == expected


def test_files_and_deltas_of_other_partitions_are_not_read(db: Database) -> None:
    db.sql("CREATE TABLE r (i int, n int) PARTITION BY HASH (i) PARTITIONS 8")
    db.sql("INSERT INTO r SELECT i, i FROM generate_series(1, 1000) AS g(i)")
    db.sql("CALL mobula.flush('r')")
    db.sql("INSERT INTO r VALUES (3, -3)")
    found = db.sql("SELECT sum(n) FROM r WHERE i = $1", [3])
    assert (found.rows(), found.stats.files_scanned) == ([(0,)], 1)
    lines = [line for (line,) in db.sql("EXPLAIN SELECT * FROM r WHERE i = 4").rows()]
    assert "  micropartitions: 1 of 8" in lines

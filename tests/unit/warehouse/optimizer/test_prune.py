"""Pruning by statistics: what is left out, and what must never be."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from storage.schema import DecimalType, Kind, ScalarType, SqlType
from tests.unit.warehouse.planning.database import (
    Database,
    columns_of,
    rows_of,
    snapshot_of,
    table_state,
)

NAN = float("nan")
LONG = "x" * 63
TYPES: dict[str, SqlType] = {
    "k": ScalarType(kind=Kind.BIGINT),
    "d": DecimalType(precision=15, scale=2),
    "f": ScalarType(kind=Kind.DOUBLE),
    "s": ScalarType(kind=Kind.TEXT),
    "t": ScalarType(kind=Kind.DATE),
    "m": ScalarType(kind=Kind.TIMESTAMP),
}


def day(number: int) -> datetime.date:
    return datetime.date(2026, 1, number)


def noon(number: int) -> datetime.datetime:
    return datetime.datetime(2026, 1, number, 12)


FILES: list[list[tuple[Any, ...]]] = [
    [(1, Decimal("0.10"), 1.0, "apple", day(1), noon(1)), (2, None, None, "avocado", day(2), None)],
    [(10, Decimal("1.00"), NAN, "banana", day(10), noon(10))],
    [(20, Decimal("1.00"), -5.0, LONG + "ab", day(20), noon(20))],
    [(None, None, None, None, None, None)],
]


@pytest.fixture
def files(tmp_path: Path) -> Database:
    columns = columns_of(TYPES)
    parts = [rows_of(columns, rows) for rows in FILES]
    tables = [table_state(i, n, TYPES, tmp_path, files=parts) for i, n in ((2, "x"), (3, "y"))]
    return Database(tmp_path, snapshot_of(*tables))


def kept(database: Database, sql: str, alias: str = "x") -> str:
    """The numbers of the files that are left, as a text."""
    scan = next(s for s in database.query(sql).scans if s.alias == alias)
    return "".join(name.split("-")[2][0] for name in scan.files.names)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("k = 10", "1"),
        ("10 = k", "1"),
        ("k > 2", "12"),
        ("2 < k", "12"),
        ("k >= 2", "012"),
        ("k < 1", ""),
        ("k <> 10", "02"),
        ("NOT k = 10", "02"),
        ("NOT (k < 10 OR k > 10)", "1"),
        ("k BETWEEN 3 AND 15", "1"),
        ("k NOT BETWEEN 3 AND 15", "02"),
        ("k IN (1, 20, NULL)", "02"),
        ("k NOT IN (10, 20)", "0"),
        ("k IS NULL", "3"),
        ("k IS NOT NULL", "012"),
        ("NOT k IS NULL", "012"),
        ("s IS NULL OR k = 1", "03"),
        ("k = 1 OR k = 20", "02"),
        ("k > 1.5", "012"),
        ("k > 99999999999999999999", ""),
        ("k < 99999999999999999999", "012"),
        ("k > 5 * 3", "2"),
        ("k = CAST(10 AS DOUBLE PRECISION)", "1"),
        ("k + 0 = 10", "0123"),
        ("d < 0.105", "0"),
        ("d = 1", "12"),
        ("d > 1.00", ""),
        ("d > 0.999", "12"),
        ("d = 0.105", "0"),
        ("f > 100", "1"),
        ("f >= 1.0", "01"),
        ("f < 0", "12"),
        ("f = 1.0", "01"),
        ("f IS NOT NULL", "012"),
        ("s = 'apple'", "0"),
        ("s LIKE 'b%'", "1"),
        ("s LIKE 'banana'", "1"),
        ("s LIKE '%a'", "0123"),
        ("s NOT LIKE 'b%'", "0123"),
        (f"s = '{LONG}ab'", "2"),
        (f"s > '{LONG}ac'", "2"),
        (f"s > '{LONG}c'", ""),
        (f"s <> '{LONG}a'", "012"),
        ("t < DATE '2026-01-12' - INTERVAL '2' DAY", "0"),
        ("t > '2026-01-10'", "2"),
        ("t >= TIMESTAMP '2026-01-10 10:00:00'", "12"),
        ("t > TIMESTAMP '2026-01-11 10:00:00'", "2"),
        ("m > DATE '2026-01-10'", "12"),
        ("m <= TIMESTAMP '2026-01-01 12:00:00'", "0"),
        ("FALSE", ""),
        ("TRUE", "0123"),
        ("k = 10 AND length(s) > 3", "1"),
        ("k = 10 OR length(s) > 3", "0123"),
        ("k = NULL", ""),
        ("NOT k = NULL", ""),
        ("k = NULL OR k = 1", "0"),
        ("t < TIMESTAMP '2026-01-10 00:00:00'", "0"),
        ("t <= TIMESTAMP '2026-01-10 00:00:00'", "01"),
    ],
)
def test_conditions_leave_the_files_that_may_match(
    files: Database, condition: str, expected: str
) -> None:
    sql = f"SELECT count(*) FROM x WHERE {condition}"
    plan = files.query(sql)
    assert files.run(plan).equals(files.run(files.unpruned(plan)))
    assert kept(files, sql) == expected


@pytest.mark.parametrize(
    ("sql", "x", "y"),
    [
        ("x JOIN y ON x.k = y.k WHERE y.k = 10 AND x.k > 2", "1", "1"),
        ("x JOIN y ON x.k = y.k AND y.k = 10", "1", "1"),
        ("x, y WHERE x.k = y.k AND x.k = 1", "0", "0"),
        ("x LEFT JOIN y ON x.k = y.k AND y.k = 10", "0123", "1"),
        ("x LEFT JOIN y ON x.k = y.k AND x.k = 10", "0123", "1"),
        ("x LEFT JOIN y ON x.k = y.k WHERE y.k = 10", "1", "1"),
        ("x LEFT JOIN y ON x.k = y.k WHERE y.k IS NULL", "0123", "0123"),
        ("x LEFT JOIN y ON x.k = y.k WHERE y.k IS NULL OR y.k = 10", "0123", "0123"),
        ("x LEFT JOIN y ON x.k = y.k WHERE y.k = 10 OR y.k = 1", "0123", "01"),
        ("x LEFT JOIN y ON x.k = y.k WHERE x.k = 10", "1", "1"),
        ("x RIGHT JOIN y ON x.k = y.k AND y.k = 10", "0123", "0123"),
        ("x RIGHT JOIN y ON x.k = y.k AND x.k = 10", "1", "0123"),
        ("x RIGHT JOIN y ON x.k = y.k WHERE x.k IS NULL", "0123", "0123"),
        ("x FULL JOIN y ON x.k = y.k AND x.k = 10 WHERE y.k = 10", "1", "1"),
        ("x FULL JOIN y ON x.k = y.k AND x.k = 10 WHERE y.k = 10 OR y.k IS NULL", "0123", "0123"),
        ("(SELECT * FROM x) AS x JOIN y ON x.k = y.k WHERE x.k = 10", "1", "1"),
        ("(SELECT k + 0 AS k FROM x) AS x JOIN y ON x.k = y.k WHERE x.k = 10", "0123", "1"),
        ("(SELECT max(k) AS k FROM x) AS x JOIN y ON x.k = y.k WHERE x.k = 10", "0123", "1"),
        ("(SELECT * FROM x LIMIT 1) AS x JOIN y ON x.k = y.k WHERE x.k = 10", "0123", "1"),
        ("(SELECT DISTINCT k FROM x) AS x JOIN y ON x.k = y.k WHERE x.k = 10", "1", "1"),
        ("(SELECT DISTINCT ON (d) k FROM x ORDER BY d, k) AS x JOIN y ON x.k = y.k WHERE x.k = 10",
         "0123", "1"),
        ("x JOIN y ON x.k = y.k WHERE (x.k = 1 AND y.k = 10) OR (x.k = 10 AND y.k = 20)",
         "01", "12"),
        ("x WHERE EXISTS (SELECT 1 FROM y WHERE y.k = x.k AND y.k > 5)", "0123", "12"),
        ("x WHERE k NOT IN (SELECT k FROM y WHERE y.k = 10)", "0123", "1"),
    ],
)  # fmt: skip
def test_joins_and_subqueries_only_prune_where_no_answer_changes(
    files: Database, sql: str, x: str, y: str
) -> None:
    query = f"SELECT count(*) FROM {sql}"
    plan = files.query(query)
    assert files.run(plan).equals(files.run(files.unpruned(plan)))
    scans = {scan.table.name: scan for scan in plan.scans}
    found = {n: "".join(f.split("-")[2][0] for f in s.files.names) for n, s in scans.items()}
    assert found == {"x": x, "y": y}


def test_a_cte_is_pruned_when_it_is_used_once(files: Database) -> None:
    once = "WITH q AS (SELECT k, d FROM x) SELECT d FROM q WHERE k = 10"
    twice = "WITH q AS (SELECT k, d FROM x) SELECT a.d FROM q a, q b WHERE a.k = 10"
    assert kept(files, once) == "1"
    assert kept(files, twice) == "0123"


def test_the_predicate_of_a_scan_says_what_pruned_it(files: Database) -> None:
    sql = "SELECT d FROM x AS z WHERE z.k > 5 AND length(z.s) > 1 AND (z.k = 1 OR z.k = 10)"
    assert files.query(sql).scans[0].predicate == "(k#1 > 5) AND ((k#1 = 1) or (k#1 = 10))"
    assert files.query("SELECT d FROM x").scans[0].predicate is None


def test_references_with_different_files_left_do_not_share_a_scan(files: Database) -> None:
    plan = files.query("SELECT 1 FROM x AS a, x AS b WHERE a.k = 1 AND b.k = 10")
    assert [(scan.alias, len(scan.files)) for scan in plan.scans] == [("x", 1), ("x_2", 1)]


def test_a_table_without_statistics_is_never_pruned(files: Database, tmp_path: Path) -> None:
    table = files.query("SELECT k FROM x").scans[0].table
    keep = [n for n in table.files.table.column_names if not n.startswith(("min_", "max_"))]
    bare = type(table.files)(table.files.table.select(keep))
    state = type(table)(
        id=2,
        schema_id=1,
        name="x",
        schemas=table.schemas,
        next_column_id=9,
        files=bare,
    )
    database = Database(tmp_path, snapshot_of(state))
    assert kept(database, "SELECT k FROM x WHERE k = 10 AND s LIKE 'b%'") == "0123"

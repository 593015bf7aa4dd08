"""Semi-join reduction: where it applies, where it must not, and that answers stay."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storage.schema import Kind, ScalarType, SqlType
from tests.unit.warehouse.optimizer.statements import joins_of, optimised, planned_without
from tests.unit.warehouse.planning.database import (
    Database,
    columns_of,
    program_of,
    rows_of,
    snapshot_of,
    table_state,
)
from warehouse.algebra.relations import Aggregate, CteScan
from warehouse.algebra.walk import nodes
from warehouse.optimizer import reduction

TYPES: dict[str, SqlType] = {
    "k": ScalarType(kind=Kind.INTEGER),
    "j": ScalarType(kind=Kind.BIGINT),
    "v": ScalarType(kind=Kind.INTEGER),
}
AVERAGE = "SELECT p.k, p.v FROM parts p WHERE p.k = 3 AND p.v < "
SEEDS = range(4)


def rows(rng: random.Random, count: int, keys: int) -> list[list[Any]]:
    def value(limit: int) -> int | None:
        return None if rng.random() < 0.1 else rng.randrange(limit)

    return [[value(keys), value(3), value(10)] for _ in range(count)]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    return make(random.Random(5), tmp_path, monkeypatch)


def make(rng: random.Random, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """`items` of some hundred rows, which count as large; `parts` of a few."""
    monkeypatch.setattr(reduction, "ROWS_MIN", 50.0)
    monkeypatch.setattr(reduction, "SHARE_MAX", 0.5)
    columns = columns_of(TYPES)
    items = [rows_of(columns, rows(rng, 150, 30)) for _ in range(2)]
    parts = [rows_of(columns, rows(rng, 20, 30))]
    tables = [
        table_state(2, "items", TYPES, directory, files=items),
        table_state(3, "parts", TYPES, directory, files=parts),
    ]
    return Database(directory, snapshot_of(*tables))


def is_reduced(database: Database, sql: str) -> bool:
    query = optimised(database, sql)
    return any(cte.name == "reduction" for cte in query.ctes.values())


REDUCED = [
    f"{AVERAGE}(SELECT avg(i.v) FROM items i WHERE i.k = p.k)",
    "SELECT p.k, s.total FROM parts p JOIN (SELECT k, sum(v) AS total FROM items GROUP BY k) s"
    " ON s.k = p.k WHERE p.v = 1",
    "SELECT p.k, s.total FROM parts p LEFT JOIN (SELECT k, sum(v) AS total FROM items GROUP BY k) s"
    " ON s.k = p.k WHERE p.v = 1",
    "SELECT p.k FROM parts p WHERE EXISTS (SELECT 1 FROM items i WHERE i.k = p.k AND i.v <> p.v)",
    "SELECT p.k FROM parts p WHERE NOT EXISTS"
    " (SELECT 1 FROM items i WHERE i.k = p.k AND i.v <> p.v)",
    "SELECT p.k, EXISTS (SELECT 1 FROM items i WHERE i.k = p.k AND i.v > p.v) FROM parts p",
]
KEPT = [
    "SELECT p.k FROM parts p WHERE EXISTS (SELECT 1 FROM items i WHERE i.k = p.k)",
    "SELECT p.k FROM parts p WHERE p.v NOT IN (SELECT i.v FROM items i WHERE i.k > 5)",
    "SELECT i.k FROM items i JOIN (SELECT k, max(v) AS m FROM parts GROUP BY k) s ON s.k = i.k",
    "SELECT p.k FROM parts p JOIN (SELECT k % 5 AS k, sum(v) FROM items GROUP BY k % 5) s"
    " ON s.k = p.k",
    "SELECT p.k FROM parts p JOIN (SELECT k, sum(v) AS t FROM items GROUP BY ROLLUP (k)) s"
    " ON s.k = p.k",
    "SELECT p.k FROM parts p FULL JOIN (SELECT k, sum(v) AS t FROM items GROUP BY k) s"
    " ON s.k = p.k",
    "SELECT p.k FROM parts p RIGHT JOIN (SELECT k, sum(v) AS t FROM items GROUP BY k) s"
    " ON s.k = p.k",
]


@pytest.mark.parametrize("sql", REDUCED)
def test_what_is_grouped_for_a_small_side_is_reduced(database: Database, sql: str) -> None:
    query = optimised(database, sql)
    semis = [join for join in joins_of(query.relation) if join.kind == "semi"]
    assert is_reduced(database, sql)
    assert any(isinstance(join.right, CteScan) for join in semis)


@pytest.mark.parametrize("sql", KEPT)
def test_what_must_or_should_not_be_reduced_is_not(database: Database, sql: str) -> None:
    assert not is_reduced(database, sql)


def test_small_tables_are_left_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduction, "ROWS_MIN", 100_000.0)
    assert not any(is_reduced(database, sql) for sql in REDUCED)


def test_the_reduced_side_is_below_the_grouping(database: Database) -> None:
    query = optimised(database, REDUCED[1])
    (grouping,) = [node for node in nodes(query.relation) if isinstance(node, Aggregate)]
    assert [join.kind for join in joins_of(grouping)] == ["semi"]


@pytest.mark.parametrize("seed", SEEDS)
def test_reduction_changes_no_answer(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = make(random.Random(seed), tmp_path, monkeypatch)
    for sql in (*REDUCED, *KEPT):
        plain = planned_without(found, sql, ["reduction"], monkeypatch.setattr)
        better = found.query(sql)
        assert (program_of(plain).query != program_of(better).query) == (sql in REDUCED), sql
        answers = [Counter(map(repr, found.run(plan).to_pylist())) for plan in (plain, better)]
        assert answers[0] == answers[1], f"seed {seed}: {sql}"

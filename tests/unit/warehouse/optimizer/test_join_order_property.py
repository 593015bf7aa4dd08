"""Join order changes no answer: over small random tables with NULLs and random queries with inner,
cross and outer joins, derived tables, CTEs and subqueries, the ordered query returns the rows of
the query as it was written.

Seeds are fixed and stand in every failure message, with the statement.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.planner import QueryPlan
from storage.schema import Kind, ScalarType, SqlType
from tests.unit.warehouse.optimizer.statements import planned_without
from tests.unit.warehouse.planning.database import (
    Database,
    columns_of,
    program_of,
    rows_of,
    snapshot_of,
    table_state,
)

CASES = 60
SEEDS = range(3)
MORE_SEEDS = range(100, 140)

TYPES: dict[str, SqlType] = {
    "k": ScalarType(kind=Kind.INTEGER),
    "j": ScalarType(kind=Kind.BIGINT),
    "s": ScalarType(kind=Kind.TEXT),
    "v": ScalarType(kind=Kind.INTEGER),
}
TABLES = ("t0", "t1", "t2", "t3")


def value(rng: random.Random, name: str) -> Any:
    if rng.random() < 0.15:
        return None
    number = rng.randint(0, 4)
    return f"x{number}" if name == "s" else number


def make_database(rng: random.Random, directory: Path) -> Database:
    columns = columns_of(TYPES)
    states = []
    for number, name in enumerate(TABLES):
        parts = [
            rows_of(columns, [[value(rng, c) for c in TYPES] for _ in range(rng.randint(1, 5))])
            for _ in range(3)
        ]
        files, deltas = parts[: rng.randint(1, 2)], parts[2 : rng.randint(2, 3)]
        states.append(table_state(number + 2, name, TYPES, directory, files=files, deltas=deltas))
    return Database(directory, snapshot_of(*states))


class Statement:
    """A random SELECT that returns columns of all its sources."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.aliases: list[str] = []
        self.joined_to: list[str] = []  # since the last comma: what ON may name
        self.ctes: list[str] = []

    def text(self) -> str:
        sources = [self.source(i) for i in range(self.rng.randint(2, 4))]
        where: list[str] = []
        start = sources[0]
        self.aliases.append("a0")
        self.joined_to.append("a0")
        for i, source in enumerate(sources[1:], start=1):
            start += self.joined(source, f"a{i}", where)
            self.aliases.append(f"a{i}")
            self.joined_to.append(f"a{i}")
        start += self.outer() if self.rng.random() < 0.25 else ""
        where += [self.condition() for _ in range(self.rng.randint(0, 3))]
        self.rng.shuffle(where)
        outputs = ", ".join(f"{a}.k AS k_{a}, {a}.v AS v_{a}" for a in self.aliases)
        with_ = f"WITH {', '.join(self.ctes)} " if self.ctes else ""
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        return f"{with_}SELECT {outputs} FROM {start}{condition}"

    def source(self, number: int) -> str:
        table, alias = self.rng.choice(TABLES), f"a{number}"
        form = self.rng.random()
        if form < 0.15:
            return f"(SELECT k, j, s, v FROM {table} WHERE v < 4) AS {alias}"
        if form < 0.25:
            return f"(SELECT k, j, max(s) AS s, min(v) AS v FROM {table} GROUP BY k, j) AS {alias}"
        if form < 0.35:
            inner = f"SELECT x.k, y.j, x.s, y.v FROM {table} x, t0 y, t1 z WHERE x.k = y.j"
            self.ctes.append(f"c{number} AS ({inner} AND z.k = y.j AND z.v = 1)")
            return f"c{number} AS {alias}"
        return f"{table} AS {alias}"

    def joined(self, source: str, alias: str, where: list[str]) -> str:
        form = self.rng.random()
        known = self.aliases if form < 0.6 else self.joined_to
        equalities = [self.equality(alias, known) for _ in range(self.rng.randint(1, 2))]
        if form < 0.5:
            where += equalities
            self.joined_to = []
            return f", {source}"
        if form < 0.6:
            where += equalities
            return f" CROSS JOIN {source}"
        return f" JOIN {source} ON {' AND '.join(equalities)}"

    def equality(self, alias: str, known: list[str]) -> str:
        other = self.rng.choice(known)
        if self.rng.random() < 0.2:
            sides = [f"{alias}.s", f"{other}.s"]
        else:
            sides = [f"{alias}.{self.number()}", f"{other}.{self.number()}"]
        self.rng.shuffle(sides)
        return " = ".join(sides)

    def outer(self) -> str:
        sides = f"o.k = {self.rng.choice(self.joined_to)}.j"
        self.aliases.append("o")
        return f" LEFT JOIN {self.rng.choice(TABLES)} AS o ON {sides}"

    def number(self) -> str:
        return self.rng.choice("kjv")

    def condition(self) -> str:
        rng = self.rng
        a, b = rng.choice(self.aliases), rng.choice(self.aliases)
        table, number, n = rng.choice(TABLES), self.number(), rng.randint(0, 4)
        return rng.choice(
            [
                f"{a}.{number} {rng.choice(['=', '<', '>=', '<>'])} {n}",
                f"{a}.{number} = {b}.{self.number()}",
                f"{a}.k + 1 = {b}.j + 1",
                f"{a}.k < {b}.j + 2",
                f"({a}.k = {b}.k OR {a}.v = {n})",
                f"(({a}.k = {b}.j AND {a}.v > 1) OR ({a}.k = {b}.j AND {b}.v < 3))",
                f"{a}.s IS NOT NULL",
                f"{a}.s LIKE '%{n}'",
                f"{a}.k IN ({n}, 1)",
                f"{a}.k IN (SELECT k FROM {table} WHERE v < {n})",
                f"{a}.k IN (SELECT k FROM {table} GROUP BY k HAVING sum(v) > {n})",
                f"EXISTS (SELECT 1 FROM {table} e WHERE e.k = {a}.k)",
                f"{a}.v <= (SELECT max(e.v) FROM {table} e WHERE e.j = {a}.j)",
            ]
        )


def answer(database: Database, plan: QueryPlan) -> Counter[tuple[Any, ...]]:
    table = database.run(plan)
    return Counter(zip(*(column.to_pylist() for column in table.columns), strict=True))


def check(seed: int, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    database = make_database(rng, directory)
    moved = 0
    for _ in range(CASES):
        sql = Statement(rng).text()
        written = planned_without(database, sql, ["joins"], monkeypatch.setattr)
        ordered = database.query(sql)
        moved += program_of(ordered).query != program_of(written).query
        expected = answer(database, written)
        assert answer(database, ordered) == expected, f"seed {seed}: {sql}"
    assert moved > CASES // 2


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ordered_query_returns_the_same_rows(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(seed, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MORE_SEEDS)
def test_the_ordered_query_returns_the_same_rows_for_many_seeds(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(seed, tmp_path, monkeypatch)

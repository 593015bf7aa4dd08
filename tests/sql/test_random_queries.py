"""Random queries over random tables give what a live PostgreSQL gives.

`MOBULA_RANDOM_QUERIES=20000` tries that many (300 otherwise), `MOBULA_RANDOM_SEED=7` begins with
another batch. A batch has its own tables and fifty queries; the number of each failing query is
printed, and the smallest query of its batch that fails too. Where PostgreSQL raises an error, an
error of the same class is wanted. Skipped without the package `pgserver`.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import warehouse
from storage.errors import MobulaError
from tests.sql import postgresql
from tests.sql.comparison import difference, with_rounding
from tests.sql.random_queries import Generator, Query
from tests.sql.random_tables import table_statements
from warehouse import Database

BATCH = 50
SIZE_MAX = 5
ATTEMPTS_TO_SHRINK = 40  # per size
QUERIES = int(os.environ.get("MOBULA_RANDOM_QUERIES", "300"))
FIRST = int(os.environ.get("MOBULA_RANDOM_SEED", "0"))
BATCHES = range(FIRST, FIRST + -(-QUERIES // BATCH))


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.PostgreSQL]:
    if not postgresql.available():
        pytest.skip("the packages pgserver and psycopg are not installed")
    with postgresql.server() as running:
        yield running


def made(seed: str, size: int) -> Query:
    return Generator(random.Random(seed), size).query()


def apart(query: Query, db: Database, session: postgresql.Session) -> str | None:
    """How the two systems differ over a query."""
    expected = session.run(query.sql)
    if expected.error == "0A000" and "FULL JOIN is only supported" in expected.message:
        return None  # a side folded to a constant: it can neither hash nor merge that
    try:
        found = db.sql(query.sql).arrow()
    except MobulaError as error:
        if expected.error is not None and error.sqlstate[:2] == expected.error[:2]:
            return None
        return f"error {error.sqlstate} ({error}), PostgreSQL: {expected.error or 'none'}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if expected.error is not None:
        return f"no error, PostgreSQL: {expected.error}"
    rounded = with_rounding(query.sql)
    return difference(found, expected, rowsort=not query.ordered, rounded=rounded)


def smallest(batch: int, size: int, db: Database, session: postgresql.Session) -> str | None:
    """A failing query of a smaller size over the same tables, the shortest of those found."""
    for smaller in range(1, size + 1):
        tried = [made(f"{batch}:{smaller}:{n}", smaller) for n in range(ATTEMPTS_TO_SHRINK)]
        failing = [query.sql for query in tried if apart(query, db, session) is not None]
        if failing:
            return min(failing, key=len)
    return None


def test_queries_are_valid(server: postgresql.PostgreSQL) -> None:
    """The generator itself: PostgreSQL runs every query, but for errors in values."""
    with server.session() as session:
        for statement in table_statements(random.Random("valid")):
            assert session.run(statement).error is None, statement
        for number in range(100):
            query = made(f"valid:{number}", 1 + number % SIZE_MAX)
            error = session.run(query.sql).error
            assert error is None or error.startswith("22"), query.sql


@pytest.mark.parametrize("batch", BATCHES)
def test_answers_are_postgresqls(batch: int, server: postgresql.PostgreSQL, tmp_path: Path) -> None:
    sys.stdout.write(f"seed {batch}\n")
    failures: list[str] = []
    with (
        server.session() as session,
        warehouse.connect(str(tmp_path), engine="local") as db,
    ):
        for statement in table_statements(random.Random(batch)):
            assert session.run(statement).error is None, statement
            db.sql(statement)
        for number in range(BATCH):
            size = 1 + number % SIZE_MAX
            query = made(f"{batch}:{number}", size)
            wrong = apart(query, db, session)
            if wrong is not None:
                failures.append(f"{batch}:{number}: {wrong}\n  {query.sql}")
        shrunk = smallest(batch, SIZE_MAX - 1, db, session) if failures else None
    assert not failures, "\n".join([f"shrunk: {shrunk}", *failures])

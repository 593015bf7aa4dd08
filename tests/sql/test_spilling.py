"""Working on the disk changes no answer: of the corpus, of random queries, of TPC-H."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import warehouse
from storage.errors import MobulaError
from tests.spilling import SpillingPrograms
from tests.sql.comparison import difference, with_rounding
from tests.sql.logic_file import LogicFile, Record
from tests.sql.random_queries import Generator
from tests.sql.random_tables import table_statements
from tests.sql.test_against_postgresql import FILES, Databases
from tests.tpch import answer, assert_same
from warehouse import Database, tpch

FEATURES = (
    "aggregates/all",
    "aggregates/company",
    "grouping/company",
    "grouping/company_sets",
    "joins/company",
    "joins/company_types",
    "joins/kinds",
    "order/company",
    "select/all",
    "set_operations/company",
    "subqueries/company",
    "windows/company",
    "with/ctes",
)
EVERY = 3  # of so many queries `make test` asks one, `make test-all` all
CASES = [
    pytest.param(
        FILES[name],
        record,
        id=f"{name}.test:{record.line}",
        marks=[pytest.mark.slow] if number % EVERY else [],
    )
    for name in FEATURES
    if name in FILES
    for number, record in enumerate(FILES[name].records)
    if record.query
]
RANDOM_BATCHES = (0, *(pytest.param(batch, marks=pytest.mark.slow) for batch in range(1, 6)))
BATCH = 50
SIZE_MAX = 5


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    opened = Databases(tmp_path_factory.mktemp("corpus"))
    yield opened
    opened.close()


@pytest.fixture
def spilling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpillingPrograms]:
    programs = SpillingPrograms(tmp_path / "spill")
    with monkeypatch.context() as patch:
        programs.install(patch)
        yield programs
    programs.close()


def test_there_are_enough_queries() -> None:
    assert len(CASES) >= 300


@pytest.mark.parametrize(("file", "record"), CASES)
def test_the_corpus_has_its_recorded_answers(
    file: LogicFile, record: Record, databases: Databases, spilling: SpillingPrograms
) -> None:
    expected = record.ours or record.answer
    assert expected is not None
    databases.before(file, record)
    found = databases.outcome(record)
    if isinstance(found, MobulaError):
        assert found.sqlstate == expected.error, found
        return
    assert expected.error is None
    rounded = with_rounding(record.sql)
    apart = difference(found, expected, rowsort=record.rowsort, rounded=rounded)
    assert apart is None, f"{record.sql}\n{apart}"


@pytest.mark.parametrize("batch", RANDOM_BATCHES)
def test_random_queries_have_the_answers_that_they_have_in_memory(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.stdout.write(f"seed {batch}\n")
    programs = SpillingPrograms(tmp_path / "spill")
    with warehouse.connect(str(tmp_path / "db"), engine="local") as db:
        for statement in table_statements(random.Random(batch)):
            db.sql(statement)
        for number in range(BATCH):
            query = Generator(random.Random(f"{batch}:{number}"), 1 + number % SIZE_MAX).query()
            expected = outcome(db, query.sql, ordered=query.ordered)
            with monkeypatch.context() as patch:
                programs.install(patch)
                found = outcome(db, query.sql, ordered=query.ordered)
            assert found == expected, f"{batch}:{number}\n{query.sql}"
    programs.close()


def outcome(db: Database, sql: str, *, ordered: bool) -> Any:
    """Rows, or the class of the error: which of several rows in error is met first may differ."""
    try:
        rows = db.sql(sql).arrow()
    except MobulaError as error:
        return error.sqlstate[:2]
    plain = [[_plain(value) for value in column.to_pylist()] for column in rows.columns]
    found = [repr(row) for row in zip(*plain, strict=True)]
    return found if ordered else sorted(found)


def _plain(value: Any) -> Any:
    """Floats to the digits that do not depend on the order of a sum, and without the sign of 0."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(f"{value:.12g}") + 0.0 if isinstance(value, float) else value


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, tpch_directory: Path) -> Iterator[Database]:
    with warehouse.connect(str(tmp_path_factory.mktemp("tpch")), engine="local") as db:
        for statement in tpch.schema_sql(micropartition_rows=20_000):
            db.sql(statement)
        for table in tpch.TABLES:
            db.load(table, str(tpch_directory / f"{table}.parquet"))
        yield db


@pytest.mark.parametrize("number", tpch.queries())
def test_tpch_has_the_answers_of_duckdb(
    number: int, loaded: Database, spilling: SpillingPrograms
) -> None:
    assert_same(loaded.sql(tpch.queries()[number]).arrow(), answer(number))
    assert any(space.spilled_bytes for space in spilling.spaces)

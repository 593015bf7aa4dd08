"""The corpus in `tests/data/sql`: Mobula gives the recorded answers, and PostgreSQL gives them too.

One test per statement, named by its file and line. A file has a database of its own; when a test
runs alone, the statements before it that change something run first. The second half, one test per
file, needs the package `pgserver` and is skipped without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import warehouse
from storage.errors import MobulaError
from tests.sql import postgresql
from tests.sql.comparison import difference, same_answers, with_rounding
from tests.sql.logic_file import DIRECTORY, Answer, LogicFile, Record, files, read
from warehouse import Database

FILES = {file.name: file for file in map(read, files())}
CASES = [
    pytest.param(file, record, id=f"{file.name}.test:{record.line}")
    for file in FILES.values()
    for record in file.records
]
STATEMENTS_MIN = 3_100


class Databases:
    """One open database: that of the file whose statements are being tested."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = ""
        self._database: Database | None = None
        self._done: dict[int, pa.Table | MobulaError] = {}

    def before(self, file: LogicFile, record: Record) -> Database:
        """The file's database with every earlier statement run."""
        if self._database is None or self._file != file.name:
            self.close()
            path = self._directory / file.name.replace("/", "-")
            self._database, self._file, self._done = (
                warehouse.connect(str(path), engine="local"),
                file.name,
                {},
            )
        for earlier in file.all_records:
            if earlier is record:
                break
            if earlier.changes:
                self.outcome(earlier)
        return self._database

    def outcome(self, record: Record) -> pa.Table | MobulaError:
        """The rows of a statement or its error. It runs once."""
        assert self._database is not None
        if id(record) not in self._done:
            parameters = postgresql.python_parameters(record.parameters)
            try:
                self._done[id(record)] = self._database.sql(record.sql, parameters).arrow()
            except MobulaError as error:
                self._done[id(record)] = error
        return self._done[id(record)]

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    opened = Databases(tmp_path_factory.mktemp("corpus"))
    yield opened
    opened.close()


def test_the_corpus_is_whole() -> None:
    assert len(CASES) >= STATEMENTS_MIN
    for file in FILES.values():
        assert all(record.answer is not None for record in file.records), file.name


@pytest.mark.parametrize(("file", "record"), CASES)
def test_answer_is_the_recorded_one(file: LogicFile, record: Record, databases: Databases) -> None:
    expected = record.ours or record.answer
    assert expected is not None
    databases.before(file, record)
    found = databases.outcome(record)
    if isinstance(found, MobulaError):
        if expected.error is None:
            raise found
        assert found.sqlstate == expected.error, found
        return
    assert expected.error is None, f"{record.sql}\nexpected the error {expected.error}"
    if record.query:
        rounded = with_rounding(record.sql)
        apart = difference(found, expected, rowsort=record.rowsort, rounded=rounded)
        assert apart is None, f"{record.sql}\n{apart}"


# --- the recorded answers themselves --------------------------------------------------------------


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.PostgreSQL]:
    if not postgresql.available():
        pytest.skip("the packages pgserver and psycopg are not installed")
    with postgresql.server() as running:
        yield running


@pytest.mark.parametrize("name", FILES)
def test_recorded_answers_are_postgresqls(name: str, server: postgresql.PostgreSQL) -> None:
    apart: list[str] = []
    with server.session() as session:
        for record in FILES[name].all_records:
            found = session.run(record.sql, record.parameters)
            if not record.query:
                found = Answer(error=found.error)
            assert record.answer is not None
            if not same_answers(found, record.answer, rowsort=record.rowsort):
                apart.append(f"line {record.line}: {record.sql}\n  gives {found}")
    assert not apart, "\n".join(apart)


def test_included_files_exist() -> None:
    for file in FILES.values():
        assert all((DIRECTORY / name).is_file() for name in file.includes)

"""What queries are, before anything runs: names and types of their outputs, or their error.

`tests/data/binder/answers.txt` holds what PostgreSQL 16 says; with a PostgreSQL at hand it is asked
again. Where we differ on purpose, `DIFFERENCES` says how and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.sql import postgresql
from tests.unit.warehouse.binder.schema import ANSWERS, POSTGRESQL, answer

DIFFERENCES = {
    # The type of a variable in LIMIT is not looked at: it may not be there at all.
    "select a from t limit g": "42P10",
    # A field that no date has is found before a row is read.
    "select extract(nope from e) from t": "22023",
    # A row of a derived table has the derived table's name, and not that of all rows.
    "select q from (select 1 as z) q": "q q",
    # There is no type of types: names of types are texts.
    "select pg_typeof(a) from t": "pg_typeof text",
    # An interval's fields cut its value; its type does not show them.
    "select interval '1' year, interval '1 2' day to hour, date '2020-01-01',"
    " timestamp '2020-01-01 10:00', time '10:00'": "interval interval, interval interval,"
    " date date, timestamp timestamp without time zone, time time without time zone",
}


@pytest.mark.parametrize(("sql", "expected"), ANSWERS)
def test_outputs_and_errors_are_postgresqls(sql: str, expected: str) -> None:
    assert answer(sql) == DIFFERENCES.get(sql, expected)


def test_every_difference_is_one() -> None:
    recorded = dict(ANSWERS)
    assert all(recorded[sql] != ours for sql, ours in DIFFERENCES.items())


def test_many_rules_are_looked_at() -> None:
    assert len(ANSWERS) > 230
    assert len({expected for _, expected in ANSWERS if re.fullmatch(r"[0-9A-Z]{5}", expected)}) > 15


@pytest.fixture(scope="module")
def session() -> Iterator[postgresql.Session]:
    if not postgresql.available():
        pytest.skip("the packages pgserver and psycopg are not installed")
    with postgresql.server() as server, server.session() as found:
        for statement in POSTGRESQL:
            assert found.run(statement).error is None
        yield found


def test_recorded_answers_are_postgresqls(session: postgresql.Session) -> None:
    for sql, expected in ANSWERS:
        found = session.run(sql)
        columns = (f"{name} {re.sub(r'[(][0-9,]+[)]', '', kind)}" for name, kind in found.columns)
        assert (found.error or ", ".join(columns)) == expected, sql

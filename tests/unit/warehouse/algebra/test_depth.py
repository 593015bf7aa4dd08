"""Long chains run; what is nested past the limit is refused with PostgreSQL's SQLSTATE."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import warehouse
from storage.errors import InvalidRequest
from warehouse import Database


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with warehouse.connect("memory://depth", engine="local") as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT " + " + ".join(["1"] * 600), 600),
        ("SELECT " + "(" * 150 + "1" + ")" * 150, 1),
        ("SELECT count(*) FROM (" + " UNION ALL ".join(["SELECT 1"] * 300) + ") t", 300),
        ("SELECT " + "CASE WHEN true THEN " * 100 + "1" + " END" * 100, 1),
        ("SELECT count(*) FROM " + "(SELECT * FROM " * 60 + "(SELECT 1) a" + ") a" * 60, 1),
    ],
    ids=["sum", "parentheses", "union", "case", "derived tables"],
)
def test_what_people_and_tools_write_runs(db: Database, sql: str, value: int) -> None:
    assert db.sql(sql).scalar() == value


@pytest.mark.parametrize(
    "sql",
    ["SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "SELECT " + " + ".join(["1"] * 20_000)],
    ids=["parentheses", "sum"],
)
def test_what_is_deeper_is_refused(db: Database, sql: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        db.sql(sql)
    assert raised.value.sqlstate == "54001"
    assert db.sql("SELECT 1").scalar() == 1

"""A session: what goes with its statements, what it answers itself, and what it refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from storage.errors import InvalidRequest, MobulaError
from warehouse.algebra.expressions import Literal
from warehouse.session import SqlSession, Told


def told(session: SqlSession, sql: str) -> str:
    found = session.take(sql, ())
    assert isinstance(found, Told)
    return found.tag


def sent(session: SqlSession, sql: str, *parameters: Any) -> tuple[str, list[Any]]:
    found = session.take(sql, parameters)
    assert not isinstance(found, Told)
    text, values = found
    return text, [value.value if isinstance(value, Literal) else value for value in values]


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "  select 1", "-- x\nSELECT 1", "setting", "/* */ SHOW x"]
)
def test_other_statements_pass_as_they_are(sql: str) -> None:
    assert sent(SqlSession(), sql, 5) == (sql, [5])


def test_search_path_goes_with_every_statement() -> None:
    session = SqlSession()
    before = session.current.schema_path
    assert told(session, 'SET search_path TO a, "B", a, "$user"') == "SET"
    assert session.current.schema_path == ("a", "B")
    assert told(session, "RESET search_path") == "RESET"
    assert session.current.schema_path == before
    told(session, "SET search_path = x")
    told(session, "SET search_path TO DEFAULT")
    assert session.current.schema_path == before


def test_settings_are_kept_until_they_are_reset() -> None:
    session = SqlSession()
    told(session, "SET application_name = 'report'")
    told(session, "SET statement_timeout TO 0")
    assert session.current.settings == {"application_name": "report", "statement_timeout": "0"}
    told(session, "RESET application_name")
    assert session.current.settings == {"statement_timeout": "0"}
    told(session, "RESET ALL")
    assert session.current.settings == {}


@pytest.mark.parametrize(
    ("sql", "sqlstate", "message"),
    [
        ("SET nope = 1", "42704", 'unrecognized configuration parameter "nope"'),
        ("SET searchpath = a", "42704", "did you mean search_path?"),
        ("SET timezone = 'Europe/Berlin'", "0A000", "only utc is available"),
        ("SET DateStyle = German", "0A000", "only iso"),
        ("EXECUTE p", "26000", 'prepared statement "p" does not exist'),
        ("DEALLOCATE p", "26000", 'prepared statement "p" does not exist'),
        ("EXECUTE q", "26000", "did you mean q1?"),
        ("PREPARE q1 AS SELECT 2", "42P05", 'prepared statement "q1" already exists'),
        ("EXECUTE q1", "42601", "expected 1 but got 0"),
        ("EXECUTE q1 (1, 2)", "42601", "expected 1 but got 2"),
        ("EXECUTE q1 ('x')", "22P02", 'invalid input syntax for type integer: "x"'),
        ("EXECUTE q1 (a)", "42703", "column a does not exist"),
        ("EXECUTE q1 ((SELECT 1))", "42601", "EXECUTE takes constants"),
        ("SET warehouse = a, b", "22023", 'SET warehouse takes one name, found "a, b"'),
        ("SET warehous TO DEFAULT, x", "42601", "expected the end"),
        ("SET warehous = bi", "42704", "did you mean warehouse?"),
        (f"KILL {'(' * 20_000}", "54001", "nested too deeply"),
        ("PREPARE r (nope) AS SELECT 1", "42704", 'type "nope" does not exist'),
    ],
)
def test_refusals(sql: str, sqlstate: str, message: str) -> None:
    session = SqlSession()
    told(session, "PREPARE q1 (int) AS SELECT $1")
    with pytest.raises(MobulaError) as caught:
        session.take(sql, ())
    assert caught.value.sqlstate == sqlstate
    assert message in str(caught.value)


def test_a_prepared_statement_stands_for_its_text_and_values() -> None:
    session = SqlSession()
    assert told(session, "PREPARE p (bigint, text) AS SELECT $1, $2") == "PREPARE"
    assert sent(session, "EXECUTE p (1 + 2, 'a' || 'b')") == ("SELECT $1, $2", [3, "ab"])
    assert sent(session, "EXECUTE p ($1, NULL)", 7) == ("SELECT $1, $2", [7, None])
    told(session, "PREPARE untyped AS SELECT $1")
    assert sent(session, "EXECUTE untyped (1.50)") == ("SELECT $1", [Decimal("1.50")])
    assert told(session, "DEALLOCATE p") == "DEALLOCATE"
    assert told(session, "DEALLOCATE ALL") == "DEALLOCATE ALL"
    with pytest.raises(InvalidRequest):
        session.take("EXECUTE untyped (1)", ())


def test_functions_go_with_every_statement() -> None:
    session = SqlSession()
    session.register("twice", lambda x: x, ["bigint"], "bigint")
    (name,) = session.current.functions
    assert name == "twice"


@pytest.mark.parametrize(
    ("name", "kinds", "sqlstate"),
    [
        ("Upper Case", ["int"], "42602"),
        ("Twice", ["int"], "42602"),
        ("lower", ["int"], "42723"),
        ("twice", ["numeric"], "22023"),
        ("twice", ["nope"], "42704"),
        ("twice", ["int int"], "42601"),
    ],
)
def test_functions_that_are_refused(name: str, kinds: list[str], sqlstate: str) -> None:
    with pytest.raises(MobulaError) as caught:
        SqlSession().register(name, lambda x: x, kinds, "int")
    assert caught.value.sqlstate == sqlstate

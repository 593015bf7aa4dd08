"""SET, RESET, PREPARE, EXECUTE, DEALLOCATE: their trees, and what is none of them."""

from __future__ import annotations

import pytest

from storage.errors import NotYet, SqlSyntaxError
from tests.unit.warehouse.syntax.trees import shown
from warehouse.syntax.session_statements import SessionGrammar


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('SET search_path TO a, B, "C"', "SetSetting(name=search_path, values=[a, b, C])"),
        ("set search_path = 'x y'", "SetSetting(name=search_path, values=[x y])"),
        ("SET SESSION a.b = -5;", "SetSetting(name=a.b, values=[-5])"),
        ("SET x TO DEFAULT", "SetSetting(name=x, values=-)"),
        ("SET TIME ZONE 'UTC'", "SetSetting(name=timezone, values=[UTC])"),
        ("SET x = on", "SetSetting(name=x, values=[on])"),
        ("RESET x", "Reset(name=x)"),
        ("RESET ALL", "Reset(name=-)"),
        (
            "PREPARE p (int, numeric(5, 2)) AS SELECT $1, ';' ; ",
            "Prepare(name=p, types=[int4, numeric(5,2)], text=SELECT $1, ';' ; )",
        ),
        ("PREPARE p AS SELECT 1", "Prepare(name=p, types=[], text=SELECT 1)"),
        ("EXECUTE p (1, 'a' || 'b', -2)", "Execute(name=p, args=[1, ('a' || 'b'), -2])"),
        ("EXECUTE p", "Execute(name=p, args=[])"),
        ("EXECUTE p ()", "Execute(name=p, args=[])"),
        ("DEALLOCATE PREPARE p", "Deallocate(name=p)"),
        ("DEALLOCATE ALL", "Deallocate(name=-)"),
        ("-- first\n/* and */ ; RESET x", "Reset(name=x)"),
    ],
)
def test_statements_about_the_session(sql: str, expected: str) -> None:
    assert shown(SessionGrammar(sql).session_statement()) == expected


@pytest.mark.parametrize("sql", ["SELECT 1", "settle", '"set" x', "", ";", "SHOW x", "(SET x = 1)"])
def test_everything_else_is_none(sql: str) -> None:
    assert SessionGrammar(sql).session_statement() is None


@pytest.mark.parametrize(
    "sql",
    [
        "SET", "SET x", "SET x 5", "SET x =", "SET x = (1)", "SET x = 1 2", "RESET", "RESET x y",
        "PREPARE", "PREPARE p SELECT 1", "PREPARE p (nope AS SELECT 1", "EXECUTE", "EXECUTE p (1",
        "EXECUTE p (1) 2", "DEALLOCATE", "SET x = 1; SELECT 1",
    ],
)  # fmt: skip
def test_half_statements_are_syntax_errors(sql: str) -> None:
    with pytest.raises(SqlSyntaxError, match="line 1, column"):
        SessionGrammar(sql).session_statement()


@pytest.mark.parametrize("sql", ["SET LOCAL x = 1", "SET ROLE x"])
def test_what_comes_later_is_refused_by_name(sql: str) -> None:
    with pytest.raises(NotYet, match="SET"):
        SessionGrammar(sql).session_statement()

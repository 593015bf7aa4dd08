"""Quoting and `format`: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.quoting  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "quote_ident(text)": [
        (("foo",), "foo"), (("Foo",), '"Foo"'), (("select",), '"select"'), (('a"b',), '"a""b"'),
        (("",), '""'), (("_a$1",), '"_a$1"'), (("1a",), '"1a"'), (("é",), '"é"'),
        (("between",), '"between"'), (("name",), "name"), ((None,), None),
    ],
    "quote_literal(text)": [
        (("it's",), "'it''s'"), (("a\\b",), "E'a\\\\b'"), (("",), "''"), ((None,), None),
        (("a\\'b",), "E'a\\\\''b'"),
    ],
    "quote_literal(anyelement)": [
        ((1,), "'1'"), ((True,), "'true'"), ((1.5,), "'1.5'"),
    ],
    "quote_nullable(text)": [
        ((None,), "NULL"), (("it's",), "'it''s'"),
    ],
    "quote_nullable(anyelement)": [
        ((5,), "'5'"),
    ],
    "format(text)": [
        (("abc",), "abc"), (("100%%",), "100%"), ((None,), None),
        (("%s",), Fails("22023", "too few arguments for format()")),
        (("%",), Fails("22023", "unterminated format() type specifier")),
    ],
    "format(text,variadic any)": [
        (("Hello %s %I %L %%", "a", "Foo bar", "it's"), 'Hello a "Foo bar" \'it\'\'s\' %'),
        (("%2$s %1$s", "a", "b"), "b a"), (("|%10s|%-10s|", "a", "b"), "|         a|b         |"),
        (("|%*s|", 5, "a"), "|    a|"), (("|%*s|", -5, "a"), "|a    |"),
        (("|%-*s|", -5, "a"), "|a    |"), (("|%*1$s|", 5, "a"), "|    a|"),
        (("|%2$*1$s|", 5, "a"), "|    a|"),
        (("%I", None), Fails("22004", "null values cannot be formatted as an SQL identifier")),
        (("%L", None), "NULL"), (("%s", None), ""),
        (("%x", "a"), Fails("22023", 'unrecognized format() type specifier "x"')),
        (("%", "a"), Fails("22023", "unterminated format() type specifier")),
        (("%1$", "a"), Fails("22023", "unterminated format() type specifier")),
        (
            ("%0$s", "a"),
            Fails("22023", "format specifies argument 0, but arguments are numbered from 1"),
        ),
        (("%5", "a"), Fails("22023", "unterminated format() type specifier")), ((None, "a"), None),
        (("%s %s %1$s %s", "a", "b"), "a b a b"), (("%*s", None, "a"), "a"),
        (("%*s", "x", "a"), Fails("22P02", 'invalid input syntax for type integer: "x"')),
        (("%3$s", "a"), Fails("22023", "too few arguments for format()")),
        (("%s %s", "a"), Fails("22023", "too few arguments for format()")),
        (("%*1s", "a"), Fails("22023", 'width argument position must be ended by "$"')),
        (("%s|%s", True, 1.5), "t|1.5"), (("%-5s|%5I", "a", "B"), 'a    |  "B"'),
        (("%99999999999s", "a"), Fails("22003", "number is out of range")),
        (("%1$s %1$s", "z"), "z z"),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])

"""Texts into arrays and back: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.text_arrays  # noqa: F401 - registers what is tested
from storage.schema import ArrayType
from tests.unit.warehouse.functions.evaluation import Typed, check, check_together
from warehouse.algebra.types import BOOLEAN, DOUBLE, INTEGER, TEXT

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "string_to_array(text,text)": [
        (("a,b,,c", ","), ("a", "b", "", "c")), (("abc", None), ("a", "b", "c")),
        (("abc", ""), ("abc",)), (("", ","), ()), (("", ""), ()), (("", None), ()),
        ((None, ","), None), (("a||b", "||"), ("a", "b")), (("a", ","), ("a",)),
    ],
    "string_to_array(text,text,text)": [
        (("a,b,,c", ",", ""), ("a", "b", None, "c")), (("a,b", ",", None), ("a", "b")),
        (("ab", "", "ab"), (None,)), (("abc", None, "b"), ("a", None, "c")),
        (("a,NULL,b", ",", "NULL"), ("a", None, "b")),
    ],
    "string_to_table(text,text)": [
        (("a,b,,c", ","), ("a", "b", "", "c")), (("", ","), ()), (("abc", None), ("a", "b", "c")),
    ],
    "string_to_table(text,text,text)": [
        (("a,b,,c", ",", ""), ("a", "b", None, "c")),
    ],
    "array_to_string(anyarray,text)": [
        ((Typed(("a", None, "b"), ArrayType(TEXT)), ","), "a,b"),
        ((Typed((), ArrayType(TEXT)), ","), ""), ((Typed(("a",), ArrayType(TEXT)), None), None),
        ((Typed((True, False), ArrayType(BOOLEAN)), ","), "t,f"),
        ((Typed((1, None, 3), ArrayType(INTEGER)), "--"), "1--3"),
        ((Typed((1.5, 2e+20), ArrayType(DOUBLE)), ","), "1.5,2e+20"),
        ((Typed(None, ArrayType(TEXT)), ","), None), ((Typed((None,), ArrayType(TEXT)), ","), ""),
    ],
    "array_to_string(anyarray,text,text)": [
        ((Typed(("a", None, "b"), ArrayType(TEXT)), ",", "*"), "a,*,b"),
        ((Typed(("a", None), ArrayType(TEXT)), ",", None), "a"),
        ((Typed((1, None), ArrayType(INTEGER)), None, "x"), None),
        ((Typed((1, None), ArrayType(INTEGER)), "", "x"), "1x"),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])

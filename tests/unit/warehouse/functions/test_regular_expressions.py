"""The functions of regular expressions: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.regular_expressions  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "regexp_like(text,text)": [
        (("abc", "b"), True), (("abc", "x"), False),
        (("abc", "("), Fails("2201B", "invalid regular expression: parentheses () not balanced")),
    ],
    "regexp_like(text,text,text)": [
        (("ABC", "b", "i"), True), (("ABC", "b", "c"), False),
        (("ABC", "b", "ig"), Fails("22023", 'regexp_like() does not support the "global" option')),
        (("a", "a", "z"), Fails("22023", 'invalid regular expression option: "z"')),
        (("a\nb", "a.b", "n"), False), (("abc", "b", None), None),
    ],
    "regexp_match(text,text)": [
        (("foobarbequebaz", "(bar)(beque)"), ("bar", "beque")),
        (("foobarbequebaz", "barbeque"), ("barbeque",)), (("abc", "x"), None),
        (("abc", "(x)?b"), (None,)), (("aab", "(a|ab)(c|bcd)?"), ("a", None)),
        (("xabcy", "(ab|abc)(cy|y)"), ("abc", "y")), (("abcd", "(a*?)(.*)"), ("", "")),
        (("foo123", "([a-z]+)([0-9]+)"), ("foo", "123")), (("XY1234Z", "Y*([0-9]{1,3})"), ("123",)),
        (("XY1234Z", "Y*?([0-9]{1,3})"), ("1",)),
        (("abc01234xyz", "(?:(.*?)([0-9]+)(.*)){1,1}"), ("abc", "01234", "xyz")),
        (("abc01234xyz", "(.*)([0-9]+)(.*)"), ("abc0123", "4", "xyz")),
        (("abc01234xyz", "(.*?)([0-9]+)(.*)"), ("abc", "0", "")), (("aabb", "(a)\\1"), ("a",)),
        (("abab", "(?:(a)|b)*"), (None,)), ((None, "a"), None),
        (("https://a.b/c", "^(https?)://([^/]+)(/.*)$"), ("https", "a.b", "/c")),
    ],
    "regexp_match(text,text,text)": [
        (("ABC", "(b)", "i"), ("B",)),
        (("abc", "b", "g"), Fails("22023", 'regexp_match() does not support the "global" option')),
        (("abc", "b", "q"), ("b",)),
    ],
    "regexp_matches(text,text)": [
        (("foobarbequebaz", "(bar)(beque)"), (("bar", "beque"),)), (("abc", "x"), ()),
    ],
    "regexp_matches(text,text,text)": [
        (
            ("foobarbequebazilbarfbonk", "(b[^b]+)(b[^b]+)", "g"),
            (("bar", "beque"), ("bazil", "barf")),
        ),
        (("abc", "x*", "g"), (("",), ("",), ("",), ("",))),
        (("baac", "a*", "g"), (("",), ("aa",), ("",), ("",))),
        (("aXbx", "x", "gi"), (("X",), ("x",))), (("abc", "(x)|b", "g"), ((None,),)),
    ],
    "regexp_count(text,text)": [
        (("abcabc", "b"), 2), (("abc", ""), 4), (("baac", "a*"), 4), (("abc", "x"), 0),
        ((None, "x"), None), (("aaaa", "aa"), 2),
        (("abc", "["), Fails("2201B", "invalid regular expression: brackets [] not balanced")),
    ],
    "regexp_count(text,text,int4)": [
        (("abcabc", "b", 3), 1),
        (("abc", "b", 0), Fails("22023", 'invalid value for parameter "start": 0')),
        (("abc", "b", 10), 0), (("abc", "", 4), 1), (("abc", "", 5), 0),
    ],
    "regexp_count(text,text,int4,text)": [
        (("ABC", "b", 1, "i"), 1),
        (
            ("abc", "b", 1, "g"),
            Fails("22023", 'regexp_count() does not support the "global" option'),
        ),
    ],
    "regexp_instr(text,text)": [
        (("abcabc", "b"), 2), (("abc", "x"), 0), (("ééb", "b"), 3),
    ],
    "regexp_instr(text,text,int4)": [
        (("abcabc", "b", 3), 5), (("abc", "^b", 2), 0),
        (("abc", "b", -1), Fails("22023", 'invalid value for parameter "start": -1')),
    ],
    "regexp_instr(text,text,int4,int4)": [
        (("abcabc", "b", 1, 2), 5), (("abcabc", "b", 1, 3), 0),
        (("abcabc", "b", 1, 0), Fails("22023", 'invalid value for parameter "n": 0')),
    ],
    "regexp_instr(text,text,int4,int4,int4)": [
        (("abcabc", "b(c)", 1, 2, 1), 7),
        (("abcabc", "b(c)", 1, 2, 2), Fails("22023", 'invalid value for parameter "endoption": 2')),
    ],
    "regexp_instr(text,text,int4,int4,int4,text)": [
        (("ABC", "b", 1, 1, 0, "i"), 2),
        (
            ("ABC", "b", 1, 1, 0, "g"),
            Fails("22023", 'regexp_instr() does not support the "global" option'),
        ),
    ],
    "regexp_instr(text,text,int4,int4,int4,text,int4)": [
        (("abcabc", "b(c)", 1, 2, 0, "i", 1), 6), (("abcabc", "b(c)", 1, 2, 0, "i", 5), 0),
        (
            ("abcabc", "b(c)", 1, 2, 0, "i", -1),
            Fails("22023", 'invalid value for parameter "subexpr": -1'),
        ),
        (("abc", "b(x)?", 1, 1, 0, "", 1), 0),
    ],
    "regexp_substr(text,text)": [
        (("abcabc", "b(.)"), "bc"), (("abc", "x"), None), (("xabcdef", "a.*?d|ab"), "abcd"),
        (("aabb", "a+b*"), "aabb"),
    ],
    "regexp_substr(text,text,int4)": [
        (("abcabc", "b(.)", 3), "bc"),
        (("abc", "b", 0), Fails("22023", 'invalid value for parameter "start": 0')),
    ],
    "regexp_substr(text,text,int4,int4)": [
        (("abcabd", "b(.)", 1, 2), "bd"),
        (("abcabc", "b", 1, 0), Fails("22023", 'invalid value for parameter "n": 0')),
    ],
    "regexp_substr(text,text,int4,int4,text)": [
        (("ABC", "b", 1, 1, "i"), "B"),
    ],
    "regexp_substr(text,text,int4,int4,text,int4)": [
        (("abcabd", "b(.)", 1, 2, "i", 1), "d"), (("abcabc", "b(.)", 1, 1, "i", 4), None),
        (
            ("abcabc", "b(.)", 1, 1, "i", -1),
            Fails("22023", 'invalid value for parameter "subexpr": -1'),
        ),
    ],
    "substring(text,text)": [
        (("foobar", "o(.)b"), "o"), (("foobar", "o.b"), "oob"), (("foobar", "x"), None),
        (("foobar", "(x)?o"), None),
        (("abc", "("), Fails("2201B", "invalid regular expression: parentheses () not balanced")),
        ((None, "a"), None), (("abcd", ".*?c"), "abc"), (("abcd", "(a.*?)c.*"), "ab"),
    ],
    "substring(text,text,text)": [
        (("foobar", '%#"o_b#"%', "#"), "oob"), (("foobar", '#"%o_b#"%', "#"), "foob"),
        (("abcdefg", 'a#"%#"g', "#"), "bcdef"), (("abcdefg", 'a#"%#"x', "#"), None),
        (("abc", "a%", "#"), "abc"), (("abc", "a", "##"), Fails("22025", "invalid escape string")),
    ],
    "regexp_split_to_array(text,text)": [
        (("the quick  fox", "\\s+"), ("the", "quick", "fox")), (("abc", ""), ("a", "b", "c")),
        (("abc", "x*"), ("a", "b", "c")), (("", "b"), ("",)), (("bab", "b"), ("", "a", "")),
        (("a1b22c", "\\d+"), ("a", "b", "c")), (("baac", "a*"), ("b", "c")), ((None, "a"), None),
        (("abcd", "b|bc"), ("a", "d")),
    ],
    "regexp_split_to_array(text,text,text)": [
        (("aXbxc", "x", "i"), ("a", "b", "c")),
        (
            ("abc", "b", "g"),
            Fails("22023", 'regexp_split_to_array() does not support the "global" option'),
        ),
    ],
    "regexp_split_to_table(text,text)": [
        (("a,b,c", ","), ("a", "b", "c")), (("abc", ""), ("a", "b", "c")),
    ],
    "regexp_split_to_table(text,text,text)": [
        (("aXbxc", "x", "i"), ("a", "b", "c")),
        (
            ("abc", "b", "g"),
            Fails("22023", 'regexp_split_to_table() does not support the "global" option'),
        ),
    ],
    "regexp_replace(text,text,text)": [
        (("foobarbaz", "b..", "X"), "fooXbaz"), (("abc", "x", "y"), "abc"),
        (("abc", "b", "\\2x\\q"), "ax\\qc"), (("abc", "b", "$1"), "a$1c"),
        (("abc", "(b)", "[\\1\\&]"), "a[bb]c"), (("abc", "b", "\\\\"), "a\\c"),
        (("abc", "b", "\\"), "a\\c"), (("abc", "", "-"), "-abc"),
        (("aXb", "[[:upper:]]", ""), "ab"), ((None, "a", "b"), None), (("a", "a", None), None),
        (("abcd", "b(.*?)", "<\\1>"), "a<>cd"), (("xabcabcy", "(ab|abc)+", "-"), "x-y"),
    ],
    "regexp_replace(text,text,text,text)": [
        (("foobarbaz", "b(..)", "X\\1Y\\&\\\\", "g"), "fooXarYbar\\XazYbaz\\"),
        (("foobarbaz", "b..", "X", "gi"), "fooXX"), (("abc", "x*", "-", "g"), "-a-b-c-"),
        (("baac", "a*", "-", "g"), "-b--c-"),
        (("abc", "b", "X", "1"), Fails("22023", 'invalid regular expression option: "1"')),
        (("abc", "b", "X", "z"), Fails("22023", 'invalid regular expression option: "z"')),
        (("ABC", "b", "x", "i"), "AxC"), (("a.b.c", ".", "X", "gq"), "aXbXc"),
        (("a\nb\n", "^", "> ", "gn"), "> a\n> b\n> "),
        (("hello world", "(\\w+) (\\w+)", "\\2 \\1", ""), "world hello"),
        (("aaa", "a{2}", "b", "g"), "ba"),
        (("https://www.a.com/x", "^https?://(?:www\\.)?([^/]+)/.*$", "\\1", ""), "a.com"),
        (("abc", "(a)|(b)", "<\\1,\\2>", "g"), "<a,><,b>c"), (("a$b$", "$", "-", "gq"), "a-b-"),
    ],
    "regexp_replace(text,text,text,int4)": [
        (("A PostgreSQL function", "a|e|i|o|u", "X", 5), "A PostgrXSQL function"),
        (("abc", "b", "X", 0), Fails("22023", 'invalid value for parameter "start": 0')),
        (("abc", "b", "X", 10), "abc"),
    ],
    "regexp_replace(text,text,text,int4,int4)": [
        (("A PostgreSQL function", "a|e|i|o|u", "X", 1, 0), "A PXstgrXSQL fXnctXXn"),
        (("A PostgreSQL function", "a|e|i|o|u", "X", 1, 2), "A PostgrXSQL function"),
        (("abc", "b", "X", 1, -1), Fails("22023", 'invalid value for parameter "n": -1')),
    ],
    "regexp_replace(text,text,text,int4,int4,text)": [
        (("A PostgreSQL function", "a|e|i|o|u", "X", 1, 3, "i"), "A PostgrXSQL function"),
        (("abc", "b", "X", 1, 1, "g"), "aXc"),
        (("A PostgreSQL function", "a|e|i|o|u", "X", 1, 0, "i"), "X PXstgrXSQL fXnctXXn"),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])

"""LIKE, SIMILAR TO and the operators of regular expressions: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.patterns  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "~~(text,text)": [
        (("abc", "abc"), True), (("abc", "a%"), True), (("abc", "%c"), True),
        (("abc", "%b%"), True), (("abc", "a_c"), True), (("abc", "_"), False), (("abc", ""), False),
        (("", ""), True), (("", "%"), True), (("abc", "%"), True), (("abc", "a%c"), True),
        (("abc", "a%b%c"), True), (("abc", "%a%c%"), True), (("a%b", "a\\%b"), True),
        (("axb", "a\\%b"), False), (("a\\b", "a\\\\b"), True), (("abc", "abc\\"), False),
        (("abcd", "abc\\"), Fails("22025", "LIKE pattern must not end with escape character")),
        (("a.c", "a.c"), True), (("axc", "a.c"), False), (("a\nb", "a_b"), True),
        (("ABC", "abc"), False), (("É", "é"), False), (("héllo", "h_llo"), True),
        (("héllo", "H%O"), False), (("abc", "_b_"), True), (("abc", "%_"), True),
        (("a$b", "a$%"), True),
        (("abc", "ab\\"), Fails("22025", "LIKE pattern must not end with escape character")),
    ],
    "!~~(text,text)": [
        (("abc", "abc"), False), (("abc", "a%"), False), (("abc", "%c"), False),
        (("abc", "%b%"), False), (("abc", "a_c"), False), (("abc", "_"), True), (("abc", ""), True),
        (("", ""), False), (("", "%"), False), (("abc", "%"), False), (("abc", "a%c"), False),
        (("abc", "a%b%c"), False), (("abc", "%a%c%"), False), (("a%b", "a\\%b"), False),
        (("axb", "a\\%b"), True), (("a_b", "a\\_%"), False), (("a\\b", "a\\\\b"), False),
        (("abc", "abc\\"), True), (("abc", "\\a\\b\\c"), False), (("a.c", "a.c"), False),
        (("a\nb", "a_b"), False), (("a\nb", "a%b"), False), (("ABC", "abc"), True),
        (("ABC", "a%"), True), (("héllo", "h_llo"), False), (("héllo", "H%O"), True),
        (("a", None), None), (("ab", "a%b%b"), True), (("aXbX", "%x%x"), True),
        (("a$b", "a$%"), False),
        (("x", "\\"), Fails("22025", "LIKE pattern must not end with escape character")),
        (("", "\\"), True),
    ],
    "~~*(text,text)": [
        (("abc", "%c"), True), (("abc", "%b%"), True), (("abc", "a_c"), True),
        (("abc", "_"), False), (("abc", ""), False), (("", ""), True), (("", "%"), True),
        (("axb", "a\\%b"), False), (("a_b", "a\\_%"), True), (("a\\b", "a\\\\b"), True),
        (("abc", "abc\\"), False), (("a.c", "a.c"), True), (("axc", "a.c"), False),
        (("ABC", "abc"), True), (("ABC", "a%"), True), (("É", "é"), True), (("héllo", "H%O"), True),
        ((None, "a"), None), (("a", None), None), (("abc", "_b_"), True), (("abc", "%_"), True),
        (("ab", "a%b%b"), False), (("aXbX", "%x%x"), True), (("a$b", "a$%"), True),
        (("abc", "ab\\"), Fails("22025", "LIKE pattern must not end with escape character")),
        (("x", "\\"), Fails("22025", "LIKE pattern must not end with escape character")),
        (("", "\\"), False),
    ],
    "!~~*(text,text)": [
        (("abc", "abc"), False), (("abc", "a%"), False), (("abc", "a_c"), False),
        (("abc", ""), True), (("", ""), False), (("", "%"), False), (("abc", "%"), False),
        (("abc", "%%"), False), (("abc", "a%b%c"), False), (("abc", "%a%c%"), False),
        (("a%b", "a\\%b"), False), (("axb", "a\\%b"), True), (("a_b", "a\\_%"), False),
        (("a\\b", "a\\\\b"), False), (("abc", "abc\\"), True),
        (("abcd", "abc\\"), Fails("22025", "LIKE pattern must not end with escape character")),
        (("abc", "\\a\\b\\c"), False), (("a.c", "a.c"), False), (("a\nb", "a_b"), False),
        (("a\nb", "a%b"), False), (("ABC", "abc"), False), (("É", "é"), False),
        (("héllo", "h_llo"), False), (("héllo", "H%O"), False), (("a", None), None),
        (("abc", "%_"), False), (("aXbX", "%x%x"), False), (("a$b", "a$%"), False),
        (("abc", "ab\\"), Fails("22025", "LIKE pattern must not end with escape character")),
        (("", "\\"), True),
    ],
    "~~(bpchar,text)": [
        (("ab", "ab%"), True), (("ab", "ab   "), True), (("abcde", "abcde"), True),
        (("ab", "%"), True),
    ],
    "!~~(bpchar,text)": [
        (("ab", "ab"), True), (("ab", "ab%"), False), (("ab", "ab_%"), False),
        (("ab", "ab %"), False), (("abcde", "abcde"), False), (("ab", "%b"), True),
        (("ab", "a%"), False), (("ab", "%"), False),
    ],
    "~~*(bpchar,text)": [
        (("ab", "ab%"), True), (("ab", "ab   "), True), (("ab", "ab %"), True),
        (("abcde", "abcde"), True), (("ab", "%"), True),
    ],
    "like_escape(text,text)": [
        (("a#%b\\", "#"), "a\\%b\\\\"), (("a##b", "#"), "a\\#b"),
        (("abc", "##"), Fails("22025", "invalid escape string")), (("a\\%", "\\"), "a\\%"),
        (("a", None), None), (("a#", "#"), "a\\"),
    ],
    "~(text,text)": [
        (("abc", "b"), True), (("abc", "^b"), False), (("foo bar", "\\mbar\\M"), True),
        (("a1", "\\d"), True), (("a\nb", "a.b"), True), (("a\nb", "a$"), False),
        (("a\nb", "(?n)a$"), True), (("a\nb", "(?w)^b"), True), (("a\nb", "(?p)a.b"), False),
        (("abac", "(ab)\\1"), False), (("foobar", "foo(?=bar)"), True),
        (("foobaz", "foo(?!bar)"), True), (("foobar", "(?<=foo)bar"), True),
        (("xbar", "(?<!foo)bar"), True), (("aXb", "***:a.b"), True), (("abc", "(?i)B"), True),
        (("abc", "(?q)a.c"), False), (("a b c", "(?x)a\\ b # comment\n\\ c"), True),
        (("a", "(?#comment)a"), True), (("tel: 555-1234", "\\d{3}-\\d{4}"), True),
        (("aaa", "^a{2}$"), False), (("aaa", "^a{2,}$"), True), (("a{,3}", "^a{,3}$"), True),
        (("é", "[[:alpha:]]"), True), (("x1", "[[:digit:]]$"), True), (("-", "[a-]"), True),
        (("^", "[a^]"), True), (("\t", "[\\s]"), True), (("1", "[^\\D]"), True), (("", "^$"), True),
        (("abc", ""), True), (("a", "()"), True), (("a", "(|b)"), True), (("A", "\\101"), True),
        (("B", "\\y\\w\\y"), True), (("ab", "a\\Yb"), True),
        (("a", "*"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        (("a", "^*"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        (("a", "a**"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        (("a", "a{1"), Fails("2201B", "invalid regular expression: braces {} not balanced")),
        (
            ("a", "a{300}"),
            Fails("2201B", "invalid regular expression: invalid repetition count(s)"),
        ),
        (("a", "(a"), Fails("2201B", "invalid regular expression: parentheses () not balanced")),
        (("a", "[[:foo:]]"), Fails("2201B", "invalid regular expression: invalid character class")),
        (("a", "[z-a]"), Fails("2201B", "invalid regular expression: invalid character range")),
        (("a", "[a-c-e]"), Fails("2201B", "invalid regular expression: invalid character range")),
        (("a", "\\"), Fails("2201B", "invalid regular expression: invalid escape \\ sequence")),
        (("a", "\\q"), Fails("2201B", "invalid regular expression: invalid escape \\ sequence")),
        (("a", "(?z)a"), Fails("2201B", "invalid regular expression: invalid embedded option")),
        (("a", "\\1"), Fails("2201B", "invalid regular expression: invalid backreference number")),
        (
            ("a", "(a)\\2"),
            Fails("2201B", "invalid regular expression: invalid backreference number"),
        ),
        (("a", "(?i"), Fails("2201B", "invalid regular expression: invalid embedded option")),
        (
            ("a", "a{2,1}"),
            Fails("2201B", "invalid regular expression: invalid repetition count(s)"),
        ),
        (("a", "a+?+"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        (("a", "[]"), Fails("2201B", "invalid regular expression: brackets [] not balanced")),
        (("a", "(?=a)*"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        (
            ("a", "\\xfffffffff"),
            Fails("2201B", "invalid regular expression: invalid escape \\ sequence"),
        ),
        ((None, "a"), None), (("a", None), None),
    ],
    "~*(text,text)": [
        (("abc", "b"), True), (("abc", "^a.c$"), True), (("foo bar", "\\mbar\\M"), True),
        (("foobar", "\\mbar"), False), (("a1", "\\d"), True), (("a\nb", "a.b"), True),
        (("a\nb", "a$"), False), (("a\nb", "(?n)a$"), True), (("a\nb", "(?p)a.b"), False),
        (("abab", "(ab)\\1"), True), (("abac", "(ab)\\1"), False), (("xbar", "(?<!foo)bar"), True),
        (("a.b", "***=a.b"), True), (("aXb", "***:a.b"), True), (("abc", "(?i)B"), True),
        (("a", "(?#comment)a"), True), (("é", "[[:alpha:]]"), True), (("x1", "[[:digit:]]$"), True),
        (("-", "[a-]"), True), (("]", "[]]"), True), (("^", "[a^]"), True), (("abc", "a|x"), True),
        (("abc", ""), True), (("a", "()"), True), (("a", "(|b)"), True), (("a\\b", "a\\\\b"), True),
        (("A", "\\x41"), True), (("ab", "a\\Yb"), True), (("a b", "[[:<:]]b"), True),
        (("a", "^*"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        (("a", "a**"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        (("a", "a{1"), Fails("2201B", "invalid regular expression: braces {} not balanced")),
        (
            ("a", "a{300}"),
            Fails("2201B", "invalid regular expression: invalid repetition count(s)"),
        ),
        (("a", "[[:foo:]]"), Fails("2201B", "invalid regular expression: invalid character class")),
        (("a", "[a-c-e]"), Fails("2201B", "invalid regular expression: invalid character range")),
        (("a", "\\"), Fails("2201B", "invalid regular expression: invalid escape \\ sequence")),
        (("a", "\\q"), Fails("2201B", "invalid regular expression: invalid escape \\ sequence")),
        (
            ("a", "(a)\\2"),
            Fails("2201B", "invalid regular expression: invalid backreference number"),
        ),
        (("a", "(?i"), Fails("2201B", "invalid regular expression: invalid embedded option")),
        (
            ("a", "a{1}{2}"),
            Fails("2201B", "invalid regular expression: quantifier operand invalid"),
        ),
        (("a", "a+?+"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        (("a", "[]"), Fails("2201B", "invalid regular expression: brackets [] not balanced")),
        (("a", "(?=a)*"), Fails("2201B", "invalid regular expression: quantifier operand invalid")),
        ((None, "a"), None), (("a", None), None),
    ],
    "!~(text,text)": [
        (("abc", "b"), False), (("abc", "x"), True), ((None, "a"), None),
        (("a", "("), Fails("2201B", "invalid regular expression: parentheses () not balanced")),
    ],
    "!~*(text,text)": [
        (("ABC", "b"), False), (("abc", "x"), True),
    ],
    "similar_to_escape(text)": [
        (("a(b|c)+",), "^(?:a(?:b|c)+)$"), (("x.y^$",), "^(?:x\\.y\\^\\$)$"),
        (("abc",), "^(?:abc)$"), ((None,), None), (("a\\%b",), "^(?:a\\%b)$"),
        (("a{2}",), "^(?:a{2})$"),
    ],
    "similar_to_escape(text,text)": [
        (("abc", "##"), Fails("22025", "invalid escape string")), (("abc", ""), "^(?:abc)$"),
        (("abc", None), None), (("a\\b", "#"), "^(?:a\\\\b)$"),
    ],
    "~(bpchar,text)": [
        (("ab", "b$"), False), (("ab", "b *$"), True), (("abcde", "e$"), True),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])

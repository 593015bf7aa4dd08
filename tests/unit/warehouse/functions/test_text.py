"""Lengths, parts and concatenations of texts: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.text  # noqa: F401 - registers what is tested
from storage.schema import CharType
from tests.unit.warehouse.functions.evaluation import Fails, Typed, check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "||(text,text)": [
        (("a", "b"), "ab"), (("", "a"), "a"), (("a", None), None),
    ],
    "||(text,anynonarray)": [
        (("a", 1), "a1"), (("a", True), "atrue"), (("a", 1.5), "a1.5"), (("a", None), None),
    ],
    "||(anynonarray,text)": [
        ((1, "a"), "1a"), ((False, "é"), "falseé"),
    ],
    "length(text)": [
        (("",), 0), (("héllo",), 5), (("a😀b",), 3), ((None,), None),
    ],
    "char_length(text)": [
        (("",), 0), (("héllo",), 5), (("a😀b",), 3), ((None,), None),
    ],
    "character_length(text)": [
        (("",), 0), (("héllo",), 5), (("a😀b",), 3), ((None,), None),
    ],
    "octet_length(text)": [
        (("",), 0), (("héllo",), 6), (("a😀b",), 6), ((None,), None),
    ],
    "bit_length(text)": [
        (("",), 0), (("héllo",), 48), (("a😀b",), 48), ((None,), None),
    ],
    "length(bpchar)": [
        (("",), 0), (("hé",), 2), (("abcde",), 5), ((None,), None),
    ],
    "char_length(bpchar)": [
        (("",), 0), (("hé",), 2), (("abcde",), 5), ((None,), None),
    ],
    "octet_length(bpchar)": [
        (("",), 5), (("hé",), 6), (("abcde",), 5), ((None,), None),
    ],
    "substr(text,int4)": [
        (("hello", 2), "ello"), (("hello", 0), "hello"), (("hello", -5), "hello"),
        (("hello", 6), ""), (("", 1), ""), (("héllo", 3), "llo"), ((None, 1), None),
        (("a", None), None),
    ],
    "substr(text,int4,int4)": [
        (("hello", 2, 3), "ell"), (("hello", 0, 3), "he"), (("hello", -2, 3), ""),
        (("hello", -2, 5), "he"),
        (("hello", 2, -1), Fails("22011", "negative substring length not allowed")),
        (("hello", 10, 2), ""), (("hello", 2147483647, 2147483647), ""),
        (("hello", -2147483648, 2147483647), ""), (("hello", 3, 0), ""), (("hello", None, 1), None),
        (("hello", -2147483648, -1), Fails("22011", "negative substring length not allowed")),
    ],
    "substring(text,int4)": [
        (("hello", 2), "ello"), (("hello", 0), "hello"), (("hello", -5), "hello"),
        (("hello", 6), ""), (("", 1), ""), (("héllo", 3), "llo"), ((None, 1), None),
        (("a", None), None),
    ],
    "substring(text,int4,int4)": [
        (("hello", 2, 3), "ell"), (("hello", 0, 3), "he"), (("hello", -2, 3), ""),
        (("hello", -2, 5), "he"),
        (("hello", 2, -1), Fails("22011", "negative substring length not allowed")),
        (("hello", 10, 2), ""), (("hello", 2147483647, 2147483647), ""),
        (("hello", -2147483648, 2147483647), ""), (("hello", 3, 0), ""), (("hello", None, 1), None),
        (("hello", -2147483648, -1), Fails("22011", "negative substring length not allowed")),
    ],
    "left(text,int4)": [
        (("hello", 2), "he"), (("hello", -2), "hel"), (("hello", -20), ""), (("hello", 0), ""),
        (("hello", -2147483648), ""), (("hello", 2147483647), "hello"), (("héé", 2), "hé"),
        ((None, 2), None),
    ],
    "right(text,int4)": [
        (("hello", 2), "lo"), (("hello", -2), "llo"), (("hello", -20), ""), (("hello", 0), ""),
        (("hello", -2147483648), "hello"), (("hello", 2147483647), "hello"), (("héé", 2), "éé"),
        (("hello", -4), "o"),
    ],
    "lpad(text,int4)": [
        (("hi", 5), "   hi"), (("hello", 3), "hel"), (("hi", -1), ""), (("hé", 4), "  hé"),
        (("x", 2147483647), Fails("54000", "requested length too large")), ((None, 2), None),
    ],
    "rpad(text,int4)": [
        (("hi", 5), "hi   "), (("hello", 3), "hel"), (("hi", -1), ""), (("hé", 4), "hé  "),
        (("x", 0), ""),
    ],
    "lpad(text,int4,text)": [
        (("hi", 5, "xy"), "xyxhi"), (("hi", 5, ""), "hi"), (("hi", -5, "xy"), ""),
        (("hi", 6, "é"), "ééééhi"), (("hello", 3, "xy"), "hel"),
        (("hi", 2147483647, "xy"), Fails("54000", "requested length too large")),
        (("hi", 5, None), None), (("", 3, "abcd"), "abc"), (("hello", 3, ""), "hel"),
    ],
    "rpad(text,int4,text)": [
        (("hi", 5, "xy"), "hixyx"), (("hi", 5, ""), "hi"), (("hi", -5, "xy"), ""),
        (("hi", 6, "é"), "hiéééé"), (("hello", 3, "xy"), "hel"), (("", 3, "abcd"), "abc"),
    ],
    "btrim(text)": [
        (("  a b ",), "a b"), (("\t a ",), "\t a"), (("",), ""), (("   ",), ""), ((None,), None),
    ],
    "ltrim(text)": [
        (("  a b ",), "a b "), (("\ta",), "\ta"),
    ],
    "rtrim(text)": [
        (("  a b ",), "  a b"), (("a\n",), "a\n"),
    ],
    "btrim(text,text)": [
        (("xyxabcyx", "xy"), "abc"), (("abc", ""), "abc"), (("aaa", "a"), ""),
        (("abc", None), None), (("ééaé", "é"), "a"),
    ],
    "ltrim(text,text)": [
        (("zzytest", "xyz"), "test"), (("abc", ""), "abc"),
    ],
    "rtrim(text,text)": [
        (("testxxzx", "xyz"), "test"), (("a-b", "-b"), "a"),
    ],
    "strpos(text,text)": [
        (("high", "ig"), 2), (("héllo", "l"), 3), (("abc", ""), 1), (("", ""), 1), (("", "a"), 0),
        (("abc", "x"), 0), ((None, "a"), None), (("a", None), None), (("ééé", "é"), 1),
    ],
    "position(text,text)": [
        (("high", "ig"), 2), (("héllo", "l"), 3), (("abc", ""), 1), (("", ""), 1), (("", "a"), 0),
        (("abc", "x"), 0), ((None, "a"), None), (("a", None), None), (("ééé", "é"), 1),
    ],
    "starts_with(text,text)": [
        (("alphabet", "alph"), True), (("abc", ""), True), (("abc", "abcd"), False),
        ((None, "a"), None), (("", ""), True),
    ],
    "^@(text,text)": [
        (("alphabet", "alph"), True), (("abc", ""), True), (("abc", "abcd"), False),
        ((None, "a"), None), (("", ""), True),
    ],
    "replace(text,text,text)": [
        (("abcabc", "b", "XY"), "aXYcaXYc"), (("abcabc", "b", ""), "acac"),
        (("abc", "", "x"), "abc"), (("", "a", "x"), ""), (("a.b.c", ".", "$1"), "a$1b$1c"),
        (("aaa", "aa", "b"), "ba"), (("abc", None, "x"), None), (("abc", "b", None), None),
    ],
    "translate(text,text,text)": [
        (("12345", "143", "ax"), "a2x5"), (("abc", "aa", "xy"), "xbc"), (("abc", "", "xy"), "abc"),
        (("abc", "abc", ""), ""), (("héé", "é", "e"), "hee"), (("abc", None, ""), None),
        (("a", "b", "c"), "a"), (("abc", "ab", "bc"), "bcc"),
    ],
    "overlay(text,text,int4)": [
        (("abc", "XY", 2), "aXY"), (("abc", "XY", 10), "abcXY"),
        (("abc", "X", 0), Fails("22011", "negative substring length not allowed")),
        (("abc", "", 2), "abc"), (("abc", "é", 3), "abé"),
    ],
    "overlay(text,text,int4,int4)": [
        (("Txxxxas", "hom", 2, 4), "Thomas"), (("abc", "X", 1, -1), "Xabc"),
        (("abc", "X", 0, 1), Fails("22011", "negative substring length not allowed")),
        (("abc", "X", -1, 2), Fails("22011", "negative substring length not allowed")),
        (("abcdef", "XY", 5, -3), "abcdXYbcdef"), (("abc", "X", 10, 1), "abcX"),
        (("abc", "X", 2, 0), "aXbc"), (("abc", "X", 2, None), None),
    ],
    "split_part(text,text,int4)": [
        (("a,b,c", ",", 2), "b"), (("a,b,c", ",", -1), "c"),
        (("a,b,c", ",", 0), Fails("22023", "field position must not be zero")),
        (("a,b,c", ",", -4), ""), (("a,b,c", ",", 4), ""), (("a,b,c", ",", -2147483648), ""),
        (("abc", "", 1), "abc"), (("abc", "", -1), "abc"), (("abc", "", 2), ""), (("", ",", 1), ""),
        (("", "", 1), ""), (("a||b", "||", 2), "b"), ((None, ",", 1), None), ((",a", ",", 1), ""),
        (("a,", ",", -1), ""),
    ],
    "repeat(text,int4)": [
        (("ab", 3), "ababab"), (("ab", 0), ""), (("ab", -1), ""), (("", 5), ""),
        (("x", 2147483647), Fails("54000", "requested length too large")), (("é", 2), "éé"),
        ((None, 2), None), (("x", None), None),
    ],
    "concat(variadic any)": [
        (("a", None, True, 1.5), "at1.5"), ((None,), ""), (("a", "b", "c"), "abc"),
        ((1, "x", False), "1xf"), ((Typed("ab", CharType(5)), "|"), "ab   |"),
    ],
    "concat_ws(text,variadic any)": [
        ((",", "a", None, "b"), "a,b"), ((None, "a", "b"), None), ((",", None), ""),
        (("--", 1, True), "1--t"), (("", "a", "b"), "ab"), ((",", "", "a", ""), ",a,"),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])

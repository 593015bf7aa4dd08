"""Characters and their codes: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.text_codes  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import Fails, check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "ascii(text)": [
        (("",), 0), (("a",), 97), (("é",), 233), (("😀",), 128512), ((None,), None),
    ],
    "chr(int4)": [
        ((65,), "A"), ((233,), "é"), ((0,), Fails("54000", "null character not permitted")),
        ((-1,), Fails("22023", "character number must be positive")),
        ((1114112,), Fails("54000", "requested character too large for encoding: 1114112")),
        ((55296,), Fails("54000", "requested character not valid for encoding: 55296")),
        ((128512,), "😀"), ((None,), None), ((1114111,), "\U0010ffff"),
    ],
    "to_hex(int4)": [
        ((255,), "ff"), ((0,), "0"), ((-1,), "ffffffff"), ((2147483647,), "7fffffff"),
        ((-2147483648,), "80000000"), ((None,), None),
    ],
    "to_hex(int8)": [
        ((255,), "ff"), ((-1,), "ffffffffffffffff"), ((9223372036854775807,), "7fffffffffffffff"),
        ((-9223372036854775808,), "8000000000000000"),
    ],
    "unistr(text)": [
        (("\\0041b\\+00004a\\u0043\\U00000044\\\\x",), "AbJCD\\x"),
        (("\\zz",), Fails("42601", "invalid Unicode escape")), (("\\d800\\dc00",), "𐀀"),
        (("\\d800",), Fails("42601", "invalid Unicode surrogate pair")),
        (("\\d800x",), Fails("42601", "invalid Unicode surrogate pair")),
        (("\\dc00",), Fails("42601", "invalid Unicode surrogate pair")),
        (("\\0000",), Fails("22023", "invalid Unicode code point: 0000")),
        (("\\+110000",), Fails("22023", "invalid Unicode code point: 110000")), (("abc",), "abc"),
        (("",), ""), ((None,), None), (("\\",), Fails("42601", "invalid Unicode escape")),
        (("\\d800\\0041",), Fails("42601", "invalid Unicode surrogate pair")),
        (("\\004",), Fails("42601", "invalid Unicode escape")),
    ],
    "normalize(text)": [
        (("á",), "á"), (("ﬁ",), "ﬁ"), ((None,), None),
    ],
    "normalize(text,text)": [
        (("ﬁ", "NFKC"), "fi"), (("á", "NFD"), "á"), (("á", "NFKD"), "á"),
    ],
    "is_normalized(text,text)": [
        (("á", "NFC"), True), (("á", "NFD"), False), (("á", "NFC"), False),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])

"""Upper and lower case, texts backwards: what PostgreSQL 16 answers."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.text_case  # noqa: F401 - registers what is tested
from tests.unit.warehouse.functions.evaluation import check, check_together

# fmt: off
CASES: dict[str, list[tuple[tuple[Any, ...], Any]]] = {
    "lower(text)": [
        (("ÀÉÎ Straße",), "àéî straße"), (("İSTANBUL ΑΣ ΑΣΑ",), "istanbul ασ ασα"),
        (("ABCxyz",), "abcxyz"), (("",), ""), ((None,), None),
    ],
    "upper(text)": [
        (("straße ﬁ ŉ",), "STRAßE ﬁ ŉ"), (("abcXYZ éàü",), "ABCXYZ ÉÀÜ"), (("ΐ ı ſ",), "ΐ I S"),
        (("",), ""), ((None,), None),
    ],
    "initcap(text)": [
        (("hello wORLD",), "Hello World"), (("o'neil x-y 1ab _foo",), "O'Neil X-Y 1ab _Foo"),
        (("éa ßx über",), "Éa ßx Über"), (("",), ""), ((None,), None),
    ],
    "reverse(text)": [
        (("abc",), "cba"), (("aéb",), "b́ea"), (("",), ""), (("a\r\nb",), "b\n\ra"),
        (("👨\u200d👩\u200d👧x",), "x👧\u200d👩\u200d👨"), ((None,), None),
    ],
}
# fmt: on


@pytest.mark.parametrize("key", CASES)
def test_answers_are_postgresql_s(key: str) -> None:
    for args, expected in CASES[key]:
        check(key, args, expected)
    check_together(key, CASES[key])

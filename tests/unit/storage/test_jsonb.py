"""JSON is checked, and JSONB kept, as PostgreSQL 16 answers for the same texts."""

from __future__ import annotations

import pytest

from storage.errors import InvalidRequest
from storage.jsonb import check_json, normalise_jsonb


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("-0", "0"),
        ("-0.0", "0.0"),
        ("1.50e1", "15.0"),
        ("1e2", "100"),
        ("1E-3", "0.001"),
        ("0e999999", "0"),
        ("0.000e5", "0"),
        ("12345678901234567890123.450", "12345678901234567890123.450"),
        ("1e131071", "1" + "0" * 131_071),
        ("\tnull\n", "null"),
        ('{"a":1,"a":2}', '{"a": 2}'),
        (
            '{"bb":1,"c":2,"a":{"z":1,"y":[1, 2 ,3]}}',
            '{"a": {"y": [1, 2, 3], "z": 1}, "c": 2, "bb": 1}',
        ),
        ('{"é":1,"zz":2,"z":true}', '{"z": true, "zz": 2, "é": 1}'),
        ('"\\ud83d\\ude00"', '"\U0001f600"'),
        ('"\\u00e9\\n\\/\\b\\f\\u001f\x7f"', '"é\\n/\\b\\f\\u001f\x7f"'),
        ('"\\\\u0000"', '"\\\\u0000"'),
        ('{"": []}', '{"": []}'),
        ("[false, {}, []]", "[false, {}, []]"),
    ],
)
def test_jsonb_keeps_one_text_of_a_value(text: str, expected: str) -> None:
    check_json(text)
    assert normalise_jsonb(text) == expected
    assert normalise_jsonb(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "NaN",
        "-Infinity",
        "nul",
        "truefalse",
        "\x0cnull",
        "\u00a0null",
        "\ufeff1",
        "'a'",
        '"abc',
        '"a\nb"',
        '"\\x"',
        '"\\u12g4"',
        "[1,]",
        "{1:2}",
        '{"a":1 "b":2}',
        "[1] [2]",
        "1,2",
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    for function in (check_json, normalise_jsonb):
        with pytest.raises(InvalidRequest, match="invalid input syntax for type json") as caught:
            function(text)
        assert caught.value.sqlstate == "22P02"


@pytest.mark.parametrize(
    ("text", "sqlstate"),
    [
        ('"\\ud800"', "22P02"),
        ('{"\\ude00": 1}', "22P02"),
        ('"\\ud83d\\u0041"', "22P02"),
        ('"\\u0000"', "22P05"),
        ('[{"\\u0000": 1}]', "22P05"),
        ("1e131072", "22003"),
        ("1e-16384", "22003"),
        ("0e-20000", "22003"),
        ("1e99999999999999999999", "22003"),
    ],
)
def test_json_lets_pass_what_jsonb_cannot_keep(text: str, sqlstate: str) -> None:
    check_json(text)
    with pytest.raises(InvalidRequest) as caught:
        normalise_jsonb(text)
    assert caught.value.sqlstate == sqlstate


def test_nesting_has_a_limit() -> None:
    deep = "[" * 30_000 + "]" * 30_000
    for function in (check_json, normalise_jsonb):
        with pytest.raises(InvalidRequest, match="stack depth limit exceeded") as caught:
            function(deep)
        assert caught.value.sqlstate == "54001"

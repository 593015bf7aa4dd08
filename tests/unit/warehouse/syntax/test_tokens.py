"""The scanner: PostgreSQL's lexical rules, one by one."""

from __future__ import annotations

import random

import pytest

from storage.errors import SqlSyntaxError
from warehouse.syntax.tokens import scan


def tokens(text: str) -> list[tuple[str, str]]:
    found = scan(text)
    assert found[-1].kind == "end"
    return [(token.kind, token.value) for token in found[:-1]]


def values(text: str) -> list[str]:
    return [value for _, value in tokens(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Hello", "word", "hello"),
        ("ÜBER", "word", "Über"),  # only ASCII letters fold
        ("_a1$", "word", "_a1$"),
        ("é", "word", "é"),
        ('"Hello"', "name", "Hello"),
        ('"a""b"', "name", 'a"b'),
        ('"a.b c"', "name", "a.b c"),
        (r'U&"d\0061t\+000061"', "name", "data"),
        ("''", "string", ""),
        ("'it''s'", "string", "it's"),
        (r"'a\nb'", "string", r"a\nb"),
        (r"E'a\nb\t\\\'\x41\101\u0042\U00000043'", "string", "a\nb\t\\'AABC"),
        (r"e'\q'", "string", "q"),
        (r"U&'\0041\+000042\\'", "string", "AB\\"),
        ("N'x'", "string", "x"),
        ("'a'\n  'b'", "string", "ab"),
        ("'a' -- comment\n'b'", "string", "ab"),
        ("$$it's $1 $$", "string", "it's $1 "),
        ("$tag$a$$b$tag$", "string", "a$$b"),
        ("X'1fA0'", "bytes", "1fA0"),
        ("b'101'", "bits", "101"),
        ("42", "number", "42"),
        ("4.2", "number", "4.2"),
        (".5", "number", ".5"),
        ("5.", "number", "5."),
        ("1e10", "number", "1e10"),
        ("1.5E-3", "number", "1.5E-3"),
        ("1_000", "number", "1000"),
        ("0xFF_ff", "number", "0xFFff"),
        ("0o17", "number", "0o17"),
        ("0b1_0", "number", "0b10"),
        ("$1", "parameter", "1"),
        ("$name", "parameter", "name"),
        (":name", "parameter", "name"),
        ("!=", "operator", "<>"),
        ("->>", "operator", "->>"),
        ("::", "operator", "::"),
        (":=", "operator", ":="),
        ("=>", "operator", "=>"),
    ],
)
def test_one_token(text: str, kind: str, value: str) -> None:
    assert tokens(text) == [(kind, value)]
    (token, _) = scan(text)
    assert (token.start, token.end) == (0, len(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a -- x\nb", ["a", "b"]),
        ("a /* x */ b", ["a", "b"]),
        ("a /* x /* y */ z */ b", ["a", "b"]),
        ("a--b", ["a"]),
        ("a+--b\nc", ["a", "+", "c"]),
        ("a+/*b*/c", ["a", "+", "c"]),
        ("a*-1", ["a", "*", "-", "1"]),
        ("a<-1", ["a", "<", "-", "1"]),
        ("a@-1", ["a", "@-", "1"]),
        ("a=-b", ["a", "=", "-", "b"]),
        ("1..2", ["1", "..", "2"]),
        ("a.b", ["a", ".", "b"]),
        ("a::b", ["a", "::", "b"]),
        ("a[1:b]", ["a", "[", "1", ":", "b", "]"]),
        ("a[:b]", ["a", "[", ":", "b", "]"]),
        ("'a' 'b'", ["a", "b"]),
        ("e'a'\n'\\b'", ["a\b"]),
        ("x'41", None),
        ("a$b$c", ["a$b$c"]),
        ("1+1", ["1", "+", "1"]),
        ("a\t\r\n\f\vb", ["a", "b"]),
    ],
)
def test_several_tokens(text: str, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(SqlSyntaxError):
            scan(text)
    else:
        assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a", "line 1, column 1: unterminated quoted string"),
        ("select 'a''", "line 1, column 8: unterminated quoted string"),
        (r"E'a\'", "unterminated quoted string"),
        ('\n "a', "line 2, column 2: unterminated quoted identifier"),
        ('""', "zero-length delimited identifier"),
        ("$$a", "unterminated dollar-quoted string"),
        ("$a$ $b$", "unterminated dollar-quoted string"),
        ("/* a /* b */", r"unterminated /\* comment"),
        ("1a", "trailing junk after numeric literal"),
        ("1.5x", "trailing junk"),
        ("0x1g", "trailing junk"),
        ("1__0", "trailing junk"),
        ("1e", "trailing junk"),
        (r"E'\u0000'", "invalid Unicode escape"),
        (r"E'\ud800'", "invalid Unicode surrogate pair"),
        (r"U&'\d800'", "invalid Unicode surrogate pair"),
        ("\\", "no meaning"),
        ("a \x00 b", "no meaning"),
    ],
)
def test_what_does_not_scan(text: str, message: str) -> None:
    with pytest.raises(SqlSyntaxError, match=message) as caught:
        scan(text)
    assert caught.value.sqlstate == "42601"


def test_tokens_cover_the_text_in_order() -> None:
    rng = random.Random(11)
    pieces = ["a", '"b c"', "'d''e'", "12.5", "$1", "<=", "(", ")", ",", "::", "$$x$$", "E'\\n'"]
    for _ in range(300):
        chosen = [rng.choice(pieces) for _ in range(rng.randint(1, 12))]
        text = " /* c */ ".join(chosen)
        found = scan(text)[:-1]
        assert [text[token.start : token.end] for token in found] == chosen

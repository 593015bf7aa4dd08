"""The text of a SQL/JSON path as tokens, by the lexical rules of PostgreSQL's jsonpath.

Kinds of tokens: `word` (also a keyword, in its own spelling), `string`, `variable`, `number`,
`integer` (a number of decimal digits alone), `operator`, `end`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from storage.errors import InvalidRequest

__all__ = ["Token", "syntax_error", "tokens"]

_PUNCTUATION = re.escape("!#$%&()*+,-./:<=>?@[]{|}")
_PLAIN = rf'[^{_PUNCTUATION}\\" \t\n\r\f]'
_BLANK = re.compile(r"(?:[ \t\n\r\f]|/\*.*?\*/)+", re.DOTALL)
_OPERATOR = re.compile(rf"&&|\|\||\*\*|<=|<>|==|!=|>=|[{_PUNCTUATION}]")
_WORD = re.compile(rf"(?:{_PLAIN}|\\(?:u\{{[0-9A-Fa-f]{{1,6}}\}}|.))+", re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_VARIABLE = re.compile(rf'\$(?:({_PLAIN}+)|"((?:[^"\\]|\\.)*)")', re.DOTALL)
_DIGITS = r"[0-9](?:_?[0-9])*"
_INTEGER = r"(?:0|[1-9](?:_?[0-9])*)"
_NUMBER = re.compile(
    rf"0[xX](?:_?[0-9A-Fa-f])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+"
    rf"|(?:{_INTEGER}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?"
)
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL
)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BASES = {"x": 16, "o": 8, "b": 2}


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `text` as it stands, or what it means for words, strings and variables."""

    kind: str
    text: str
    at: int
    number: Decimal | None = None


def syntax_error(text: str, at: int, problem: str = "syntax error") -> InvalidRequest:
    """The error for the place `at`."""
    if at >= len(text):
        return InvalidRequest(f"{problem} at end of jsonpath input", "42601")
    return InvalidRequest(f'{problem} at or near "{text[at : at + 20]}" of jsonpath input', "42601")


def tokens(text: str) -> list[Token]:
    """All tokens, and one of the kind `end`. Raises InvalidRequest (42601)."""
    found: list[Token] = []
    at = 0
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if at == len(text):
            return [*found, Token("end", "", at)]
        token, at = _next(text, at)
        found.append(token)


def _next(text: str, at: int) -> tuple[Token, int]:
    if text.startswith("/*", at):
        raise syntax_error(text, len(text), "unexpected end of comment")
    if found := _VARIABLE.match(text, at):
        name = found[1] if found[2] is None else _decoded(found[2], text, at)
        return Token("variable", name, at), found.end()
    if found := _NUMBER.match(text, at):
        end = found.end()
        if re.compile(rf"{_PLAIN}|\\").match(text, end):
            raise syntax_error(text, at, "trailing junk after numeric literal")
        kind = "integer" if found[0].isdigit() else "number"
        return Token(kind, found[0], at, _number(found[0], text, at)), end
    if found := _STRING.match(text, at):
        return Token("string", _decoded(found[1], text, at), at), found.end()
    if found := _OPERATOR.match(text, at):
        return Token("operator", found[0], at), found.end()
    if found := _WORD.match(text, at):
        word = _decoded(found[0], text, at)
        return Token("word", word, at), found.end()
    if text[at] == '"':
        raise syntax_error(text, len(text), "unterminated quoted string")
    raise syntax_error(text, at)


def _number(word: str, text: str, at: int) -> Decimal:
    digits = word.replace("_", "")
    base = _BASES.get(digits[1:2].lower())
    if base is not None:
        return Decimal(int(digits[2:], base))
    if digits[:1] == "0" and digits[1:2].isdigit():
        raise syntax_error(text, at, "trailing junk after numeric literal")
    return Decimal(digits)


def _decoded(body: str, text: str, at: int) -> str:
    """The characters that a string with escapes means."""
    if "\\" not in body:
        return body

    def character(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2] or escape[3]
        if code is None:
            letter = escape[4]
            if letter == "u":
                raise syntax_error(text, at, "invalid Unicode escape sequence")
            if letter == "x":
                raise syntax_error(text, at, "invalid hexadecimal character sequence")
            return _CONTROLS.get(letter, letter)
        if int(code, 16) == 0:
            raise InvalidRequest(
                "unsupported Unicode escape sequence: \\u0000 cannot be converted to text", "22P05"
            )
        if int(code, 16) > 0x10FFFF:
            raise syntax_error(text, at, "invalid Unicode escape sequence")
        return chr(int(code, 16))

    made = _ESCAPE.sub(character, body)
    try:  # pairs of surrogates are one character
        return made.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise InvalidRequest(
            "invalid input syntax for type jsonpath: Unicode low surrogate must follow a high"
            " surrogate",
            "22P02",
        ) from None

"""The scanner: SQL text as tokens, by PostgreSQL's lexical rules.

Source: PostgreSQL documentation, 4.1 Lexical Structure. Strings are standard-conforming (a
backslash is a character) except E'…'; U&'…' and dollar-quoted strings are known, string literals
on adjacent lines are one literal, comments nest. An operator is the longest run of operator
characters, but ends before a comment and, unless it holds one of `~ ! @ # % ^ & | ?`, does not end
in + or -.
"""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from storage.errors import InvalidRequest, SqlSyntaxError
from warehouse.syntax.place import syntax_error

__all__ = ["Token", "scan"]


class Token(NamedTuple):
    """One token.

    `kind`: "word" (unquoted name or keyword; `value` folded to lower case), "name" (quoted name),
    "string", "bytes" (X'…'), "bits" (B'…'), "number", "parameter" ($1, $name, :1, :name; `value`
    without the sign), "operator" (also punctuation), "end".
    """

    kind: str
    value: str
    start: int
    end: int


_BINDING = set("~!@#%^&|`?")  # an operator that holds one of these may end in + or -

_PATTERN = re.compile(
    r"""
    (?P<space>[ \t\r\n\f\v]+)
  | (?P<line>--[^\n]*)
  | (?P<block>/\*)
  | (?P<string>(?:[eE]|[nN]|[xX]|[bB]|[uU]&)?')
  | (?P<quoted>(?:[uU]&)?")
  | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)
  | (?P<parameter>\$(?:[0-9]+|[A-Za-z_][A-Za-z0-9_]*))
  | (?P<number>0[xX](?:_?[0-9a-fA-F])+ | 0[oO](?:_?[0-7])+ | 0[bB](?:_?[01])+
      | (?:[0-9](?:_?[0-9])*)?\.[0-9](?:_?[0-9])*(?:[eE][+-]?[0-9](?:_?[0-9])*)?
      | [0-9](?:_?[0-9])*(?:\.(?!\.))?(?:[eE][+-]?[0-9](?:_?[0-9])*)?)
  | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
  | (?P<cast>::) | (?P<assign>:=) | (?P<dots>\.\.)
  | (?P<named>:(?:[0-9]+|[A-Za-z_][A-Za-z0-9_]*))
  | (?P<operator>[-+*/<>=~!@\#%^&|`?]+)
  | (?P<self>[,()\[\].;:])
    """,
    re.VERBOSE,
)
_ASCII_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_COMMENT = re.compile(r"/\*|\*/")
_CONTINUED = re.compile(r"[ \t\f\v]*(?:--[^\n]*)?[\r\n](?:\s|--[^\n]*[\r\n])*'")
_UESCAPE = re.compile(r"(?:\s|--[^\n]*\n)*[uU][eE][sS][cC][aA][pP][eE](?:\s|--[^\n]*\n)*'([^'])'")
_NO_ESCAPES = set("0123456789abcdefABCDEF+'\" \t\n\r\f\v")
_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def scan(text: str) -> list[Token]:
    """All tokens, comments left out; the last one is "end".

    Raises SqlSyntaxError (42601) for an unfinished string, name or comment and for a character
    that begins nothing.
    """
    tokens: list[Token] = []
    position, length, brackets = 0, len(text), 0
    while position < length:
        found = _PATTERN.match(text, position)
        if found is None:
            raise syntax_error(text, position, "this character has no meaning here")
        kind, end = found.lastgroup, found.end()
        if kind == "word":
            tokens.append(Token("word", _folded(found[0]), position, end))
        elif kind in ("space", "line"):
            pass
        elif kind in ("block", "string", "quoted", "dollar"):
            end = _enclosed(text, found, tokens)
        elif kind == "operator":
            value = _operator(found[0])
            end = position + len(value)
            tokens.append(Token("operator", "<>" if value == "!=" else value, position, end))
        elif kind == "number":
            _check_number(text, end)
            tokens.append(Token("number", found[0].replace("_", ""), position, end))
        elif kind == "named" and brackets:  # the colon of a slice
            end = position + 1
            tokens.append(Token("operator", ":", position, end))
        elif kind in ("parameter", "named"):
            tokens.append(Token("parameter", found[0][1:], position, end))
        else:
            brackets += {"[": 1, "]": -1}.get(found[0], 0)
            tokens.append(Token("operator", found[0], position, end))
        position = end
    tokens.append(Token("end", "", length, length))
    return tokens


def _folded(word: str) -> str:
    """In lower case, but only the letters of ASCII, as PostgreSQL does with UTF-8."""
    return word.lower() if word.isascii() else word.translate(_ASCII_LOWER)


def _enclosed(text: str, found: re.Match[str], tokens: list[Token]) -> int:
    """A comment, string or quoted name from its opening on; where it ends."""
    start, opening = found.start(), found[0]
    match found.lastgroup:
        case "block":
            return _block_end(text, start)
        case "string":
            return _string(text, start, opening[:-1].lower(), tokens)
        case "quoted":
            return _quoted(text, start, opening[:-1], tokens)
        case _:
            close = text.find(opening, found.end())
            if close < 0:
                raise syntax_error(text, start, "unterminated dollar-quoted string")
            end = close + len(opening)
            tokens.append(Token("string", text[found.end() : close], start, end))
            return end


def _check_number(text: str, end: int) -> None:
    if end < len(text) and (text[end].isalpha() or text[end] == "_"):
        raise syntax_error(text, end, "trailing junk after numeric literal")


def _operator(run: str) -> str:
    for mark in ("--", "/*"):
        cut = run.find(mark)
        if cut > 0:
            run = run[:cut]
    while len(run) > 1 and run[-1] in "+-" and not _BINDING.intersection(run):
        run = run[:-1]
    return run


def _block_end(text: str, start: int) -> int:
    depth, position = 0, start
    while True:
        found = _COMMENT.search(text, position)
        if found is None:
            raise syntax_error(text, start, "unterminated /* comment")
        depth += 1 if found[0] == "/*" else -1
        position = found.end()
        if depth == 0:
            return position


def _string(text: str, start: int, prefix: str, tokens: list[Token]) -> int:
    body, position = [], start + len(prefix) + 1
    while True:
        close = _quote_end(text, position, start, escapes=prefix == "e")
        body.append(text[position:close].replace("''", "'"))
        following = _CONTINUED.match(text, close + 1)
        if following is None:
            break
        position = following.end()
    value = "".join(body)
    if prefix == "e":
        value = _unescape(value, text, start)
    end = close + 1
    if prefix == "u&":
        value, end = _unicode(value, text, start, end)
    kind = {"x": "bytes", "b": "bits"}.get(prefix, "string")
    tokens.append(Token(kind, value, start, end))
    return end


def _quote_end(text: str, position: int, start: int, *, escapes: bool) -> int:
    while True:
        close = text.find("'", position)
        if close < 0:
            raise syntax_error(text, start, "unterminated quoted string")
        if escapes:
            slash = text.find("\\", position, close)
            if slash >= 0:
                position = slash + 2
                continue
        if text[close + 1 : close + 2] != "'":
            return close
        position = close + 2


def _unescape(value: str, text: str, start: int) -> str:
    """E'…' with its escapes read. Octal and hexadecimal ones are bytes of UTF-8.

    Raises SqlSyntaxError; InvalidRequest (22025, and 22021: these bytes are no UTF-8).
    """
    parts: list[str | bytes] = []
    place = 0
    for found in _ESCAPE.finditer(value):
        parts += [value[place : found.start()], _escaped(found, text, start)]
        place = found.end()
    parts.append(value[place:])
    encoded = b""
    for raw, run in itertools.groupby((p for p in parts if p), lambda p: isinstance(p, bytes)):
        if raw:
            encoded += b"".join(run)  # type: ignore[arg-type]
        else:
            encoded += _paired("".join(run), text, start).encode()  # type: ignore[arg-type]
    return _decoded(encoded)


def _escaped(found: re.Match[str], text: str, start: int) -> str | bytes:
    if found[1] or found[2]:
        byte = int(found[1], 8) & 0xFF if found[1] else int(found[2], 16)
        return bytes((byte,))
    if found[5] in ("u", "U"):
        raise InvalidRequest("invalid Unicode escape: write \\uXXXX or \\UXXXXXXXX", "22025")
    code = found[3] or found[4]
    return _unit(int(code, 16), text, start) if code else _ESCAPED.get(found[5], found[5])


def _decoded(encoded: bytes) -> str:
    try:
        value = encoded.decode()
        wrong = b"\0" if "\0" in value else b""
    except UnicodeDecodeError as error:
        value, wrong = "", encoded[error.start : error.end]
    if wrong:
        shown = " ".join(f"0x{byte:02x}" for byte in wrong)
        raise InvalidRequest(f'invalid byte sequence for encoding "UTF8": {shown}', "22021")
    return value


def _unicode(value: str, text: str, start: int, end: int) -> tuple[str, int]:
    """U&'…' with its escapes read, and where it ends: UESCAPE may say another escape character."""
    escape = "\\"
    said = _UESCAPE.match(text, end)
    if said is not None:
        escape, end = said[1], said.end()
        if escape in _NO_ESCAPES:
            raise syntax_error(text, start, "invalid Unicode escape character")
    mark = re.escape(escape)
    pattern = rf"{mark}(?:({mark})|\+([0-9a-fA-F]{{6}})|([0-9a-fA-F]{{4}})|)"
    units: list[str] = []
    place = 0
    for found in re.finditer(pattern, value):
        units.append(value[place : found.start()])
        place = found.end()
        code = found[2] or found[3]
        if found[1] is None and code is None:
            raise syntax_error(text, start, "invalid Unicode escape")
        units.append(escape if code is None else _unit(int(code, 16), text, start))
    units.append(value[place:])
    return _paired("".join(units), text, start), end


def _unit(code: int, text: str, start: int) -> str:
    """A character, or half of a pair of surrogates."""
    return chr(code) if 0xD800 <= code < 0xE000 else _character(code, text, start)


def _paired(value: str, text: str, start: int) -> str:
    """Pairs of surrogates as the characters that they mean."""
    if value.isascii():
        return value
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise syntax_error(text, start, "invalid Unicode surrogate pair") from None


def _character(code: int, text: str, start: int) -> str:
    if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise syntax_error(text, start, "invalid Unicode escape value")
    return chr(code)


def _quoted(text: str, start: int, prefix: str, tokens: list[Token]) -> int:
    position = start + len(prefix) + 1
    while True:
        close = text.find('"', position)
        if close < 0:
            raise syntax_error(text, start, "unterminated quoted identifier")
        if text[close + 1 : close + 2] != '"':
            break
        position = close + 2
    value = text[start + len(prefix) + 1 : close].replace('""', '"')
    if not value:
        raise SqlSyntaxError("zero-length delimited identifier")
    end = close + 1
    if prefix:
        value, end = _unicode(value, text, start, end)
    tokens.append(Token("name", value, start, end))
    return end

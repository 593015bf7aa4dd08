"""Bracket expressions and escapes of single characters, the lexical half of the grammar."""

from __future__ import annotations

from storage.errors import InvalidRequest
from warehouse.functions.regex.nodes import Chars

__all__ = ["CLASSES", "bracket", "escaped_character", "invalid"]

CLASSES = frozenset(
    [
        "alpha",
        "alnum",
        "digit",
        "space",
        "upper",
        "lower",
        "punct",
        "cntrl",
        "graph",
        "print",
        "blank",
        "xdigit",
        "word",
    ]
)

_PLAIN = {
    "a": 0x07,
    "b": 0x08,
    "B": ord("\\"),
    "e": 0x1B,
    "f": 0x0C,
    "n": 0x0A,
    "r": 0x0D,
    "t": 0x09,
    "v": 0x0B,
}
_HEXADECIMAL = {"u": 4, "U": 8}
_SHORTHANDS = {"d": "digit", "s": "space", "w": "word", "D": "^digit", "S": "^space", "W": "^word"}
_CODE_MAX = 0x10FFFF


def invalid(what: str) -> InvalidRequest:
    """The error of a malformed expression."""
    return InvalidRequest(f"invalid regular expression: {what}", "2201B")


def escaped_character(text: str, at: int) -> tuple[int, int]:
    """The code point that the escape at `at` (a backslash) stands for, and where it ends."""
    letter = text[at + 1 : at + 2]
    if not letter:
        raise invalid("invalid escape \\ sequence")
    if not letter.isalnum() or not letter.isascii():
        return ord(letter), at + 2
    if letter in _PLAIN:
        return _PLAIN[letter], at + 2
    if letter == "c" and at + 2 < len(text):
        return ord(text[at + 2]) & 0x1F, at + 3
    if letter in _HEXADECIMAL:
        return _digits(text, at + 2, 16, _HEXADECIMAL[letter], _HEXADECIMAL[letter])
    if letter == "x":
        return _digits(text, at + 2, 16, 1, 255)
    if letter.isdigit():
        return _digits(text, at + 1, 8, 1, 3)
    raise invalid("invalid escape \\ sequence")


def _digits(text: str, at: int, base: int, low: int, high: int) -> tuple[int, int]:
    allowed = "0123456789abcdefABCDEF" if base == 16 else "01234567"
    end = at
    while end < len(text) and end - at < high and text[end] in allowed:
        end += 1
    if end - at < low:
        raise invalid("invalid escape \\ sequence")
    code = int(text[at:end], base)
    if code > _CODE_MAX:
        raise invalid("invalid escape \\ sequence")
    return code, end


def bracket(text: str, at: int) -> tuple[Chars, int]:
    """The set that begins at `at` (a `[`), and where it ends."""
    at += 1
    negated = text[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[int, int]] = []
    classes: list[str] = []
    first = True
    while first or text[at : at + 1] != "]":
        if at >= len(text):
            raise invalid("brackets [] not balanced")
        item, at = _item(text, at, first)
        first = False
        if isinstance(item, str):
            classes.append(item)
            continue
        end = item
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("]", ""):
            last, at = _item(text, at + 1, first=True)
            if isinstance(last, str) or last < item:
                raise invalid("invalid character range")
            end = last
        ranges.append((item, end))
    return Chars(tuple(ranges), tuple(classes), negated), at + 1


def _item(text: str, at: int, first: bool) -> tuple[int | str, int]:
    """A character or the name of a class."""
    two = text[at : at + 2]
    if two in ("[:", "[.", "[="):
        end = text.find(f"{two[1]}]", at + 2)
        if end < 0:
            raise invalid("brackets [] not balanced")
        name = text[at + 2 : end]
        if two == "[:":
            if name not in CLASSES:
                raise invalid("invalid character class")
            return name, end + 2
        if len(name) != 1:
            raise invalid("invalid collating element")
        return ord(name), end + 2
    if two[:1] == "\\":
        shorthand = _SHORTHANDS.get(two[1:])
        if shorthand is not None:
            return shorthand, at + 2
        return escaped_character(text, at)
    if two[:1] == "-" and not first and text[at + 1 : at + 2] != "]":
        raise invalid("invalid character range")
    return ord(two[0]), at + 1

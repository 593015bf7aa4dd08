"""The pictures of `to_char` and `to_number` for numbers, `FM999G990D00MI`, taken apart.

After PostgreSQL's `formatting.c`, whose notes on what a picture means these are:

- `pre` and `post` count the digits before and behind the point, `multi` those behind a V;
- the places of zeros: from `zero_start` (counted from 1; 0: none) to `zero_end`;
- `locale_sign`: where an S writes the sign, anchored to the number: before or behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from storage.errors import InvalidRequest

__all__ = ["NumberPicture", "number_picture", "tokens"]

_KEYWORDS = (
    *(",", ".", "0", "9", "B", "C", "D", "EEEE", "FM", "G", "L", "MI", "PL", "PR", "RN"),
    *("SG", "SP", "S", "TH", "V"),
)
_SPELLINGS = tuple(dict.fromkeys((*_KEYWORDS, *(word.lower() for word in _KEYWORDS))))


@dataclass(slots=True)
class NumberPicture:
    """What a picture asks for. `nodes`: (keyword or text, is it a keyword?)."""

    nodes: list[tuple[str, bool]] = field(default_factory=list)
    pre: int = 0
    post: int = 0
    multi: int = 0
    zero_start: int = 0
    zero_end: int = 0
    sign_place: str = ""  # of S: "", "before", "behind"
    sign_after_digits: int = 0
    decimal: bool = False
    zero: bool = False
    blank: bool = False
    fill: bool = False
    locale_sign: bool = False
    minus: bool = False
    plus: bool = False
    bracket: bool = False
    roman: bool = False
    shifts: bool = False
    exponent: bool = False
    plain: re.Match[str] | None = None


# Digits with or without separators of thousands, `999,990.00`: see `number_formats`. With FM only
# if no digit behind the point may go.
_PLAIN = re.compile(
    r"(?P<fill>FM)?(?:(?P<grouped>9{1,3}(?:[,G]999)*[,G]99[90])|(?:9*[90]))(?:[.D](?:0+|(?P<nines>9+)))?"
)


def tokens(text: str, spellings: tuple[str, ...]) -> list[tuple[str, bool]]:
    """Keywords and single characters; text in double quotes is characters only."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(text):
        word = next((word for word in spellings if text.startswith(word, at)), None)
        if word is not None:
            found.append((word, True))
            at += len(word)
        elif text[at] == '"':
            at = _quoted(text, at + 1, found)
        else:
            at += text.startswith('\\"', at)
            found.append((text[at], False))
            at += 1
    return found


def _quoted(text: str, at: int, found: list[tuple[str, bool]]) -> int:
    while at < len(text) and text[at] != '"':
        at += text[at] == "\\" and at + 1 < len(text)
        found.append((text[at], False))
        at += 1
    return at + 1


@lru_cache(maxsize=512)
def number_picture(text: str) -> NumberPicture:
    """The picture of a text. Raises InvalidRequest (42601) as PostgreSQL does."""
    picture = NumberPicture()
    for word, keyword in tokens(text, _SPELLINGS):
        if keyword:
            _add(picture, word.upper())
        picture.nodes.append((word, keyword))
    plain = _PLAIN.fullmatch(text)
    if plain is not None and not (plain["fill"] and plain["nines"]):
        picture.plain = plain
    return picture


def _refuse(message: str) -> InvalidRequest:
    return InvalidRequest(message, "42601")


def _add(picture: NumberPicture, word: str) -> None:
    if picture.exponent and word != "EEEE":
        raise _refuse('"EEEE" must be the last pattern used')
    match word:
        case "9" | "0":
            _digit(picture, word)
        case "B":
            picture.blank = not (picture.pre or picture.post or picture.zero)
        case "D" | ".":
            if picture.decimal:
                raise _refuse("multiple decimal points")
            if picture.shifts:
                raise _refuse('cannot use "V" and decimal point together')
            picture.decimal = True
        case "FM":
            picture.fill = True
        case "S" | "MI" | "PL" | "SG" | "PR":
            _sign(picture, word)
        case "RN":
            picture.roman = True
        case "V":
            if picture.decimal:
                raise _refuse('cannot use "V" and decimal point together')
            picture.shifts = True
        case "EEEE":
            _exponent(picture)


def _digit(picture: NumberPicture, word: str) -> None:
    if picture.bracket:
        raise _refuse(f'"{word}" must be ahead of "PR"')
    if word == "9" and picture.shifts:
        picture.multi += 1
        return
    if word == "0" and not picture.zero and not picture.decimal:
        picture.zero = True
        picture.zero_start = picture.pre + 1
    if picture.decimal:
        picture.post += 1
    else:
        picture.pre += 1
    if word == "0":
        picture.zero_end = picture.pre + picture.post


def _sign(picture: NumberPicture, word: str) -> None:
    if word == "PR":
        if picture.locale_sign or picture.plus or picture.minus:
            raise _refuse('cannot use "PR" and "S"/"PL"/"MI"/"SG" together')
        picture.bracket = True
        return
    if word != "S":
        if picture.locale_sign:
            raise _refuse(f'cannot use "S" and "{word}" together')
        picture.minus = picture.minus or word != "PL"
        picture.plus = picture.plus or word != "MI"
        return
    if picture.locale_sign:
        raise _refuse('cannot use "S" twice')
    if picture.plus or picture.minus or picture.bracket:
        raise _refuse('cannot use "S" and "PL"/"MI"/"SG"/"PR" together')
    picture.locale_sign = True
    picture.sign_place = "behind" if picture.decimal else "before"
    picture.sign_after_digits = picture.pre


def _exponent(picture: NumberPicture) -> None:
    if picture.exponent:
        raise _refuse('cannot use "EEEE" twice')
    signs = picture.locale_sign or picture.bracket or picture.minus or picture.plus
    if signs or picture.blank or picture.fill or picture.roman or picture.shifts:
        raise _refuse('"EEEE" is incompatible with other formats')
    picture.exponent = True

"""The pictures of `to_char` and `to_number` for numbers, `FM999G990D00MI`, as what they mean.

After the table of patterns in PostgreSQL's manual (9.8, "Data Type Formatting Functions"), and what
PostgreSQL answers where the manual is silent:

1. a text is words, in upper or lower case, and other characters, which stand for themselves;
2. some words do not go together, or not in this order: `_RULES`;
3. the rest is the parts of the picture in order, of which the digits and the point are the *places*
   of a number, and a few counts of these places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from storage.errors import InvalidRequest

__all__ = ["PLACES", "NumberPicture", "Part", "number_picture"]

PLACES = frozenset("90.")

_WORDS = (*"90.,BCDGLV", "EEEE", "FM", "MI", "PL", "PR", "RN", "SG", "SP", "S", "TH")
_SPELLINGS = "|".join(map(re.escape, (*_WORDS, *map(str.lower, _WORDS))))
_TOKEN = re.compile(
    rf'(?P<word>{_SPELLINGS})|"(?P<quoted>(?:\\.|[^"])*)"?|\\(?P<quote>")|(?P<other>.)', re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SYNONYMS = {"D": ".", "d": ".", "G": ",", "g": ",", "th": "th", "rn": "rn"}
# They change how other parts are shown, or nothing.
_SILENT = frozenset(("B", "C", "EEEE", "FM", "PR", "S", "SP", "V"))


class Part(NamedTuple):
    """A word, or if that is empty a text that stands for itself."""

    word: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NumberPicture:
    """What a picture asks for.

    Attributes:
        parts: what has a place in the text, in order. Words are in upper case, but for `th` and
            `rn`; a D is ".", a G is ",".
        words: all words, in upper case.
        whole: places before the point, and behind a V.
        zeros_from: so many of them may be blank, the others are zeros at least.
        fraction: places behind the point.
        kept: so many of them stay with FM although they are zeros.
        shift: places behind a V: the number is shown times this power of ten.
        sign_leads: does an S show the sign ahead of the number, or behind it?
        point, fill, ordinal, roman, exponent: is there a point, FM, TH, RN, EEEE?
    """

    parts: tuple[Part, ...]
    words: frozenset[str]
    whole: int
    zeros_from: int
    fraction: int
    kept: int
    shift: int
    sign_leads: bool
    point: bool
    fill: bool
    ordinal: bool
    roman: bool
    exponent: bool


@lru_cache(maxsize=512)
def number_picture(text: str) -> NumberPicture:
    """The picture of a text. Raises InvalidRequest (42601) for words that do not go together."""
    parts = list(_parts(text))
    words = [part.word.upper() for part in parts if part.word]
    _check(words)
    ahead, behind = _split(words, ".")
    shift = _split(words, "V")[1].count("9")
    whole, fraction = _digits(ahead), _digits(behind)
    # Of numbers with a point there are no ordinals.
    point = "." in words
    silent = _SILENT | {"TH"} if point else _SILENT
    return NumberPicture(
        parts=tuple(part for part in parts if part.word.upper() not in silent),
        words=frozenset(words),
        whole=len(whole) + shift,
        zeros_from=whole.index("0") if "0" in whole else len(whole) + shift,
        fraction=len(fraction),
        kept=len(fraction.rstrip("9")),
        shift=shift,
        sign_leads="S" in ahead and len(_digits(_split(words, "S")[0])) < len(whole) + shift,
        point=point,
        fill="FM" in words,
        ordinal="TH" in words and not point,
        roman="RN" in words,
        exponent="EEEE" in words,
    )


def _parts(text: str) -> Iterator[Part]:
    for token in _TOKEN.finditer(text):
        kind, found = token.lastgroup, token[token.lastgroup or 0]
        if kind == "word":
            yield Part(_SYNONYMS.get(found, found.upper()), found)
        elif kind == "quoted":
            yield Part("", _ESCAPED.sub(r"\1", found))
        else:
            yield Part("", found)


def _split(words: Sequence[str], word: str) -> tuple[Sequence[str], Sequence[str]]:
    """Those ahead of the first such word, and the rest."""
    at = words.index(word) if word in words else len(words)
    return words[:at], words[at:]


def _digits(words: Sequence[str]) -> str:
    """Nines and zeros, without nines behind a V: of these only the number counts."""
    plain, shifted = _split(words, "V")
    return "".join(filter("90".__contains__, (*plain, *filter("0".__eq__, shifted))))


_SHIFTED_POINT = 'cannot use "V" and decimal point together'
# These words, if one of those is ahead of them: what is said then.
_RULES = (
    (" ".join(set(_WORDS) - {"EEEE"}), "EEEE", '"EEEE" must be the last pattern used'),
    ("EEEE", "EEEE", 'cannot use "EEEE" twice'),
    ("EEEE", "S PL MI SG PR B FM RN V", '"EEEE" is incompatible with other formats'),
    ("9 0", "PR", '"{}" must be ahead of "PR"'),
    (".", ".", "multiple decimal points"),
    (".", "V", _SHIFTED_POINT),
    ("V", ".", _SHIFTED_POINT),
    ("S", "S", 'cannot use "S" twice'),
    ("S", "PL MI SG PR", 'cannot use "S" and "PL"/"MI"/"SG"/"PR" together'),
    ("PL MI SG", "S", 'cannot use "S" and "{}" together'),
    ("PR", "S PL MI SG", 'cannot use "PR" and "S"/"PL"/"MI"/"SG" together'),
)
_CLASHES = {
    word: [
        (frozenset(others.split()), message.format(word))
        for words, others, message in _RULES
        if word in words.split()
    ]
    for word in _WORDS
}


def _check(words: Sequence[str]) -> None:
    ahead: set[str] = set()
    for word in words:
        for others, message in _CLASHES[word]:
            if not others.isdisjoint(ahead):
                raise InvalidRequest(message, "42601")
        # A B behind a digit means nothing.
        if word != "B" or ahead.isdisjoint("90"):
            ahead.add(word)

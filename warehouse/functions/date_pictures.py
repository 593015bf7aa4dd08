"""The pictures of `to_char`, `to_date` and `to_timestamp`, `FMMonth DDth, YYYY`, taken apart.

A picture is a row of nodes: patterns, each with its FM or TM in front and its TH behind, and single
characters between them. One regular expression finds the next node; the longest pattern that fits
wins (`HH24` over `HH`). The patterns are those of the PostgreSQL manual, 9.8, "Template Patterns
for Date/Time Formatting": all in capitals or all in small letters, some also as `Month`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["MONTHS", "ROMAN_MONTHS", "SEPARATORS", "WEEKDAYS", "Node", "date_picture"]

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
ROMAN_MONTHS = ("XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I")

_BLANKS = " \t\n\v\f\r"
SEPARATORS = frozenset(_BLANKS + "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")

_HALVES = ("AM", "PM", "A.M.", "P.M.", "AD", "BC", "A.D.", "B.C.")
_NAMES = (*_HALVES, "MONTH", "MON", "DAY", "DY", "RM", "TZ")  # written in the pattern's case
_CAPITALISED = ("Month", "Mon", "Day", "Dy")
_NUMBERS = (
    *("Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "I", "CC", "Q", "MM", "WW", "W"),
    *("IW", "DDD", "IDDD", "DD", "D", "ID", "J", "HH", "HH12", "HH24", "MI", "SS", "MS", "US"),
    *("FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "SSSS", "SSSSS", "TZH", "TZM", "OF"),
)
_WORDS = (*_NAMES, *_NUMBERS, "FX")


def _any_of(words: Iterable[str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(re.escape(word) for word in longest_first)


_NODE = re.compile(
    rf"""
    (?P<prefix> FM | fm | TM | tm )?
    (?:
        (?P<pattern> {_any_of((*_WORDS, *map(str.lower, _WORDS), *_CAPITALISED))} )
        (?P<suffix> TH | th | SP )?
    |
        " (?P<quoted> (?: \\. | [^"] )* ) "?
    |
        (?: \\ (?=") )?
        (?P<character> . )
    )?
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Node:
    """`kind`: "pattern", "separator" (a blank or a sign between fields) or "character".

    `text`: as written; `word`: a pattern in capitals, but names and half-days as written, since
    their case matters. `fill` is FM, `translated` TM, `suffix` TH or th.
    """

    kind: str
    text: str
    word: str = ""
    fill: bool = False
    translated: bool = False
    suffix: str = ""


@lru_cache(maxsize=512)
def date_picture(text: str) -> tuple[Node, ...]:
    """The nodes of a picture."""
    return tuple(node for found in _NODE.finditer(text) for node in _nodes(found))


def _nodes(found: re.Match[str]) -> list[Node]:
    if found["pattern"]:
        return [_pattern(found)]
    if found["quoted"]:
        return [Node("character", each) for each in _ESCAPED.sub(r"\1", found["quoted"])]
    character = found["character"]
    if character:
        return [Node("separator" if character in SEPARATORS else "character", character)]
    return []


def _pattern(found: re.Match[str]) -> Node:
    text, prefix, suffix = found["pattern"], (found["prefix"] or "").upper(), found["suffix"] or ""
    return Node(
        "pattern",
        text,
        text if text.upper() in _NAMES else text.upper(),
        fill=prefix == "FM",
        translated=prefix == "TM",
        suffix="" if suffix == "SP" else suffix,  # SP is in the manual, but does nothing
    )

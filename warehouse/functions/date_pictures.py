"""The pictures of `to_char`, `to_date` and `to_timestamp`, `FMMonth DDth, YYYY`, taken apart.

A node is a pattern (with its FM prefix and TH suffix), a separator, a blank or another character.
The lists are those of PostgreSQL's `formatting.c`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

__all__ = ["MONTHS", "ROMAN_MONTHS", "WEEKDAYS", "Node", "civil", "date_picture", "julian"]

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
ROMAN_MONTHS = ("XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I")

_UPPER = (
    *("A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "Day", "Dy", "D"),
    *("FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW"),
    *("IYYY", "IYY", "IY", "I", "J", "MI", "MM", "MONTH", "MON", "MS", "Month", "Mon", "OF"),
    *("P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W"),
    *("Y,YYY", "YYYY", "YYY", "YY", "Y"),
)
_WORDS = tuple(dict.fromkeys((*_UPPER, *(word.lower() for word in _UPPER))))
_HALVES = ("A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "P.M.", "PM")
_SPELLED = ("DAY", "DY", "MONTH", "MON", "RM", "TZ")
_CASED = frozenset(
    word
    for name in (*_HALVES, *_SPELLED)
    for word in (name, name.lower(), name.capitalize())
    if word in _WORDS
)
_NOT_DIGITS = frozenset(
    (*_HALVES, *_SPELLED, "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "FX", "OF", "TZH")
)


@dataclass(frozen=True, slots=True)
class Node:
    """`kind`: "pattern", "separator", "blank" or "character".

    `text`: as written; `word`: a pattern in capitals, but names and half-days as written, since
    their case matters. `prefix` is FM or TM, `suffix` TH or th.
    """

    kind: str
    text: str
    word: str = ""
    fill: bool = False
    translated: bool = False
    suffix: str = ""

    @property
    def digits(self) -> bool:
        """Does the pattern stand for digits?"""
        return self.kind == "pattern" and self.text.upper() not in _NOT_DIGITS


@lru_cache(maxsize=512)
def date_picture(text: str) -> tuple[Node, ...]:
    """The nodes of a picture."""
    nodes: list[Node] = []
    at = 0
    while at < len(text):
        prefix = next((p for p in ("FM", "fm", "TM", "tm") if text.startswith(p, at)), "")
        at += len(prefix)
        word = next((word for word in _WORDS if text.startswith(word, at)), None)
        if word is not None:
            at += len(word)
            suffix = next((s for s in ("TH", "th", "SP") if text.startswith(s, at)), "")
            at += len(suffix)
            nodes.append(
                Node(
                    "pattern",
                    word,
                    word if word in _CASED else word.upper(),
                    fill=prefix.upper() == "FM",
                    translated=prefix.upper() == "TM",
                    suffix="" if suffix == "SP" else suffix,
                )
            )
        elif at < len(text) and text[at] == '"':
            at = _quoted(text, at + 1, nodes)
        elif at < len(text):
            at += text.startswith('\\"', at)
            nodes.append(Node(_kind(text[at]), text[at]))
            at += 1
    return tuple(nodes)


def _quoted(text: str, at: int, nodes: list[Node]) -> int:
    while at < len(text) and text[at] != '"':
        at += text[at] == "\\" and at + 1 < len(text)
        nodes.append(Node("character", text[at]))
        at += 1
    return at + 1


def _kind(character: str) -> str:
    if character in " \t\n\v\f\r":
        return "blank"
    separator = "!" <= character <= "~" and not character.isalnum()
    return "separator" if separator else "character"


def julian(year: int, month: int, day: int) -> int:
    """The Julian day of a date; months and days beyond their ends count on."""
    if month > 2:
        month += 1
        year += 4800
    else:
        month += 13
        year += 4799
    century = year // 100
    number = year * 365 - 32167
    number += year // 4 - century + century // 4
    return number + 7834 * month // 256 + day


def civil(day: int) -> tuple[int, int, int]:
    """Year (astronomical), month and day of a Julian day."""
    number = day + 32044
    quad = number // 146097
    extra = (number - quad * 146097) * 4 + 3
    number += 60 + quad * 3 + extra // 146097
    quad = number // 1461
    number -= quad * 1461
    year = number * 4 // 1461
    number = ((number + 305) % 365 if year else (number + 306) % 366) + 123
    year += quad * 4
    quarter = number * 2141 // 65536
    return year - 4800, (quarter + 10) % 12 + 1, number - 7834 * quarter // 256

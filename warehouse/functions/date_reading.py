"""Reads a text by a date and time picture.

A picture is compiled once, into steps: the gap in front of a field, and the reader of the field.
What is behind the last field does not matter. Reading ends where the text does: fields that would
follow say nothing.

A gap is forgiving. Blanks around fields are passed, and each separator of the picture stands for
one in the text, whichever, or for none. Other characters of the picture stand for as many of the
text, whichever; blanks and separators that the text has beyond those of the picture count for them.
From an FX on, each character of a gap stands for one of the text, and blanks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise

from warehouse.functions.date_fields import Cursor, Fields, Reader, invalid
from warehouse.functions.date_patterns import convention_of, reader_of
from warehouse.functions.date_pictures import SEPARATORS, Node, date_picture

__all__ = ["fields_of"]


def fields_of(text: str, picture: str) -> Fields:
    """What the text says. Raises InvalidRequest (22007, 22008, 0A000) if it does not fit."""
    cursor = Cursor(text)
    for step in _steps(picture):
        step.gap.cross(cursor)
        if cursor.at >= len(text):
            break
        step.read(cursor)
    return cursor.fields


@dataclass(frozen=True, slots=True)
class _Gap:
    """`runs`: lengths, of separators (True) and of other characters by turns; `exact`: how many
    characters follow an FX."""

    runs: tuple[tuple[bool, int], ...]
    exact: int

    def cross(self, cursor: Cursor) -> None:
        if self.runs:
            cursor.skip_blanks()
        for separators, length in self.runs:
            if separators:
                self._pass_separators(cursor, length)
            else:
                spared = min(max(cursor.surplus, 0), length)
                cursor.surplus -= spared
                cursor.at += length - spared
        cursor.at += self.exact

    @staticmethod
    def _pass_separators(cursor: Cursor, length: int) -> None:
        end = cursor.at
        last = min(end + length, len(cursor.text))
        while end < last and cursor.text[end] in SEPARATORS:
            end += 1
        cursor.surplus += end - cursor.at - length
        cursor.at = end


@dataclass(frozen=True, slots=True)
class _Step:
    gap: _Gap
    reader: Reader
    exact: bool

    def read(self, cursor: Cursor) -> None:
        if self.exact:
            self.reader.read(cursor)
            return
        cursor.skip_blanks()
        self.reader.read(cursor)
        cursor.surplus = 0
        cursor.skip_blanks()


@dataclass(frozen=True, slots=True)
class _Mixed:
    """A field of an ISO week among those of months, or the other way round."""

    def read(self, cursor: Cursor) -> None:
        raise invalid("invalid combination of date conventions")


@lru_cache(maxsize=512)
def _steps(picture: str) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    forgiving: list[Node] = []
    exact: list[Node] = []
    exactly = False
    convention = ""
    for node, following in pairwise((*date_picture(picture), None)):
        assert node is not None, "only the last has nothing behind it"
        if node.word == "FX":
            exactly = True
        elif node.kind != "pattern":
            (exact if exactly else forgiving).append(node)
        else:
            own = convention_of(node)
            mixed = own and convention and own != convention
            reader = _Mixed() if mixed else reader_of(node, following)
            convention = convention or own
            steps.append(_Step(_gap(forgiving, exact), reader, exactly))
            forgiving, exact = [], []
    return tuple(steps)


def _gap(forgiving: list[Node], exact: list[Node]) -> _Gap:
    kinds = groupby(node.kind == "separator" for node in forgiving)
    return _Gap(tuple((kind, len(list(run))) for kind, run in kinds), len(exact))

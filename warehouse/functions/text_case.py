"""Upper and lower case, and texts backwards: where a text is more than its bytes.

PostgreSQL maps every character to one character (as C.UTF-8 does): `upper('ß')` is `ß`, and the
lower case of a final sigma is the common one. Polars maps by the full Unicode rules, and reverses
by graphemes. So the kernels here let Polars do columns without such characters, and mend the rest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import polars as pl

from warehouse.functions.registry import scalar

__all__ = ["lower", "lower_text"]

_MULTIPLE_UPPER = "".join(
    chr(code)
    for code in (*range(0x80, 0x2000), *range(0xFB00, 0xFB18))
    if len(chr(code).upper()) > 1
)
_UPPER = f"[{_MULTIPLE_UPPER}]"
_LOWER = "[\u0130\u03a3]"  # İ is two characters, Σ depends on its neighbours
_NOT_PLAIN = r"[^\x00-\x0c\x0e-\x7f]"  # \r\n is one grapheme


def _upper_character(character: str) -> str:
    for mapped in (character.upper(), character.title()):
        if len(mapped) == 1:
            return mapped
    return character


def _lower_character(character: str) -> str:
    mapped = character.lower()
    return mapped if len(mapped) == 1 else mapped[0]


def _upper(text: str) -> str:
    return "".join(map(_upper_character, text))


def lower_text(text: str) -> str:
    """Every character in lower case."""
    return "".join(map(_lower_character, text))


def _reversed(text: str) -> str:
    return text[::-1]


def _mended(
    texts: pl.Series,
    *,
    fast: Callable[[pl.Series], pl.Series],
    special: str,
    exact: Callable[[str], str],
) -> pl.Series:
    """`fast` for all, `exact` where a special character occurs."""
    done = fast(texts)
    wrong = texts.str.contains(special)
    if not wrong.any():
        return done
    places = wrong.arg_true()
    return done.scatter(places, [exact(text) for text in texts.gather(places)])


def _elementwise(text: pl.Expr, kernel: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    return text.map_batches(kernel, return_dtype=pl.String, is_elementwise=True)


_upper_all = functools.partial(
    _mended, fast=lambda texts: texts.str.to_uppercase(), special=_UPPER, exact=_upper
)
_lower_all = functools.partial(
    _mended, fast=lambda texts: texts.str.to_lowercase(), special=_LOWER, exact=lower_text
)
_reverse_all = functools.partial(
    _mended, fast=lambda texts: texts.str.reverse(), special=_NOT_PLAIN, exact=_reversed
)


@scalar("upper(text) -> text")
def upper(text: pl.Expr) -> pl.Expr:
    """Every character in upper case."""
    return _elementwise(text, _upper_all)


@scalar("lower(text) -> text")
def lower(text: pl.Expr) -> pl.Expr:
    """Every character in lower case."""
    return _elementwise(text, _lower_all)


@scalar("reverse(text) -> text")
def reverse(text: pl.Expr) -> pl.Expr:
    """The code points backwards."""
    return _elementwise(text, _reverse_all)


@scalar("initcap(text) -> text")
def initcap(text: pl.Expr) -> pl.Expr:
    """Words (runs of letters and digits) with a capital first and small letters after it."""

    def all_words(texts: pl.Series) -> pl.Series:
        return pl.Series(
            texts.name, [None if text is None else _initcap(text) for text in texts], pl.String
        )

    return _elementwise(text, all_words)


def _initcap(text: str) -> str:
    made, inside = [], False
    for character in text:
        made.append(_lower_character(character) if inside else _upper_character(character))
        inside = character.isalnum()
    return "".join(made)

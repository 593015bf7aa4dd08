"""Texts: their lengths, their parts, and how they are put together.

Positions count code points from 1. Where a text has only native work, it is done by Polars; a few
functions of patterns that differ by row, and case mappings beyond one character, are kernels.

`output_text` is what `concat`, `format` and `array_to_string` make of a value: PostgreSQL's output
function, which differs from a cast in two types (`t` for true, CHAR(n) with its blanks).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from storage.schema import CharType
from warehouse.algebra.types import BOOLEAN, TEXT, AnyType
from warehouse.execution.casts import cast
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Range, Value
from warehouse.functions.registry import scalar

__all__ = ["TEXT_BYTES_MAX", "constant_of", "output_text", "padded"]

TEXT_BYTES_MAX = 2**30 - 5  # what a text value of PostgreSQL can hold
_TOO_LARGE = ("54000", "requested length too large")
_NEGATIVE_LENGTH = ("22011", "negative substring length not allowed")


def constant_of(value: Value) -> Any:
    """The Python value if it is a constant, else None."""
    return value.literal if value.constant else None


def padded(value: Value) -> pl.Expr:
    """A text as it is shown: CHAR(n) filled with blanks."""
    if isinstance(value.type, CharType):
        return value.expr.str.pad_end(value.type.length, " ")
    return value.expr


def output_text(value: Value) -> Value:
    """What PostgreSQL's output function writes."""
    if isinstance(value.type, CharType):
        return value.derived(padded(value), TEXT)
    if value.type == BOOLEAN:
        letter = pl.when(value.expr).then(pl.lit("t")).when(~value.expr).then(pl.lit("f"))
        return value.derived(letter, TEXT)
    return cast(value, TEXT)


@scalar("length(text) -> int4", "length(bpchar) -> int4")
@scalar("char_length(text) -> int4", "char_length(bpchar) -> int4")
@scalar("character_length(text) -> int4", "character_length(bpchar) -> int4")
def length(text: pl.Expr) -> pl.Expr:
    """Code points; trailing blanks of CHAR(n) do not count."""
    return text.str.len_chars()


@scalar("octet_length(text) -> int4")
def octet_length(text: pl.Expr) -> pl.Expr:
    """Bytes in UTF-8."""
    return text.str.len_bytes()


@scalar("octet_length(bpchar) -> int4", native=False)
def octet_length_padded(text: Value, *, kind: AnyType) -> Value:
    """Bytes, with the blanks that CHAR(n) is filled with."""
    return Value(padded(text).str.len_bytes().cast(pl.Int64), kind, range=Range(0, 2**31 - 1))


@scalar("bit_length(text) -> int4")
def bit_length(text: pl.Expr) -> pl.Expr:
    """Bits in UTF-8."""
    return text.str.len_bytes().cast(pl.Int64) * 8


@scalar("substr(text,int4) -> text", "substring(text,int4) -> text")
def substr(text: pl.Expr, start: pl.Expr) -> pl.Expr:
    """From a position on."""
    return text.str.slice(start.clip(1) - 1)


@scalar("substr(text,int4,int4) -> text", "substring(text,int4,int4) -> text", native=False)
def substr_of_length(text: Value, start: Value, count: Value, *, kind: AnyType) -> Value:
    """`count` characters from a position that may lie before the text."""
    first = start.expr.clip(1) - 1
    taken = (start.expr - 1 + count.expr - first).clip(0)
    made = Value(text.expr.str.slice(first, taken), kind)
    return made.faulty(count.expr < 0, *_NEGATIVE_LENGTH)


@scalar("left(text,int4) -> text")
def left(text: pl.Expr, count: pl.Expr) -> pl.Expr:
    """The first characters; of a negative count all but the last ones."""
    return text.str.head(count)


@scalar("right(text,int4) -> text")
def right(text: pl.Expr, count: pl.Expr) -> pl.Expr:
    """The last characters; of a negative count all but the first ones."""
    # PostgreSQL cannot negate the smallest integer, and returns the whole text.
    return text.str.tail(pl.when(count == -(2**31)).then(2**31).otherwise(count))


@scalar("overlay(text,text,int4) -> text", native=False)
def overlay(text: Value, new: Value, start: Value, *, kind: AnyType) -> Value:
    """`new` in place of as many characters."""
    return _overlaid(text, new, start, new.expr.str.len_chars().cast(pl.Int64), kind)


@scalar("overlay(text,text,int4,int4) -> text", native=False)
def overlay_of_length(
    text: Value, new: Value, start: Value, count: Value, *, kind: AnyType
) -> Value:
    """`new` in place of `count` characters."""
    return _overlaid(text, new, start, count.expr, kind)


def _overlaid(text: Value, new: Value, start: Value, count: pl.Expr, kind: AnyType) -> Value:
    before = text.expr.str.slice(0, (start.expr - 1).clip(0))
    after = text.expr.str.slice((start.expr - 1 + count).clip(0))
    made = Value(pl.concat_str(before, new.expr, after), kind)
    return made.faulty(start.expr <= 0, *_NEGATIVE_LENGTH)


@scalar("btrim(text) -> text")
def btrim(text: pl.Expr) -> pl.Expr:
    """Without the blanks (no other white space) at both ends."""
    return text.str.strip_chars(" ")


@scalar("ltrim(text) -> text")
def ltrim(text: pl.Expr) -> pl.Expr:
    """Without the blanks in front."""
    return text.str.strip_chars_start(" ")


@scalar("rtrim(text) -> text")
def rtrim(text: pl.Expr) -> pl.Expr:
    """Without the blanks at the end."""
    return text.str.strip_chars_end(" ")


@scalar("btrim(text,text) -> text")
def btrim_characters(text: pl.Expr, characters: pl.Expr) -> pl.Expr:
    """Without any of these characters at both ends."""
    return text.str.strip_chars(characters)


@scalar("ltrim(text,text) -> text")
def ltrim_characters(text: pl.Expr, characters: pl.Expr) -> pl.Expr:
    """Without any of these characters in front."""
    return text.str.strip_chars_start(characters)


@scalar("rtrim(text,text) -> text")
def rtrim_characters(text: pl.Expr, characters: pl.Expr) -> pl.Expr:
    """Without any of these characters at the end."""
    return text.str.strip_chars_end(characters)


@scalar("strpos(text,text) -> int4", "position(text,text) -> int4")
def strpos(text: pl.Expr, part: pl.Expr) -> pl.Expr:
    """Where `part` begins first; 0 if nowhere."""
    offset = text.str.find(part, literal=True)
    before = text.cast(pl.Binary).bin.slice(0, offset.fill_null(0)).cast(pl.String)
    found = before.str.len_chars().cast(pl.Int64) + 1
    return pl.when(offset.is_not_null()).then(found).otherwise(pl.lit(0, dtype=pl.Int64))


@scalar("starts_with(text,text) -> bool", "^@(text,text) -> bool")
def starts_with(text: pl.Expr, prefix: pl.Expr) -> pl.Expr:
    """Does the text begin so?"""
    return text.str.starts_with(prefix)


@scalar("replace(text,text,text) -> text", native=False)
def replace(text: Value, old: Value, new: Value, *, kind: AnyType) -> Value:
    """Every `old` replaced; an empty one is nowhere."""
    wanted = constant_of(old)
    if not isinstance(wanted, str):
        return rowwise(_replaced, [text, old, new], kind)
    if not wanted:
        return Value(text.expr, kind)
    return Value(text.expr.str.replace_all(wanted, new.expr.fill_null(""), literal=True), kind)


def _replaced(text: str, old: str, new: str) -> str:
    return text.replace(old, new) if old else text


@scalar("translate(text,text,text) -> text", native=False)
def translate(text: Value, old: Value, new: Value, *, kind: AnyType) -> Value:
    """Characters of `old` become those at the same place of `new`, or nothing."""
    before, after = constant_of(old), constant_of(new)
    if not isinstance(before, str) or not isinstance(after, str):
        return rowwise(_translated, [text, old, new], kind)
    mapping = _mapping(before, after)
    if not mapping:
        return Value(text.expr, kind)
    return Value(text.expr.str.replace_many(list(mapping), list(mapping.values())), kind)


def _mapping(old: str, new: str) -> dict[str, str]:
    """The first of equal characters counts."""
    found: dict[str, str] = {}
    for place, character in enumerate(old):
        found.setdefault(character, new[place : place + 1])
    return found


def _translated(text: str, old: str, new: str) -> str:
    mapping = _mapping(old, new)
    return "".join(mapping.get(character, character) for character in text)


@scalar("split_part(text,text,int4) -> text", native=False)
def split_part(text: Value, delimiter: Value, place: Value, *, kind: AnyType) -> Value:
    """The field at a place, counted from the end if negative; empty if there is none."""
    index = pl.when(place.expr > 0).then(place.expr - 1).otherwise(place.expr)
    fields = text.expr.str.split(delimiter.expr).list.get(index, null_on_oob=True).fill_null("")
    whole = pl.when(place.expr.abs() == 1).then(text.expr).otherwise(pl.lit(""))
    made = pl.when(delimiter.expr == "").then(whole).otherwise(fields)
    return Value(made, kind).faulty(place.expr == 0, "22023", "field position must not be zero")


@scalar("repeat(text,int4) -> text", native=False)
def repeat(text: Value, count: Value, *, kind: AnyType) -> Value:
    """The text so many times."""
    times = count.expr.clip(0)
    over = text.expr.str.len_bytes().cast(pl.Int64) * times > TEXT_BYTES_MAX
    done = pl.when(over).then(0).otherwise(times)
    return Value(text.expr.repeat_by(done).list.join(""), kind).faulty(over, *_TOO_LARGE)


@scalar("lpad(text,int4) -> text", native=False)
def lpad_blanks(text: Value, size: Value, *, kind: AnyType) -> Value:
    """To a length, with blanks in front; cut at the end if longer."""
    return _filled(text, size, " ", kind, front=True)


@scalar("rpad(text,int4) -> text", native=False)
def rpad_blanks(text: Value, size: Value, *, kind: AnyType) -> Value:
    """To a length, with blanks at the end; cut if longer."""
    return _filled(text, size, " ", kind, front=False)


@scalar("lpad(text,int4,text) -> text", native=False)
def lpad(text: Value, size: Value, fill: Value, *, kind: AnyType) -> Value:
    """To a length, with `fill` again and again in front."""
    return _padded_with(text, size, fill, kind, front=True)


@scalar("rpad(text,int4,text) -> text", native=False)
def rpad(text: Value, size: Value, fill: Value, *, kind: AnyType) -> Value:
    """To a length, with `fill` again and again at the end."""
    return _padded_with(text, size, fill, kind, front=False)


def _padded_with(text: Value, size: Value, fill: Value, kind: AnyType, *, front: bool) -> Value:
    known = constant_of(fill)
    if isinstance(known, str) and len(known) <= 1:
        return _filled(text, size, known, kind, front=front)
    over = size.expr > TEXT_BYTES_MAX // 4
    count = pl.when(over).then(0).otherwise(size.expr.clip(0))
    missing = (count - text.expr.str.len_chars().cast(pl.Int64)).clip(0)
    units = fill.expr.str.len_chars().cast(pl.Int64)
    times = pl.when(units > 0).then((missing + units - 1) // units.clip(1)).otherwise(0)
    filling = fill.expr.repeat_by(times).list.join("").str.slice(0, missing)
    cut = text.expr.str.slice(0, count)
    made = pl.concat_str(filling, cut) if front else pl.concat_str(cut, filling)
    return Value(made, kind).faulty(over, *_TOO_LARGE)


def _filled(text: Value, size: Value, fill: str, kind: AnyType, *, front: bool) -> Value:
    """With one character, or none."""
    over = size.expr > TEXT_BYTES_MAX // 4
    count = pl.when(over).then(0).otherwise(size.expr.clip(0))
    made = text.expr.str.slice(0, count)
    if fill:
        made = made.str.pad_start(count, fill) if front else made.str.pad_end(count, fill)
    return Value(made, kind).faulty(over, *_TOO_LARGE)


@scalar("||(text,text) -> text")
def concatenated(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Both, one after the other."""
    return pl.concat_str(left, right)


@scalar("||(text,anynonarray) -> text", "||(anynonarray,text) -> text", native=False)
def concatenated_any(left: Value, right: Value, *, kind: AnyType) -> Value:
    """A text and something else as its text."""
    return Value(pl.concat_str(cast(left, TEXT).expr, cast(right, TEXT).expr), kind)


@scalar("concat(variadic any) -> text", native=False, strict=False)
def concat(*values: Value, kind: AnyType) -> Value:
    """All that is not NULL."""
    texts = [output_text(value).expr.fill_null("") for value in values]
    return Value(pl.concat_str(texts), kind, nullable=False)


@scalar("concat_ws(text,variadic any) -> text", native=False, strict=False)
def concat_ws(separator: Value, *values: Value, kind: AnyType) -> Value:
    """All that is not NULL, with the separator between them; NULL if that is NULL."""
    texts = [output_text(value).expr for value in values]
    known = constant_of(separator)
    if isinstance(known, str):
        made = pl.concat_str(texts, separator=known, ignore_nulls=True)
        return Value(made, kind, nullable=False)
    led = [pl.concat_str(separator.expr, text).fill_null("") for text in texts]
    joined = pl.concat_str(led).str.slice(separator.expr.str.len_chars())
    return Value(pl.when(separator.expr.is_not_null()).then(joined), kind)

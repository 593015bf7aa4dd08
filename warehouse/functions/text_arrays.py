"""Texts taken apart into arrays, and arrays as texts."""

from __future__ import annotations

import polars as pl

from storage.schema import SCALED_PRECISION_MAX, ArrayType, DecimalType
from warehouse.algebra.types import TEXT, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar, table_function
from warehouse.functions.text import constant_of, output_text

__all__ = ["texts_of"]

_TEXTS = ArrayType(element=TEXT)
_EMPTY = pl.lit([], dtype=pl.List(pl.String))


@scalar("string_to_array(text,text) -> _text", native=False, strict=False)
def string_to_array(text: Value, delimiter: Value, *, kind: AnyType) -> Value:
    """The parts between delimiters; single characters if it is NULL."""
    return _split(text, delimiter, None, kind)


@scalar("string_to_array(text,text,text) -> _text", native=False, strict=False)
def string_to_array_nulls(text: Value, delimiter: Value, null: Value, *, kind: AnyType) -> Value:
    """The same, with NULL for parts that equal the third argument."""
    return _split(text, delimiter, null, kind)


@table_function("string_to_table(text,text) -> text", native=False, strict=False)
def string_to_table(text: Value, delimiter: Value, *, kind: AnyType) -> Value:
    """The parts between delimiters, as rows."""
    return _split(text, delimiter, None, kind)


@table_function("string_to_table(text,text,text) -> text", native=False, strict=False)
def string_to_table_nulls(text: Value, delimiter: Value, null: Value, *, kind: AnyType) -> Value:
    """The parts between delimiters, as rows, with NULL for parts that equal the third argument."""
    return _split(text, delimiter, null, kind)


def _split(text: Value, delimiter: Value, null: Value | None, kind: AnyType) -> Value:
    known = constant_of(delimiter)
    absent = null is None or null.constant
    if not (isinstance(known, str) and known and absent):
        values = [text, delimiter] if null is None else [text, delimiter, null]
        return rowwise(_split_text, values, kind, strict=False)
    parts = text.expr.str.split(known)
    word = None if null is None else constant_of(null)
    if word is not None:
        element = pl.element()
        parts = parts.list.eval(pl.when(element != word).then(element))
    made = pl.when(text.expr == "").then(_EMPTY).otherwise(parts)
    return Value(pl.when(text.expr.is_not_null()).then(made), kind)


def _split_text(
    text: str | None, delimiter: str | None, null: str | None = None
) -> tuple[str | None, ...] | None:
    if text is None:
        return None
    if not text:
        return ()
    parts = text.split(delimiter) if delimiter else _undivided(text, delimiter)
    return tuple(None if null is not None and part == null else part for part in parts)


def _undivided(text: str, delimiter: str | None) -> list[str]:
    """Without a delimiter: every character if it is NULL, the whole if it is empty."""
    return list(text) if delimiter is None else [text]


@scalar("array_to_string(anyarray,text) -> text", native=False)
def array_to_string(array: Value, separator: Value, *, kind: AnyType) -> Value:
    """The elements that are not NULL, with the separator between them."""
    texts = texts_of(array).list.drop_nulls()
    return Value(texts.list.join(separator.expr), kind)


@scalar("array_to_string(anyarray,text,text) -> text", native=False, strict=False)
def array_to_string_nulls(array: Value, separator: Value, null: Value, *, kind: AnyType) -> Value:
    """The elements with the separator between them, NULLs as the third argument says."""
    texts = Value(texts_of(array), _TEXTS)
    return rowwise(_joined, [texts, separator, null], kind, strict=False)


def _joined(
    texts: tuple[str | None, ...] | None, separator: str | None, null: str | None
) -> str | None:
    if texts is None or separator is None:
        return None
    shown = [null if text is None else text for text in texts]
    return separator.join(text for text in shown if text is not None)


def texts_of(array: Value) -> pl.Expr:
    """The elements as texts."""
    assert isinstance(array.type, ArrayType)
    kind = array.type.element
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    element = output_text(Value(pl.element(), kind, wide=wide))
    return array.expr.list.eval(element.expr)

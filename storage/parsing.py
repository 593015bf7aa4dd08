"""Columns of texts and bytes as UUIDs, and columns of texts as JSON: values checked one and all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from storage.assignable import is_text
from storage.errors import InvalidRequest
from storage.jsonb import check_json, normalise_jsonb

__all__ = ["BadValue", "json_texts", "jsonb_texts", "uuid_values"]

T = TypeVar("T")

UUID_BYTES = 16
SLICE_ROWS = 65_536
# As PostgreSQL reads it: braces around, and a hyphen after any group of four digits.
_DIGITS = "(?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}"
_UUID = rf"^(?:{_DIGITS}|\{{{_DIGITS}\}})$"


class BadValue(Exception):
    """A value that is not of its type: where it is in the column, and why."""

    def __init__(self, position: int, problem: str, sqlstate: str) -> None:
        super().__init__(position, problem, sqlstate)
        self.position = position
        self.problem = problem
        self.sqlstate = sqlstate


def uuid_values(values: Any) -> Any:
    """Texts, or bytes of which each value has 16, as fixed-size binaries. Raises BadValue."""
    target = pa.binary(UUID_BYTES)
    if is_text(values.type):
        return _uuid_texts(values)
    if values.type == target:
        return values
    plain = values.cast(pa.large_binary())
    other = pc.not_equal(pc.binary_length(plain), UUID_BYTES)
    if pc.any(other).as_py():
        position = pc.index(other, True).as_py()
        length = len(plain[position].as_py())
        raise BadValue(position, f"a UUID has 16 bytes, found {length}", "22P02")
    return _fixed(plain)


def _uuid_texts(values: Any) -> Any:
    texts = pl.Series(values=values, dtype=pl.String)
    bad = (~texts.str.contains(_UUID)).fill_null(value=False)
    if bad.any():
        position = bad.arg_max()
        assert position is not None
        problem = f'invalid input syntax for type uuid: "{texts[position]}"'
        raise BadValue(position, problem, "22P02")
    digits = texts.str.replace_all("[{}-]", "").str.decode("hex")
    return _fixed(digits.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _fixed(values: Any) -> Any:
    """16-byte binaries as fixed-size ones; Arrow casts only from 32-bit offsets."""
    return values.cast(pa.binary()).cast(pa.binary(UUID_BYTES))


def json_texts(values: Any) -> Any:
    """The texts, which are JSON. Raises BadValue."""
    for texts in _slices(values):
        for position, text in texts:
            if text is not None:
                _called(check_json, position, text)
    return values


def jsonb_texts(values: Any) -> Any:
    """The canonical texts of jsonb. Raises BadValue."""
    found = [
        pa.array(
            [None if t is None else _called(normalise_jsonb, p, t) for p, t in texts],
            pa.large_string(),
        )
        for texts in _slices(values)
    ]
    return pa.chunked_array(found, pa.large_string())


def _slices(values: Any) -> Iterator[Iterator[tuple[int, str | None]]]:
    """Positions and texts, some rows at a time, to hold few Python objects."""
    for start in range(0, len(values), SLICE_ROWS):
        yield enumerate(values.slice(start, SLICE_ROWS).to_pylist(), start)


def _called(function: Callable[[str], T], position: int, text: str) -> T:
    try:
        return function(text)
    except InvalidRequest as error:
        raise BadValue(position, error.message, error.sqlstate) from error

"""Types for the columns of text files, from their first rows.

A column has the narrowest of BIGINT, DOUBLE PRECISION, BOOLEAN, DATE, TIMESTAMP, TIMESTAMP WITH
TIME ZONE and TEXT that all its values in the sample have; without any value it is TEXT. Numbers
with leading zeros are TEXT: they are codes, and would not survive. Objects and arrays of NDJSON are
JSON.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from storage.schema import Kind

__all__ = ["SAMPLE_BYTES", "joined", "kind_of_texts"]

SAMPLE_BYTES = 1 << 20

_NUMBER = r"[+-]?(?:0|[1-9][0-9]*)"
_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    (Kind.BIGINT, _NUMBER),
    (Kind.DOUBLE, rf"(?:{_NUMBER}(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:[eE][+-]?[0-9]{{1,3}})?"),
    (Kind.BOOLEAN, "(?i:true|false)"),
    (Kind.DATE, _DAY),
    (Kind.TIMESTAMP, rf"{_DAY}(?:[ T]{_TIME})?"),
    (Kind.TIMESTAMPTZ, rf"{_DAY}[ T]{_TIME} ?(?:Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)"),
)
_DIGITS_MAX = 18  # more may not fit 64 bits
_WIDER = {
    frozenset((Kind.BIGINT, Kind.DOUBLE)): Kind.DOUBLE,
    frozenset((Kind.DATE, Kind.TIMESTAMP)): Kind.TIMESTAMP,
}


def kind_of_texts(texts: pa.Array | pa.ChunkedArray) -> Kind | None:
    """The narrowest type of all the values; None without any."""
    values = pc.drop_null(texts)
    if len(values) == 0:
        return None
    for kind, pattern in _PATTERNS:
        if not pc.all(pc.match_substring_regex(values, f"^(?:{pattern})$")).as_py():
            continue
        if kind is Kind.BIGINT and pc.max(pc.utf8_length(values)).as_py() > _DIGITS_MAX:
            return Kind.TEXT if _too_long(values) else Kind.BIGINT
        return kind
    return Kind.TEXT


def _too_long(values: pa.Array | pa.ChunkedArray) -> bool:
    try:
        pc.cast(pc.utf8_ltrim(values, characters="+"), pa.int64())
    except pa.ArrowInvalid:
        return True
    return False


def joined(kinds: Iterable[Kind | None]) -> Kind | None:
    """The narrowest type of values of all these types; None if none has a value."""
    found = {kind for kind in kinds if kind is not None}
    if len(found) < 2:
        return next(iter(found), None)
    return _WIDER.get(frozenset(found), Kind.TEXT)

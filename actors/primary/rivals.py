"""Rows to insert that have a key in common: rivals. DO NOTHING inserts them one after the other.

With one key the first of equal rows is the one. With several keys it is a matter of order: a row
that is left out, because of the table or of a row before it, is in nobody's way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["kept_by_order", "without_rivals"]

_Key = tuple[object, ...]
_Keys = Sequence[Sequence[str]]


def kept_by_order(rows: pa.Table, keys: _Keys) -> npt.NDArray[np.int64]:
    """The positions of rows that none before them, which is kept itself, has a key of.

    Args: keys: as names of columns; a key with a NULL equals nothing.
    """
    taken: list[set[_Key]] = [set() for _ in keys]
    kept = []
    for position, own in enumerate(_keys_of(rows, keys)):
        if any(key in known for key, known in zip(own, taken, strict=True)):
            continue
        kept.append(position)
        for key, known in zip(own, taken, strict=True):
            if key is not None:
                known.add(key)
    return np.array(kept, np.int64)


def without_rivals(rows: pa.Table, keys: _Keys) -> list[pa.Table]:
    """The rows in batches, in their order, none of which has rivals in it.

    Rows that agree with an earlier one in all of their keys are left out: where that one is not
    inserted, they are not, either.
    """
    batches: list[list[int]] = [[]]
    taken: list[set[_Key]] = [set() for _ in keys]
    seen: set[tuple[_Key | None, ...]] = set()
    for position, own in enumerate(_keys_of(rows, keys)):
        if own in seen:
            continue
        if any(key is not None for key in own):
            seen.add(own)
        if any(key in known for key, known in zip(own, taken, strict=True)):
            batches.append([])
            taken = [set() for _ in keys]
        batches[-1].append(position)
        for key, known in zip(own, taken, strict=True):
            if key is not None:
                known.add(key)
    return [rows.take(pa.array(batch, pa.int64())) for batch in batches if batch]


def _keys_of(rows: pa.Table, keys: _Keys) -> Iterator[tuple[_Key | None, ...]]:
    """Of each row its keys; None for one with a NULL."""
    columns = [list(zip(*(rows.column(n).to_pylist() for n in key), strict=True)) for key in keys]
    for own in zip(*columns, strict=True):
        yield tuple(None if None in key else tuple(map(_hashable, key)) for key in own)


def _hashable(value: object) -> object:
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    if isinstance(value, dict):
        return tuple((name, _hashable(part)) for name, part in value.items())
    return value

"""The keys of the live rows of one file or delta, and what no key may have: NULL, NaN.

Columns of a primary key have no NULL. A row with a NULL in another key has no key. No key has NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.key_rows import concatenated, keys_in
from storage.primary_key import Keys, Positions, is_exact
from storage.primary_key.words import Mask
from storage.schema import Column, Key

__all__ = ["KeyColumns", "LiveKeys"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyColumns:
    """A key with its columns, in its order, as the newest schema version has them."""

    key: Key
    columns: tuple[Column, ...]

    @property
    def exact(self) -> bool:
        return is_exact(self.columns)


class LiveKeys:
    """Gathers the keys of one file's rows, stripe by stripe."""

    def __init__(self, columns: KeyColumns) -> None:
        self.columns = columns
        self._keys: list[Keys] = []
        self._rows: list[Positions] = []
        self._nulls: dict[str, int] = {}  # live rows, by column
        self._nans: dict[str, int] = {}

    def add(self, rows: pa.Table, first: int, live: Mask) -> None:
        """More rows.

        Args:
            rows: the key's columns, in their logical types; the first is row `first` of the file.
            live: which of them are.
        """
        there = pa.array(live)
        for column in self.columns.columns:
            values = rows[column.name].filter(there)
            if self.columns.key.primary and values.null_count:
                _count(self._nulls, column.name, values.null_count)
            if pa.types.is_floating(values.type):
                _count(self._nans, column.name, pc.sum(pc.is_nan(values)).as_py() or 0)
        found = keys_in(rows, self.columns.columns)
        positions = found.positions()
        chosen = np.flatnonzero(live[positions])
        self._keys.append(found.keys.take(chosen))
        self._rows.append(positions[chosen] + first)

    def found(self) -> tuple[Keys, Positions]:
        """All keys, and the row of each."""
        if not self._keys:
            none = np.empty(0, np.uint64)
            return Keys(none, None if self.columns.exact else none), np.empty(0, np.int64)
        return concatenated(self._keys), np.concatenate(self._rows)

    def faults(self) -> list[tuple[str, str]]:
        """What no key may have: expected, found."""
        name = self.columns.key.name
        nulls = [
            (f'no NULL in column {column}, which is of the primary key "{name}"', f"{count} rows")
            for column, count in self._nulls.items()
        ]
        nans = [
            (f'no NaN in column {column}, which is of the key "{name}"', f"{count} rows")
            for column, count in self._nans.items()
            if count
        ]
        return nulls + nans


def _count(counts: dict[str, int], name: str, more: int) -> None:
    counts[name] = counts.get(name, 0) + more

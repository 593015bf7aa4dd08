"""Ranges: an order cut into parts of nearly as many rows each, from a sample of the rows.

Rows of many files can so be divided file by file, and sorted range by range. Rows with equal keys
are in one range. In Z-order, the ranks of values are those among the sample's, the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from storage.micropartition import clustering

__all__ = ["Ranges"]

_NUMBER, _MARK = "\0number", "\0mark"  # no column has these names: they cannot be written in SQL

Numbers = npt.NDArray[np.int64]


class Ranges:
    """Of one order."""

    def __init__(self, sample: pa.Table, columns: Sequence[str], order: str, count: int) -> None:
        """Args:
        sample: rows, as evenly taken as possible; columns, order: as for `clustering.sort`.
        count: how many ranges there shall be; with few distinct keys it may be fewer.
        """
        self._columns = list(columns)
        rows = pl.DataFrame(sample.select(self._columns))
        self._samples: list[pl.DataFrame] = []
        self._bounds: pl.DataFrame | Numbers
        places = [len(rows) * part // count for part in range(1, count)] if len(rows) else []
        if order == "zorder" and len(self._columns) > 1:
            self._samples = [
                rows.select(name).sort(name, nulls_last=True) for name in self._columns
            ]
            self._bounds = np.unique(np.sort(self._codes(rows))[places])
        else:
            ordered = rows.sort(self._columns, nulls_last=True)
            self._bounds = ordered[places].unique(maintain_order=True)
        self.count = len(self._bounds) + 1

    def of(self, rows: pa.Table) -> Numbers:
        """Per row, the number of its range."""
        frame = pl.DataFrame(rows.select(self._columns))
        if isinstance(self._bounds, pl.DataFrame):
            return _not_above(frame, self._bounds)
        return np.searchsorted(self._bounds, self._codes(frame), side="right")

    def _codes(self, rows: pl.DataFrame) -> Numbers:
        bits = clustering.rank_bits(len(self._columns))
        ranks = [
            (_not_above(rows.select(sample.columns), sample).astype(np.uint64) << np.uint64(bits))
            // np.uint64(len(sample) + 1)
            for sample in self._samples
        ]
        return clustering.interleaved(ranks).view(np.int64)


def _not_above(rows: pl.DataFrame, bounds: pl.DataFrame) -> Numbers:
    """Per row, how many of `bounds`, which are sorted, are not above it; NULL is above all else."""
    both = pl.concat(
        [
            bounds.with_columns(
                pl.lit(-1, pl.Int64).alias(_NUMBER), pl.lit(1, pl.Int64).alias(_MARK)
            ),
            rows.with_row_index(_NUMBER).select(
                *rows.columns, pl.col(_NUMBER).cast(pl.Int64), pl.lit(0, pl.Int64).alias(_MARK)
            ),
        ]
    )
    found = (
        both.sort(rows.columns, nulls_last=True, maintain_order=True)
        .select(_NUMBER, pl.col(_MARK).cum_sum())
        .filter(pl.col(_NUMBER) >= 0)
        .sort(_NUMBER)
    )
    return found[_MARK].to_numpy()

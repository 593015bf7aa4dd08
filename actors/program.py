"""What a worker runs, without what plans it: workers load this, and not the planner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import polars as pl
import pyarrow as pa

from storage.errors import MobulaError
from storage.schema import Column
from storage.snapshot.ranges import ColumnRange
from storage.spill_space import SpillSpace

__all__ = ["InputFrame", "Program"]


@dataclass(frozen=True, slots=True)
class InputFrame:
    """The rows of one input on a worker: a column per column of the scan, under its name, as
    `storage.micropartition.reader.scan` returns them; the locations, if asked for, are the last.

    `ranges`: see `fragments.ScanInput`.
    """

    frame: pl.LazyFrame
    columns: tuple[Column, ...]
    ranges: Mapping[int, ColumnRange]


class Program(Protocol):
    """A planned query as a worker runs it. Can be pickled."""

    def build(
        self, inputs: Mapping[str, InputFrame], space: SpillSpace | None = None
    ) -> pl.LazyFrame:
        """The query's rows over its inputs, by the aliases of the scans.

        May run parts of the query at once. Args: space: what the query may take, and where rows go
        that memory has no room for, until the frame is collected; None: no limit.
        Raises InvalidRequest, NotYet, PolarsError, OutOfMemory.
        """
        ...

    def may_spill(self) -> bool:
        """Whether a part of it could work on the disk, so that it took less memory."""
        ...

    def arrow(self, found: pl.DataFrame) -> pa.Table:
        """What `build` gave, collected, in the types of the query. Raises InvalidRequest."""
        ...

    def schema(self) -> pa.Schema:
        """Of the result; `arrow` gives its types, and its names where they are distinct."""
        ...

    def translated(self, error: pl.exceptions.PolarsError) -> MobulaError:
        """An error of Polars, raised by `build` or while its result was collected, as ours."""
        ...

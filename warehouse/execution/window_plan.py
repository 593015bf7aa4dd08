"""What a window call needs of the rows, and how it computes: `Plan` and `Scope`.

A plan is made when the statement is lowered, of expressions; its kernel runs on the whole input,
with the arguments sorted by the call's partition and order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl

from warehouse.execution.value import Value, fault_text
from warehouse.execution.window_frames import Frames, FrameShape, frames_of
from warehouse.execution.window_layout import Flags, Integers, Key, Layout

__all__ = ["Kernel", "Plan", "Scope", "nullable", "picked", "refuse", "refuse_first"]


@dataclass(frozen=True)
class Scope:
    """The sorted rows as one call sees them. `order` holds values that are not sorted yet."""

    layout: Layout
    shape: FrameShape
    order: Sequence[Key]

    @cached_property
    def frames(self) -> Frames:
        """The frames; computed for those calls that look at them."""
        order = [
            Key(self.layout.sorted(key.values), key.type, key.descending, key.nulls_first)
            for key in self.order[:1]
        ]
        return frames_of(self.layout, self.shape, tuple(order))


Kernel = Callable[[Scope, Sequence[pl.Series]], pl.Series]


@dataclass(frozen=True, slots=True)
class Plan:
    """One call.

    Attributes:
        inputs: what the kernel gets, computed over the input's frame; literals come broadcast.
        kernel: returns a value for each position.
        value: describes the result; its expression does not matter.
    """

    inputs: tuple[pl.Expr, ...]
    kernel: Kernel
    value: Value


def picked(values: pl.Series, positions: Integers, valid: Flags) -> pl.Series:
    """`values[position]` for each position; NULL where not valid."""
    return values.gather(nullable(positions.astype(np.uint32), valid))


def nullable(values: npt.NDArray[Any], valid: Flags) -> pl.Series:
    """The values with NULL where not valid."""
    made = pl.Series(values)
    if valid.all():
        return made
    return made.zip_with(pl.Series(valid), pl.Series([None], dtype=made.dtype))


def refuse(sqlstate: str, message: str) -> NoReturn:
    """Make the query fail with a SQL error, as `value.raised` does."""
    refuse_first(pl.Series([fault_text(sqlstate, message)]))
    raise AssertionError("a fault is no number")


def refuse_first(faults: pl.Series) -> None:
    """Make the query fail with the first of these faults, if there is any that is not NULL."""
    faults.drop_nulls().head(1).cast(pl.Int8, strict=True)

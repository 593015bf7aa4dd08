"""`Program`: a bound and optimised query on its way to a worker, and what the worker does with it.

It holds the algebra and the values that the statement came with, and can be pickled. A worker gives
it the inputs and gets a lazy frame; whoever collects that frame keeps the order of its joins
(`QueryOptFlags(join_order=False)`), and has the rows turned into Arrow here.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa

import warehouse.functions.all  # noqa: F401 (registers every function)
from actors.compute.morsels import small_morsels
from actors.program import InputFrame
from storage.errors import CorruptData, InternalError, InvalidRequest, MobulaError, NotYet
from storage.schema import SCALED_PRECISION_MAX, DecimalType, plain_type
from storage.spill_space import SpillSpace
from warehouse.algebra.depth import allow_deep_trees
from warehouse.algebra.relations import Query
from warehouse.algebra.types import AnyType
from warehouse.execution.decode import decode
from warehouse.execution.lowered import (
    Context,
    ScannedColumn,
    ScannedInput,
    column_name,
    exactly,
)
from warehouse.execution.relations import lower_relation
from warehouse.execution.result_types import result_field
from warehouse.execution.spilling.choice import chosen, may_spill
from warehouse.execution.value import Range, fault_of

__all__ = ["Program"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A query with everything but its inputs.

    Attributes:
        parameters: of `$1`, `$2`, …: value, as `algebra.Literal` has it, and type.
        udfs: functions over Arrow arrays, by name, as cloudpickle wrote them.
        now: the statement's time in UTC, without a zone.
        expected: of each of `relations_of(query)`, how many rows it may have; empty: nobody knows.
    """

    query: Query
    parameters: tuple[tuple[Any, AnyType], ...] = ()
    udfs: Mapping[str, bytes] = field(default_factory=dict)
    now: datetime | None = None
    expected: tuple[float, ...] = ()

    def build(
        self, inputs: Mapping[str, InputFrame], space: SpillSpace | None = None
    ) -> pl.LazyFrame:
        """The rows of the query, a column per output, by position.

        Recursive queries run their rounds here, and so do operators that work on the disk. Their
        rows stay there until the frame has been collected.

        Args: inputs by the names that the scans have; space: None if memory is not limited.
        Raises: InvalidRequest, NotYet; PolarsError with a fault (`value.fault_of`); OutOfMemory.
        """
        allow_deep_trees()
        spill = None if space is None else chosen(self.query, self.expected, space)
        context = Context(
            inputs={name: _scanned(found) for name, found in inputs.items()},
            parameters=self.parameters,
            udfs={name: pickle.loads(code) for name, code in self.udfs.items()},
            now=self.now,
            definitions=self.query.ctes,
            spill=spill,
        )
        with small_morsels() if spill is not None else nullcontext():
            lowered = lower_relation(self.query.relation, context)
        # Two outputs may be the same column.
        made = [
            pl.col(column_name(output.id)).alias(f"o{i}")
            for i, output in enumerate(self.query.outputs)
        ]
        return exactly(lowered.frame, made)

    def may_spill(self) -> bool:
        """See `actors.planner.Program`."""
        return may_spill(self.query)

    def arrow(self, found: pl.DataFrame) -> pa.Table:
        """What `build` gave, collected, under the names and in the types of the query."""
        outputs = [
            (name, output.type, isinstance(found.schema[f"o{i}"], pl.Decimal))
            for i, (name, output) in enumerate(
                zip(self.query.names, self.query.outputs, strict=True)
            )
        ]
        return decode(found, outputs)

    def schema(self) -> pa.Schema:
        """Of the result."""
        outputs = zip(self.query.names, self.query.outputs, strict=True)
        return pa.schema([result_field(name, output.type) for name, output in outputs])

    def translated(self, error: pl.exceptions.PolarsError) -> MobulaError:
        """One of our errors for one of Polars'."""
        fault = fault_of(error)
        if fault is not None:
            return fault
        text = str(error).strip()
        message = text.splitlines()[0] if text else type(error).__name__
        lowered = text.lower()
        match error:
            case pl.exceptions.ComputeError() if "parquet" in lowered:
                return CorruptData(message)
            case pl.exceptions.ComputeError() | pl.exceptions.InvalidOperationError() if (
                "overflow" in lowered or "conversion from" in lowered
            ):
                return InvalidRequest(f"a value is out of range: {message}", "22003")
            case pl.exceptions.InvalidOperationError() if "not supported" in lowered:
                return NotYet(message)
            case _:
                return InternalError(f"Polars cannot run this query: {message}")


def _scanned(found: InputFrame) -> ScannedInput:
    columns = {}
    for column in found.columns:
        known = found.ranges.get(column.id)
        bounds = None
        if known is not None and known.low is not None and known.high is not None:
            bounds = Range(known.low, known.high)
        wide = isinstance(column.type, DecimalType) and column.type.precision > SCALED_PRECISION_MAX
        columns[column.name] = ScannedColumn(
            type=plain_type(column.type),
            range=bounds,
            nullable=column.nullable if known is None else known.has_null,
            wide=wide,
        )
    return ScannedInput(found.frame, columns)

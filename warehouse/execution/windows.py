"""Window functions: lowering of `Window`.

Calls with the same PARTITION BY and ORDER BY are one pass: a Python function over whole columns
that sorts the rows once (`window_layout`), finds each row's frame as spans of positions
(`window_frames`), runs every call's kernel over them, and hands back a column of structs with a
field per call. The function gets nothing but the keys and arguments, so the other columns are not
moved, and Polars still drops what nobody reads. It sees all rows at once: a filter or a limit above
stays above.

Kernels are in `warehouse.functions.windows` (functions that need OVER), `window_aggregates`
and, for aggregates without one, `window_general`. Aggregates of whole partitions need no pass
(`window_whole`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

import warehouse.functions.aggregates
import warehouse.functions.windows  # noqa: F401 - registers them
from storage.errors import InvalidRequest, NotYet
from warehouse.algebra.expressions import (
    Cast,
    ColumnRef,
    Expr,
    Frame,
    FrameBound,
    SortKey,
    WindowCall,
)
from warehouse.algebra.relations import Window
from warehouse.algebra.types import is_integer
from warehouse.execution.keys import aligned, equality_key
from warehouse.execution.lowered import Context, Lowered, column_name, column_of
from warehouse.execution.ranges import type_range
from warehouse.execution.value import INT64, Range, Value, carrier, raised
from warehouse.execution.window_aggregates import ROWS_MAX, plan_aggregate
from warehouse.execution.window_frames import FrameShape, checked_offset, shape_of
from warehouse.execution.window_general import plan_general
from warehouse.execution.window_layout import Key, lay_out
from warehouse.execution.window_plan import Kernel, Plan, Scope, refuse
from warehouse.execution.window_whole import sees_whole_partition, spread
from warehouse.functions.registry import Function, functions_named

__all__ = ["lower_window"]

DEFAULT_FRAME = Frame("range", FrameBound("unbounded preceding"), FrameBound("current"))
RANKS = Range(0, ROWS_MAX)


def lower_window(node: Window, input: Lowered, context: Context) -> Lowered:  # noqa: A002
    """The input's columns and one per call.

    Raises:
        InvalidRequest: a constant frame offset is NULL or negative.
        NotYet: IGNORE NULLS; an order that Polars does not have.
    """
    whole = [(output, call) for output, call in node.calls if sees_whole_partition(call)]
    frame = input.frame
    columns = dict(input.columns)
    if whole:
        done = spread(whole, input, context)
        frame, columns = done.frame, dict(done.columns)
    passes: dict[tuple[Any, Any], _Pass] = {}
    for output, call in node.calls:
        if output.id in columns:
            continue
        key = (call.partition, call.order)
        found = passes.get(key)
        if found is None:
            found = passes[key] = _Pass(input, context)
            found.sort_by(call.partition, call.order)
        columns[output.id] = column_of(output.id, found.add(output, call))
    named = {f"window{i}": found for i, found in enumerate(passes.values())}
    frame = frame.with_columns(found.expr().alias(name) for name, found in named.items())
    fields = [
        pl.col(name).struct.field(inner) for name, found in named.items() for inner in found.outputs
    ]
    return Lowered(frame.with_columns(fields).drop(list(named)), columns)


@dataclass(frozen=True, slots=True)
class _Call:
    """A kernel with the places of its arguments among the inputs of its pass."""

    kernel: Kernel
    arguments: tuple[int, ...]
    clause: Frame
    offsets: tuple[_Offset, _Offset]
    dtype: Any


@dataclass(frozen=True, slots=True)
class _Offset:
    """The offset of a bound: known, or in an input that has it in every row."""

    value: Any = None
    place: int | None = None


@dataclass
class _Pass:
    """Calls with one partition and order."""

    input: Lowered
    context: Context
    inputs: list[pl.Expr] = field(default_factory=lambda: [pl.int_range(0, pl.len())])
    partition: list[int] = field(default_factory=list)
    order: list[tuple[int, Value, SortKey]] = field(default_factory=list)
    outputs: dict[str, _Call] = field(default_factory=dict)

    def sort_by(self, partition: Sequence[Expr], order: Sequence[SortKey]) -> None:
        """The keys. A constant orders nothing, and a RANGE offset does not count from one."""
        for expr in partition:
            value = self._lower(expr)
            if not _is_plain_constant(value):
                equal = replace(value, expr=equality_key(value))
                self.partition.append(self._place(raised(equal)))
        for key in order:
            value = self._lower(key.expr)
            self.order.append((self._place(raised(value)), value, key))

    def add(self, output: ColumnRef, call: WindowCall) -> Value:
        """Plan a call; describes its result."""
        clause = call.frame or DEFAULT_FRAME
        offsets = (self._offset(clause, end=False), self._offset(clause, end=True))
        plan = self._plan(call, clause, offsets)
        value = replace(plan.value, type=call.type)
        self.outputs[column_name(output.id)] = _Call(
            plan.kernel,
            tuple(self._place(expr) for expr in plan.inputs),
            clause,
            offsets,
            carrier(value.type, wide=value.wide),
        )
        return value

    def expr(self) -> pl.Expr:
        """The struct of all results, for each row of the input."""
        made = pl.Struct({name: call.dtype for name, call in self.outputs.items()})
        return pl.map_batches(self.inputs, self.run, return_dtype=made)

    def run(self, columns: Sequence[pl.Series]) -> pl.Series:
        """The pass over whole columns. SQL errors leave it as they leave `value.raised`."""
        try:
            return self._run(columns)
        except InvalidRequest as error:
            refuse(error.sqlstate, error.message)

    def _run(self, columns: Sequence[pl.Series]) -> pl.Series:
        length = len(columns[0])
        full = [c if len(c) == length else c.new_from_index(0, length) for c in columns]
        keys = [
            Key(full[place], value.type, key.descending, key.nulls_first)
            for place, value, key in self.order
        ]
        layout = lay_out([full[place] for place in self.partition], keys, length)
        results = []
        scopes: dict[Any, Scope] = {}
        for name, call in self.outputs.items():
            shape = _shape(call, full)
            scope = scopes.setdefault(repr(shape), Scope(layout, shape, keys))
            arguments = [layout.sorted(full[place]) for place in call.arguments]
            found = layout.restored(call.kernel(scope, arguments))
            results.append(found.cast(call.dtype).alias(name))
        return pl.DataFrame(results).to_struct("window")

    def _lower(self, expr: Expr) -> Value:
        return self.context.lower(expr, self.input.columns)

    def _place(self, expr: pl.Expr) -> int:
        """Where an expression is among the inputs."""
        for place, known in enumerate(self.inputs):
            if known.meta.eq(expr):
                return place
        self.inputs.append(expr)
        return len(self.inputs) - 1

    def _offset(self, clause: Frame, *, end: bool) -> _Offset:
        offset = (clause.end if end else clause.start).offset
        if offset is None:
            return _Offset()
        value = self._lower(offset)
        if not value.constant:
            return _Offset(place=self._place(raised(value)))
        known = pl.select(raised(value)).item()
        checked_offset(clause.mode, end, known)
        return _Offset(known)

    def _plan(self, call: WindowCall, clause: Frame, offsets: tuple[_Offset, _Offset]) -> Plan:
        if call.ignore_nulls:
            raise NotYet("IGNORE NULLS is not supported; filter NULLs out before the window")
        entry = _window_function(call.fn)
        if entry is not None:
            return self._plan_function(call, entry)
        condition = raised(self._lower(call.filter)) if call.filter is not None else None
        values = [self._lower(arg) for arg in call.args]
        known = all(offset.place is None for offset in offsets)
        shape = shape_of(clause, (offsets[0].value, offsets[1].value)) if known else None
        plan = plan_aggregate(call, values, condition, shape.longest if shape else None)
        return plan or plan_general(call, values, condition, self.context)

    def _plan_function(self, call: WindowCall, entry: Function) -> Plan:
        if call.filter is not None:
            raise NotYet("FILTER is not implemented for non-aggregate window functions")
        implementation = entry.implementation
        assert implementation is not None

        def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
            found: pl.Series = implementation(scope, *columns)
            return found

        if not call.args:
            exact = is_integer(call.type)
            known = Value(pl.lit(None), call.type, range=RANKS if exact else None, nullable=False)
            return Plan((), kernel, known)
        kinds = entry.signature.arguments
        values = [
            self._lower(arg if kind == "int4" or arg.type == call.type else _cast(arg, call))
            for arg, kind in zip(call.args, kinds, strict=True)
        ]
        if kinds[0] == "int4":
            return Plan(_inputs(values), kernel, Value(pl.lit(None), call.type, range=RANKS))
        same = aligned([value for value, kind in zip(values, kinds, strict=True) if kind != "int4"])
        faults = []
        if len(same) == 2:
            faults = [pl.lit(None, pl.String) if same[1].fault is None else same[1].fault]
            same[1] = replace(same[1], fault=None)
        inputs = (*_inputs([same[0], *values[1:2], *same[1:]]), *faults)
        return Plan(inputs, kernel, _any_of(same))


def _shape(call: _Call, columns: Sequence[pl.Series]) -> FrameShape:
    """The frame clause with its offsets; those in columns are in any row."""
    known = []
    for offset, end in zip(call.offsets, (False, True), strict=True):
        if offset.place is None or not len(columns[0]):
            known.append(0 if offset.place is not None else offset.value)
            continue
        known.append(columns[offset.place].item(0))
        checked_offset(call.clause.mode, end, known[-1])
    return shape_of(call.clause, (known[0], known[1]))


def _window_function(key: str) -> Function | None:
    for entry in functions_named(key.partition("(")[0]):
        if entry.kind == "window" and entry.signature.key == key:
            return entry
    return None


def _cast(arg: Expr, call: WindowCall) -> Expr:
    return Cast(type=call.type, arg=arg)


def _inputs(values: Sequence[Value]) -> tuple[pl.Expr, ...]:
    return tuple(raised(value) for value in values)


def _is_plain_constant(value: Value) -> bool:
    return value.constant and value.fault is None


def _any_of(values: Sequence[Value]) -> Value:
    """What is known of a column of values of other rows, or NULL."""
    bounds = values[0].range
    for value in values[1:]:
        bounds = bounds.union(value.range) if bounds is not None and value.range else None
    if bounds is None and is_integer(values[0].type):
        bounds = type_range(values[0].type) or INT64
    return Value(pl.lit(None), values[0].type, range=bounds, wide=values[0].wide)

"""Relations to Polars lazy frames: one function per node, dispatched by `lower_relation`.

Nothing is computed here but constants, and the rounds of recursion (`recursion`). The frames leave
projection and predicate pushdown to Polars: a filter stays a plain filter, a column a plain
column, and only expressions that may fail carry the check that raises their faults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from storage.errors import InternalError, NotYet
from warehouse.algebra.expressions import Call, Expr, conjuncts
from warehouse.algebra.relations import (
    Aggregate,
    CteScan,
    Distinct,
    Empty,
    Filter,
    Join,
    Limit,
    Project,
    Recursive,
    Relation,
    Sample,
    Scan,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    WorkingTable,
)
from warehouse.execution.binding import packs
from warehouse.execution.lowered import (
    PRESENT,
    Context,
    Lowered,
    materialised,
    renamed,
)
from warehouse.execution.value import Value, raised

__all__ = ["Context", "Lowered", "filtered", "lower_node", "lower_relation"]

CONDITION = "condition"


def lower_relation(node: Relation, context: Context) -> Lowered:
    """The rows of a relation without subqueries and lateral joins.

    Raises:
        InvalidRequest: a constant (LIMIT, VALUES, …) is in error.
        NotYet: what execution does not have.
        InternalError: a node that unnesting should have removed.
    """
    held = context.held.get(id(node))
    if held is not None:
        return held
    if context.spill is not None and id(node) in context.spill.operators:
        from warehouse.execution.spilling.operators import lower_on_disk

        return lower_on_disk(node, context)
    return lower_node(node, context)


def lower_node(node: Relation, context: Context) -> Lowered:
    """`lower_relation` of an operator that works in memory; what is below it may not."""
    lowering = _LOWERINGS.get(type(node))
    if lowering is None:
        raise InternalError(f"no lowering of {type(node).__name__}")
    return lowering(node, context)


# --- leaves ---------------------------------------------------------------------------------------


def _scan(node: Scan, context: Context) -> Lowered:
    found = context.inputs.get(node.input)
    if found is None:
        raise InternalError(f"the plan has no input {node.input}")
    items = {}
    for output, source in zip(node.outputs, node.sources, strict=True):
        known = found.columns[source]
        items[output.id] = Value(
            pl.col(source), known.type, known.range, known.nullable, known.wide
        )
    return materialised(found.frame, items)


def _empty(node: Empty, context: Context) -> Lowered:
    return Lowered(pl.LazyFrame({PRESENT: [True]}), {})


def _cte_scan(node: CteScan, context: Context) -> Lowered:
    """All references share one cached frame, so the definition runs once. Where operators work on
    the disk, several runs refer to it: it is computed before them, and stored."""
    definition = context.definitions.get(node.cte)
    if definition is None:
        raise InternalError(f"the plan has no common table expression {node.cte}")
    found = context.ctes.get(node.cte)
    if found is None:
        made = lower_relation(definition.relation, context)
        if context.spill is None:
            found = Lowered(made.frame.cache(), made.columns)
        else:
            from warehouse.execution.spilling.parts import kept

            found, _ = kept(made, context.spill.space)
        context.ctes[node.cte] = found
    return renamed(found, definition.relation.columns, node.outputs)


def _working_table(node: WorkingTable, context: Context) -> Lowered:
    found = context.working.get(node.id)
    if found is None:
        raise NotYet(
            "a recursive query inside of the recursive term of another one, which refers to both"
        )
    values = found.columns.values()
    items = {output.id: value for output, value in zip(node.outputs, values, strict=True)}
    return materialised(found.frame, items)


# --- rows by rows ---------------------------------------------------------------------------------


def _project(node: Project, context: Context) -> Lowered:
    below = lower_relation(node.input, context)
    items = {column.id: context.lower(expr, below.columns) for column, expr in node.items}
    return materialised(below.frame, items)


def _filter(node: Filter, context: Context) -> Lowered:
    below = lower_relation(node.input, context)
    return filtered(below, conjuncts(node.predicate), context)


def filtered(below: Lowered, parts: list[Expr], context: Context) -> Lowered:
    """The rows for which all parts are true, tried left to right."""
    frame, columns = below.frame, dict(below.columns)
    for part in parts:
        value = context.lower(part, columns)
        if value.constant and value.fault is None and value.literal is True:
            continue
        condition = raised(value)
        if packs(condition):
            # As a column first: see `binding`.
            frame = frame.with_columns(condition.alias(CONDITION)).filter(pl.col(CONDITION))
            frame = frame.drop(CONDITION)
        else:
            frame = frame.filter(condition)
        for key in _never_null(part):
            if key in columns and columns[key].nullable:
                known = columns[key]
                columns[key] = Value(known.expr, known.type, known.range, False, known.wide)
    return Lowered(frame, columns)


def _never_null(part: Expr) -> list[int]:
    """Columns that the condition `column IS NOT NULL` excludes NULL from."""
    match part:
        case Call(fn="not", args=(Call(fn="is null", args=(column,)),)) if hasattr(column, "id"):
            return [column.id]
        case _:
            return []


# --- dispatch -------------------------------------------------------------------------------------


def _window(node: Window, context: Context) -> Lowered:
    from warehouse.execution.windows import lower_window

    return lower_window(node, lower_relation(node.input, context), context)


def _imported(module: str, name: str) -> Callable[[Any, Context], Lowered]:
    """A function of a module that itself imports this one."""

    def call(node: Any, context: Context) -> Lowered:
        import importlib

        found = getattr(importlib.import_module(f"warehouse.execution.{module}"), name)
        lowered: Lowered = found(node, context)
        return lowered

    return call


_LOWERINGS: dict[type[Relation], Callable[[Any, Context], Lowered]] = {
    Aggregate: _imported("aggregates", "lower_aggregate"),
    CteScan: _cte_scan,
    Distinct: _imported("sets", "lower_distinct"),
    Empty: _empty,
    Filter: _filter,
    Join: _imported("joins", "lower_join"),
    Limit: _imported("sorting", "lower_limit"),
    Project: _project,
    Recursive: _imported("recursion", "lower_recursive"),
    Sample: _imported("sampling", "lower_sample"),
    Scan: _scan,
    SetOperation: _imported("sets", "lower_set_operation"),
    Sort: _imported("sorting", "lower_sort"),
    Unnest: _imported("unnest", "lower_unnest"),
    Values: _imported("values", "lower_values"),
    Window: _window,
    WorkingTable: _working_table,
}

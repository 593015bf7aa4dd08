"""Small tables and a short notation for relations, for the tests of their lowering."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from storage.schema import SCALED_PRECISION_MAX, DecimalType
from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    ColumnRef,
    Expr,
    Literal,
    SortKey,
)
from warehouse.algebra.relations import Aggregate, Join, Project, Query, Relation, Scan
from warehouse.algebra.types import BIGINT, BOOLEAN, INTEGER, AnyType
from warehouse.execution.literals import from_carrier, to_carrier
from warehouse.execution.lowered import Context, ScannedColumn, ScannedInput
from warehouse.execution.relations import lower_relation
from warehouse.execution.value import carrier, fault_of

Row = tuple[Any, ...]


class Tables:
    """Tables of a test, the ids of its columns, and the way to run a relation."""

    def __init__(self) -> None:
        self.inputs: dict[str, ScannedInput] = {}
        self._ids = itertools.count(1)

    def column(self, kind: AnyType) -> ColumnRef:
        """A new column."""
        return ColumnRef(type=kind, id=next(self._ids))

    def scan(self, rows: Iterable[Row], *kinds: AnyType, nullable: bool = True) -> Scan:
        """A new table with these rows."""
        name = f"t{len(self.inputs)}"
        columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
        frame, known = {}, {}
        for i, (values, kind) in enumerate(zip(columns, kinds, strict=True)):
            wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
            held = [None if v is None else to_carrier(v, kind, wide=wide) for v in values]
            frame[f"f{i}"] = pl.Series(held, dtype=carrier(kind, wide=wide))
            known[f"f{i}"] = ScannedColumn(kind, None, nullable, wide)
        self.inputs[name] = ScannedInput(pl.DataFrame(frame).lazy(), known)
        outputs = tuple(self.column(kind) for kind in kinds)
        return Scan(input=name, outputs=outputs, sources=tuple(frame))

    def project(self, relation: Relation, *exprs: Expr) -> Project:
        """Exactly these expressions."""
        return Project(
            input=relation, items=tuple((self.column(expr.type), expr) for expr in exprs)
        )

    def aggregate(
        self,
        relation: Relation,
        keys: Iterable[Expr],
        *calls: AggregateCall,
        sets: tuple[tuple[int, ...], ...] | None = None,
    ) -> Aggregate:
        """GROUP BY keys."""
        return Aggregate(
            input=relation,
            keys=tuple((self.column(key.type), key) for key in keys),
            calls=tuple((self.column(each.type), each) for each in calls),
            sets=sets,
        )

    def mark(self, left: Relation, right: Relation, condition: Expr | None, **how: Any) -> Join:
        """A mark join."""
        mark = self.column(BOOLEAN)
        return Join(kind="mark", left=left, right=right, condition=condition, mark=mark, **how)

    def run(self, relation: Relation, context: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows, as they come. A fault is raised as the error that it is."""
        lowered = lower_relation(relation, Context(inputs=self.inputs, **(context or {})))
        names = [f"c{column.id}" for column in relation.columns]
        try:
            found = lowered.frame.collect(
                engine="streaming", optimizations=pl.QueryOptFlags(join_order=False)
            )
        except pl.exceptions.PolarsError as error:
            raise fault_of(error) or error from None
        if not names:
            return [()] * found.height
        kinds = [column.type for column in relation.columns]
        for column in relation.columns:
            value = lowered.columns[column.id]
            assert found.schema[f"c{column.id}"] == carrier(column.type, wide=value.wide)
            assert value.nullable or not found[f"c{column.id}"].has_nulls()
        return [tuple(map(_python, row, kinds)) for row in found.select(names).iter_rows()]

    def set(self, relation: Relation) -> list[Row]:
        """The rows in an order of their own."""
        return ordered(self.run(relation))


def _python(value: Any, kind: AnyType) -> Any:
    return None if value is None else from_carrier(value, kind)


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows sorted, whatever they hold."""
    return sorted(rows, key=repr)


def query(relation: Relation, *names: str) -> Query:
    """A statement that shows all columns."""
    return Query(relation=relation, outputs=relation.columns, names=names)


def call(fn: str, *args: Expr, kind: AnyType = BOOLEAN) -> Call:
    """A call of a function or operator."""
    return Call(type=kind, fn=fn, args=args)


def eq(left: Expr, right: Expr) -> Call:
    """left = right"""
    return call("=", left, right)


def every(*parts: Expr) -> Call:
    """AND"""
    return call("and", *parts)


def lit(value: Any, kind: AnyType = INTEGER) -> Literal:
    """A constant."""
    return Literal(type=kind, value=value)


def agg(fn: str, *args: Expr, kind: AnyType = BIGINT, **how: Any) -> AggregateCall:
    """A call of an aggregate function."""
    return AggregateCall(type=kind, fn=fn, args=args, **how)


def asc(expr: Expr) -> SortKey:
    """Ascending, NULLs last."""
    return SortKey(expr=expr)


def desc(expr: Expr) -> SortKey:
    """Descending, NULLs first."""
    return SortKey(expr=expr, descending=True, nulls_first=True)

"""`TableRules`: a table's DEFAULT values and CHECK constraints, applied to rows on their way in.

Their texts are bound once, against the table's columns and the types of the database; what is left
is algebra, which can be pickled to wherever rows are written. There they are evaluated as a
query's expressions are, over the same carriers.

A text in the catalogue names user-defined types with their schemas (`qualified_text`), so that it
means the same for every search path.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa

import warehouse.functions.all  # noqa: F401 (registers every function)
from actors.messages import Session
from actors.planner import Latest
from storage.errors import InternalError, InvalidRequest, UnknownObject
from storage.micropartition.carriers import carrier_frame
from storage.schema import (
    SCALED_PRECISION_MAX,
    Column,
    DecimalType,
    SqlType,
    arrow_schema,
    plain_type,
)
from storage.snapshot.model import Snapshot, TableState
from storage.target import IngestTarget
from warehouse.algebra.expressions import ColumnRef, Expr
from warehouse.algebra.walk import columns_used
from warehouse.binder.context import Binding, Collector
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.scope import Scope, ScopeColumn, ScopeTable
from warehouse.execution.decode import arrow_column
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.lowered import exactly
from warehouse.execution.ranges import type_range
from warehouse.execution.value import Value, fault_of, raised
from warehouse.optimizer.fold import folded
from warehouse.planning.assignment import assigned
from warehouse.planning.catalogue import SnapshotCatalogue
from warehouse.syntax.statements import StatementGrammar
from warehouse.syntax.tree import TypeName

__all__ = [
    "BoundCheck",
    "TableRules",
    "bind_check",
    "bind_default",
    "definition_binding",
    "qualified_text",
    "table_rules",
]

SHOWN_CHARACTERS = 64  # of a value in an error, as in PostgreSQL
_ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCheck:
    """CONSTRAINT name CHECK: a condition over columns by the ids of the table's."""

    name: str
    condition: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRules:
    """Implements `storage.target.RowRules`, for one statement.

    Attributes:
        values: by column id, the DEFAULT of a column, in its type.
        now: the time of the statement in UTC, without a zone.
    """

    values: Mapping[int, Expr]
    conditions: tuple[BoundCheck, ...]
    now: datetime.datetime

    def defaults(self, columns: tuple[Column, ...], row_count: int) -> pa.Table:
        """See `RowRules.defaults`. Raises InvalidRequest: an expression ends in an error."""
        environment = Environment(columns={}, now=self.now)
        made = [lower(self.values[column.id], environment) for column in columns]
        rows = pl.LazyFrame({_ROWS: pl.repeat(True, row_count, dtype=pl.Boolean, eager=True)})
        found = _collected(exactly(rows, [raised(v).alias(f"o{i}") for i, v in enumerate(made)]))
        arrays = [
            arrow_column(found[f"o{i}"], plain_type(column.type), value.wide)
            for i, (column, value) in enumerate(zip(columns, made, strict=True))
        ]
        names = [column.name for column in columns]
        return pa.Table.from_arrays(arrays, names=names).cast(_nullable(columns))

    def check(self, rows: pa.Table, target: IngestTarget) -> None:
        """See `RowRules.check`."""
        if not self.conditions or not rows.num_rows:
            return
        used = set().union(*(columns_used(check.condition) for check in self.conditions))
        columns = [column for column in target.schema.columns if column.id in used]
        environment = Environment(columns={c.id: _value(c) for c in columns}, now=self.now)
        carried = carrier_frame(rows, columns).get_columns()
        frame = pl.DataFrame(
            [
                pl.repeat(True, rows.num_rows, dtype=pl.Boolean, eager=True).alias(_ROWS),
                *(s.alias(f"c{c.id}") for s, c in zip(carried, columns, strict=True)),
            ]
        )
        made = [
            raised(lower(check.condition, environment)).alias(f"o{i}")
            for i, check in enumerate(self.conditions)
        ]
        found = _collected(exactly(frame.lazy(), made))
        broken = [
            (int(wrong[0]), check.name)
            for i, check in enumerate(self.conditions)
            if len(wrong := found[f"o{i}"].not_().fill_null(False).arg_true())
        ]
        if broken:
            row, name = min(broken)
            raise InvalidRequest(
                f'new row for relation "{target.table_name}" violates check constraint "{name}":'
                f" failing row contains {_shown(rows, row)}",
                "23514",
            )


def _value(column: Column) -> Value:
    kind = plain_type(column.type)
    wide = isinstance(kind, DecimalType) and kind.precision > SCALED_PRECISION_MAX
    return Value(pl.col(f"c{column.id}"), kind, type_range(kind), column.nullable, wide)


def _collected(frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect()
    except pl.exceptions.PolarsError as error:
        fault = fault_of(error)
        if fault is None:
            raise InternalError(f"a DEFAULT or CHECK does not run: {error}") from error
        raise fault from None


def _nullable(columns: tuple[Column, ...]) -> pa.Schema:
    """Their Arrow types; that NULLs are not allowed is looked at later."""
    return pa.schema([field.with_nullable(True) for field in arrow_schema(columns)])


def _shown(rows: pa.Table, position: int) -> str:
    values = rows.slice(position, 1).to_pylist()[0].values()
    texts = ["null" if value is None else str(value) for value in values]
    cut = [
        text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..." for text in texts
    ]
    return f"({', '.join(cut)})"


# --- binding --------------------------------------------------------------------------------------


def table_rules(table: TableState, snapshot: Snapshot, now: datetime.datetime) -> TableRules | None:
    """The rules of a table; None if it has none."""
    if not table.checks and all(column.default is None for column in table.columns):
        return None
    catalogue = SnapshotCatalogue({Latest(): snapshot}, Session())
    columns = [(column.name, column.type, column.id) for column in table.columns]
    values = {
        column.id: bind_default(
            StatementGrammar(column.default).expression(),
            column.type,
            column.name,
            Binding(column.default, catalogue),
        )
        for column in table.columns
        if column.default is not None
    }
    conditions = tuple(
        BoundCheck(
            name=check.name,
            condition=bind_check(
                StatementGrammar(check.sql).expression(),
                table.name,
                columns,
                Binding(check.sql, catalogue),
            ),
        )
        for check in table.checks
    )
    return TableRules(values=values, conditions=conditions, now=now)


def definition_binding(text: str, catalogue: SnapshotCatalogue) -> Binding:
    """For expressions of a table's definition: nothing that belongs to one session is in reach."""
    session = Session(id=catalogue.session.id, schema_path=catalogue.session.schema_path)
    return Binding(text, SnapshotCatalogue(catalogue.snapshots, session))


def bind_default(node: Any, kind: Any, column: str, binding: Binding) -> Expr:
    """DEFAULT node, as a value of a column of type `kind`.

    Raises InvalidRequest (0A000 for a column or subquery in it; 42804 for a type that does not fit)
    and what binding raises.
    """
    try:
        expr = _binder(binding, Scope(), "DEFAULT expressions").bind(node)
    except UnknownObject as error:
        if error.sqlstate != "42703":
            raise
        raise InvalidRequest(
            f"column {column}: cannot use column reference in DEFAULT expression", "0A000"
        ) from None
    return folded(assigned(expr, kind, column))


def bind_check(
    node: Any, table: str, columns: Sequence[tuple[str, SqlType, int]], binding: Binding
) -> Expr:
    """CHECK (node) over columns (name, type, id). Raises InvalidRequest and what binding raises."""
    scope = Scope()
    own = (
        ScopeColumn(name, ColumnRef(type=plain_type(kind), id=number))
        for name, kind, number in columns
    )
    scope.add(ScopeTable(table, tuple(own)))
    return folded(_binder(binding, scope, "check constraints").boolean(node, "CHECK"))


def _binder(binding: Binding, scope: Scope, where: str) -> ExpressionBinder:
    def refuse(*_: Any) -> Any:
        raise InvalidRequest(f"cannot use subquery in {where}", "0A000")

    return ExpressionBinder(binding, scope, Collector(where=where), refuse)


def qualified_text(text: str, catalogue: SnapshotCatalogue) -> str:
    """An expression's text with the schema before every user-defined type that lacks it."""
    known = catalogue.types
    if not known:
        return text
    made, end = [], 0
    for name in sorted(_type_names(StatementGrammar(text).expression()), key=lambda n: n.at):
        schema = next((s for s in catalogue.path if (s, name.name[-1]) in known), None)
        if len(name.name) == 1 and schema is not None and _is_written(name, text):
            quoted = schema.replace('"', '""')
            made.append(f'{text[end : name.at]}"{quoted}".')
            end = name.at
    return "".join(made) + text[end:]


def _is_written(name: TypeName, text: str) -> bool:
    """Does the name itself stand at its place? (`integer` is called `int4` in the tree.)"""
    return text[name.at :].lstrip('"').lower().startswith(name.name[-1].lower())


def _type_names(node: Any) -> list[TypeName]:
    if isinstance(node, TypeName):
        return [node]
    if isinstance(node, msgspec.Struct):
        return [n for f in node.__struct_fields__ for n in _type_names(getattr(node, f))]
    if isinstance(node, tuple):
        return [n for item in node for n in _type_names(item)]
    return []

"""FROM: tables, CTEs, derived tables, functions, files, and their joins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import ArrayType, StructType
from warehouse.algebra import types
from warehouse.algebra.expressions import (
    Call,
    Cast,
    ColumnRef,
    Expr,
    Literal,
    both,
)
from warehouse.algebra.relations import (
    CteScan,
    Empty,
    Filter,
    Join,
    Project,
    Relation,
    Sample,
    Scan,
    Unnest,
    Values,
    WorkingTable,
)
from warehouse.algebra.types import AnyType, base_name, shown
from warehouse.algebra.walk import free_columns
from warehouse.binder.coercion import coerce
from warehouse.binder.comparisons import compare
from warehouse.binder.context import Binding, Collector, TableSource
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.resolve import resolve
from warehouse.binder.scope import Scope, ScopeColumn, ScopeTable
from warehouse.binder.types import common_type
from warehouse.functions.registry import functions_named
from warehouse.syntax import tree
from warehouse.syntax.keywords import FILE_FUNCTIONS, own_function

__all__ = ["KnownCte", "TableBinder"]

# Functions whose one column has a name of its own.
_VALUE_COLUMNS = dict.fromkeys(
    (
        "json_array_elements",
        "json_array_elements_text",
        "jsonb_array_elements",
        "jsonb_array_elements_text",
    ),
    "value",
)

# Functions that need a column definition list, and what gives their objects.
_RECORDS = {
    "json_to_record": "",
    "jsonb_to_record": "",
    "json_to_recordset": "json_array_elements",
    "jsonb_to_recordset": "jsonb_array_elements",
}


@dataclass(frozen=True, slots=True)
class KnownCte:
    """A CTE that FROM may name. `working`: the id of the recursion whose step is being bound."""

    id: int
    names: tuple[str, ...]
    kinds: tuple[AnyType, ...]
    working: bool = False


Bound = tuple[Relation, list[ScopeTable]]


class TableBinder:
    """Binds the FROM of one SELECT.

    Args:
        outer: the scope around the SELECT.
        ctes: visible here, by name.
        queries: binds a query in a scope: (query, scope) -> relation, with output names.
    """

    def __init__(
        self,
        binding: Binding,
        outer: Scope | None,
        ctes: Mapping[str, KnownCte],
        queries: Callable[[tree.QueryNode, Scope | None], tuple[Relation, tuple[str, ...]]],
    ) -> None:
        self._binding = binding
        self._outer = outer
        self._ctes = ctes
        self._queries = queries

    def bind(self, items: Sequence[Any]) -> tuple[Relation, Scope]:
        """The whole clause as one relation, and the scope that it makes."""
        if not items:
            return Empty(), Scope(parent=self._outer)
        relation, tables = self._item(items[0], [])
        for item in items[1:]:
            right, more = self._item(item, tables)
            _check_aliases([*tables, *more])
            relation = self._joined("inner", relation, right, None)
            tables = [*tables, *more]
        return relation, _scope(tables, self._outer)

    def _item(self, node: Any, visible: list[ScopeTable]) -> Bound:
        """`visible`: what a LATERAL item may refer to."""
        match node:
            case tree.JoinRef():
                return self._join(node, visible)
            case tree.TableRef():
                return self._table(node)
            case tree.Derived():
                return self._derived(node, visible)
            case _:
                return self._functions(node, visible)

    def _joined(
        self, kind: str, left: Relation, right: Relation, condition: Expr | None
    ) -> Relation:
        lateral = _refers(right, left)
        if kind == "inner" and isinstance(left, Empty):
            return right if condition is None else Filter(input=right, predicate=condition)
        return Join(kind=kind, left=left, right=right, condition=condition, lateral=lateral)

    # --- tables -----------------------------------------------------------------------------------

    def _table(self, node: tree.TableRef) -> Bound:
        if node.file:
            source = self._binding.catalogue.files("", [node.name[0]], {})
            return self._scan(source, node, node.alias or source.name)
        name = node.name
        cte = self._ctes.get(name[0]) if len(name) == 1 else None
        if cte is not None:
            if node.as_of is not None:
                raise InvalidRequest(f"{name[0]} is a CTE: AS OF applies to tables", "42P01")
            return self._cte(cte, node)
        if name[-1] in self._ctes and len(name) == 1:
            raise UnknownObject(f"table {name[-1]} does not exist", "42P01")
        return self._scan(
            self._binding.catalogue.table(name, node.as_of), node, node.alias or name[-1]
        )

    def _scan(self, source: TableSource, node: tree.TableRef, alias: str) -> Bound:
        outputs = tuple(self._binding.column(kind, name) for name, kind in source.columns)
        if source.rows is not None:
            rows = tuple(
                tuple(Literal(type=o.type, value=v) for o, v in zip(outputs, row, strict=True))
                for row in source.rows
            )
            relation: Relation = Values(rows=rows, outputs=outputs)
        else:
            relation = self._input(source, outputs)
        if node.sample is not None:
            relation = self._sample(relation, node.sample)
        own = [name for name, _ in source.columns]
        names = self._renamed(own, node.columns, alias, node)
        table = _scope_table(alias, names, outputs, source.schema if not node.alias else None)
        if node.columns and not node.file:
            table = replace(table, fields=tuple(own))
        return relation, [table]

    def _input(self, source: TableSource, outputs: tuple[ColumnRef, ...]) -> Relation:
        """The scan of a source, with the casts of what holds texts."""
        names = tuple(name for name, _ in source.columns)
        if source.held is None:
            return Scan(input=source.input, outputs=outputs, sources=names)
        held = tuple(
            self._binding.column(kind, name) for name, kind in zip(names, source.held, strict=True)
        )
        scan = Scan(input=source.input, outputs=held, sources=names)
        values = (
            column if column.type == output.type else Cast(type=output.type, arg=column)
            for column, output in zip(held, outputs, strict=True)
        )
        return Project(input=scan, items=tuple(zip(outputs, values, strict=True)))

    def _sample(self, relation: Relation, node: tree.Sampling) -> Relation:
        if node.method not in ("bernoulli", "system"):
            raise UnknownObject(f"tablesample method {node.method} does not exist", "42704")
        binder = self._expressions(Scope(parent=self._outer), "TABLESAMPLE")
        percent = coerce(binder.bind(node.percent), types.DOUBLE)
        seed = None if node.seed is None else coerce(binder.bind(node.seed), types.DOUBLE)
        return Sample(input=relation, method=node.method, percent=percent, seed=seed)

    def _cte(self, cte: KnownCte, node: tree.TableRef) -> Bound:
        outputs = tuple(
            self._binding.column(kind, name)
            for name, kind in zip(cte.names, cte.kinds, strict=True)
        )
        make = (
            WorkingTable(id=cte.id, outputs=outputs)
            if cte.working
            else CteScan(cte=cte.id, outputs=outputs)
        )
        alias = node.alias or node.name[-1]
        names = self._renamed(list(cte.names), node.columns, alias, node)
        relation: Relation = make
        if node.sample is not None:
            relation = self._sample(relation, node.sample)
        return relation, [_scope_table(alias, names, outputs)]

    def _derived(self, node: tree.Derived, visible: list[ScopeTable]) -> Bound:
        scope = _scope(visible, self._outer) if node.lateral else self._outer
        relation, names = self._queries(node.query, scope)
        renamed = self._renamed(list(names), node.columns, node.alias or "subquery", node)
        return relation, [_scope_table(node.alias, renamed, relation.columns)]

    def _renamed(
        self, names: list[str], given: tuple[str, ...], alias: str, node: tree.Node
    ) -> list[str]:
        if len(given) > len(names):
            raise InvalidRequest(
                f'table "{alias}" has {len(names)} columns available but {len(given)} columns'
                f" specified{self._binding.place(node)}",
                "42P10",
            )
        return [*given, *names[len(given) :]]

    # --- functions --------------------------------------------------------------------------------

    def _functions(self, node: tree.FunctionRef, visible: list[ScopeTable]) -> Bound:
        first = node.calls[0].name[-1]
        ours = [call for call in node.calls if own_function(call.name)]
        if first in FILE_FUNCTIONS and not ours:
            return self._files(node, first)
        if node.definitions and not ours and first in _RECORDS and len(node.calls) == 1:
            return self._records(node, visible)
        if node.definitions:
            raise InvalidRequest(
                f"a column definition list is only allowed for functions returning record"
                f"{self._binding.place(node)}",
                "42601",
            )
        if ours:
            return self._observed(node, ours[0])
        binder = self._expressions(_scope(visible, self._outer), "functions in FROM")
        items: list[tuple[tuple[ColumnRef, ...], Expr]] = []
        names: list[str] = []
        alias = node.alias or (first if len(node.calls) == 1 else None)
        for call in _spread(node.calls):
            outputs, array, own = self._function(call, binder)
            single = len(outputs) == 1 and len(_spread(node.calls)) == 1 and node.alias is not None
            names += [node.alias or own[0]] if single and own[0] == call.name[-1] else own
            items.append((outputs, array))
        ordinality = None
        if node.ordinality:
            ordinality = self._binding.column(types.BIGINT, "ordinality")
            names.append("ordinality")
        relation = Unnest(input=Empty(), items=tuple(items), ordinality=ordinality)
        renamed = self._renamed(names, node.columns, alias or "rows from", node)
        table = _scope_table(alias, renamed, relation.columns)
        return relation, [replace(table, scalar=len(relation.columns) == 1)]

    def _records(self, node: tree.FunctionRef, visible: list[ScopeTable]) -> Bound:
        """`json_to_recordset(…) AS t(a integer, b text)`: the fields of objects, as columns."""
        call = node.calls[0]
        name = call.name[-1]
        binder = self._expressions(_scope(visible, self._outer), "functions in FROM")
        kind = types.JSONB if name.startswith("jsonb") else types.JSON
        if len(call.args) != 1:
            raise UnknownObject(f"function {name} takes one {shown(kind)}", "42883")
        value = coerce(binder.bind(call.args[0].value), kind)
        if name.endswith("set"):
            inside = tree.FuncCall(call.at, (_RECORDS[name],), call.args)
            _, array = binder.rows_of(_RECORDS[name], inside)
        else:
            array = Call(type=ArrayType(element=kind), fn="array", args=(value,))
        object_ = self._binding.column(kind, name)
        items = []
        for label, type_name in node.definitions:
            wanted = binder.type_of(type_name)
            arrow = "->" if base_name(wanted) in ("json", "jsonb") else "->>"
            key = Literal(type=types.TEXT, value=label)
            entry, bound, found = resolve(arrow, [object_, key], operator=True)
            field = Call(type=found, fn=entry.signature.key, args=bound)
            items.append(
                (self._binding.column(wanted, label), coerce(field, wanted, explicit=True))
            )
        unnest = Unnest(input=Empty(), items=(((object_,), array),))
        relation = Project(input=unnest, items=tuple(items))
        names = [label for label, _ in node.definitions]
        return relation, [_scope_table(node.alias or name, names, relation.columns)]

    def _function(
        self, call: tree.FuncCall, binder: ExpressionBinder
    ) -> tuple[tuple[ColumnRef, ...], Expr, list[str]]:
        name = call.name[-1]
        kinds = {entry.kind for entry in functions_named(name)}
        if "table" not in kinds:
            if "aggregate" in kinds or "window" in kinds:
                binder.call(call)  # refused with its own error
            value = binder.typed(binder.call(call))
            kind = ArrayType(element=value.type)  # type: ignore[arg-type]
            array: Expr = Call(type=kind, fn="array", args=(value,))
            return (self._binding.column(value.type, name),), array, [name]
        entry, array = binder.rows_of(name, call)
        assert isinstance(array.type, ArrayType)
        element = array.type.element
        fields: Sequence[tuple[str, AnyType]]
        if entry.outputs is not None:
            fields = entry.outputs
        elif isinstance(element, StructType):
            fields = element.fields
        else:
            fields = [(_VALUE_COLUMNS.get(name, name), element)]
        outputs = tuple(self._binding.column(kind, label) for label, kind in fields)
        return outputs, array, [label for label, _ in fields]

    def _observed(self, node: tree.FunctionRef, call: tree.FuncCall) -> Bound:
        """`mobula.queries()` and its like: a table of what runs."""
        name, plain = call.name[-1], [arg for arg in call.args if arg.name is None]
        bind = self._expressions(Scope(parent=None), name).bind
        given = [_constant(bind(arg.value), name) for arg in plain if name == "partitions"]
        source = self._binding.catalogue.observed_table(name, *given)
        self._refuse_rows_of_several(node, f"mobula.{name}()")
        if call != tree.FuncCall(call.at, call.name, tuple(plain[: len(given)])):
            raise UnknownObject(
                f"mobula.{name}() takes nothing between its parentheses or behind them"
                f"{self._binding.place(call)}; write WHERE",
                "42883",
            )
        reference = tree.TableRef(node.at, (name,), node.alias, node.columns)
        return self._scan(source, reference, node.alias or name)

    def _refuse_rows_of_several(self, node: tree.FunctionRef, name: str) -> None:
        if node.ordinality or len(node.calls) > 1:
            what = "WITH ORDINALITY" if node.ordinality else "ROWS FROM"
            raise NotYet(f"{what} of {name} is not available{self._binding.place(node)}")

    def _files(self, node: tree.FunctionRef, name: str) -> Bound:
        self._refuse_rows_of_several(node, name)
        binder = self._expressions(Scope(parent=None), name)
        arguments: list[Any] = []
        options: dict[str, Any] = {}
        for arg in node.calls[0].args:
            value = _constant(binder.bind(arg.value), name)
            if arg.name is None:
                arguments.append(value)
            else:
                options[arg.name] = value
        if node.definitions:
            if "columns" in options:
                raise InvalidRequest(
                    f"{name} has its columns from AS and from the option columns"
                    f"{self._binding.place(node)}",
                    "42601",
                )
            options["columns"] = node.definitions
        source = self._binding.catalogue.files(name, arguments, options)
        reference = tree.TableRef(node.at, (name,), node.alias, node.columns, sample=node.sample)
        return self._scan(source, reference, node.alias or name)

    def _expressions(self, scope: Scope, where: str) -> ExpressionBinder:
        return ExpressionBinder(
            self._binding, scope, Collector(where=where), lambda q, s: self._queries(q, s)[0]
        )

    # --- joins ------------------------------------------------------------------------------------

    def _join(self, node: tree.JoinRef, visible: list[ScopeTable]) -> Bound:
        left, ours = self._item(node.left, visible)
        right, theirs = self._item(node.right, [*visible, *ours])
        if node.kind in ("right", "full") and _refers(right, left):
            raise InvalidRequest(
                "invalid reference to FROM-clause entry: the combining JOIN type must be INNER or"
                f" LEFT for a LATERAL reference{self._binding.place(node)}",
                "42P10",
            )
        _check_aliases([*ours, *theirs])
        if node.kind in ("right", "full"):
            ours = [self._may_miss(table) for table in ours]
        if node.kind in ("left", "full"):
            theirs = [self._may_miss(table) for table in theirs]
        kind = "inner" if node.kind == "cross" else node.kind
        using = self._common(ours, theirs) if node.natural else list(node.using)
        if using or node.natural:
            return self._using(node, kind, (left, ours), (right, theirs), using)
        condition = None
        if node.on is not None:
            scope = _scope([*ours, *theirs], self._outer)
            condition = self._expressions(scope, "JOIN conditions").boolean(node.on, "JOIN/ON")
        return self._joined(kind, left, right, condition), [*ours, *theirs]

    def _may_miss(self, table: ScopeTable) -> ScopeTable:
        """A table of the side that an outer join pads with NULL."""
        if table.presence is not None or table.alias is None:
            return table
        return replace(table, presence=self._binding.column(types.BOOLEAN, "present"))

    def _common(self, ours: list[ScopeTable], theirs: list[ScopeTable]) -> list[str]:
        right = {c.name for table in theirs for c in table.columns if c.name not in table.hidden}
        return [
            c.name
            for table in ours
            for c in table.columns
            if c.name in right and c.name not in table.hidden
        ]

    def _using(
        self, node: tree.JoinRef, kind: str, left: Bound, right: Bound, names: list[str]
    ) -> Bound:
        conditions: list[Expr] = []
        merged: list[ScopeColumn] = []
        for name in names:
            a, b = (
                self._side(left[1], name, "left", node),
                self._side(right[1], name, "right", node),
            )
            conditions.append(compare("=", a, b, lambda: self._binding.place(node)))
            if kind == "full":
                wide = common_type([a.type, b.type], "JOIN/USING")
                both_sides: Expr = Call(
                    type=wide, fn="coalesce", args=(coerce(a, wide), coerce(b, wide))
                )
                merged.append(ScopeColumn(name, both_sides))
            else:
                wide = common_type([a.type, b.type], "JOIN/USING")
                merged.append(ScopeColumn(name, coerce(b if kind == "right" else a, wide)))
        relation = self._joined(kind, left[0], right[0], both(conditions))
        hide = frozenset(names)
        tables = [replace(table, hidden=table.hidden | hide) for table in (*left[1], *right[1])]
        return relation, [ScopeTable(node.alias, tuple(merged)), *tables]

    def _side(self, tables: list[ScopeTable], name: str, side: str, node: tree.Node) -> Expr:
        found = [
            c.expr
            for table in tables
            if name not in table.hidden
            for c in table.columns
            if c.name == name
        ]
        if not found:
            known = [c.name for table in tables for c in table.columns]
            raise UnknownObject(
                f'column "{name}" specified in USING clause does not exist in {side} table'
                f"{self._binding.place(node)}{nearest(name, known)}",
                "42703",
            )
        if len(found) > 1:
            raise InvalidRequest(
                f'common column name "{name}" appears more than once in {side} table'
                f"{self._binding.place(node)}",
                "42702",
            )
        return found[0]


def _refers(right: Relation, left: Relation) -> bool:
    """Does the right side use columns of the left one?"""
    return not free_columns(right).isdisjoint(column.id for column in left.columns)


def _spread(calls: Sequence[tree.FuncCall]) -> list[tree.FuncCall]:
    """`unnest(a, b)` as `unnest(a)`, `unnest(b)` side by side."""
    found: list[tree.FuncCall] = []
    for call in calls:
        if call.name[-1] == "unnest" and len(call.args) > 1:
            found += [tree.FuncCall(call.at, call.name, (arg,)) for arg in call.args]
        else:
            found.append(call)
    return found


def _check_aliases(tables: list[ScopeTable]) -> None:
    _scope(tables, None)


def _scope(tables: Sequence[ScopeTable], parent: Scope | None) -> Scope:
    scope = Scope(parent=parent)
    for table in tables:
        scope.add(table)
    return scope


def _scope_table(
    alias: str | None,
    names: Sequence[str],
    columns: Sequence[ColumnRef],
    schema: str | None = None,
) -> ScopeTable:
    pairs = zip(names, columns, strict=True)
    return ScopeTable(alias, tuple(ScopeColumn(name, column) for name, column in pairs), schema)


def _constant(expr: Expr, name: str) -> Any:
    if isinstance(expr, Literal):
        return expr.value
    if isinstance(expr, Call) and expr.fn == "array":
        return [_constant(arg, name) for arg in expr.args]
    raise InvalidRequest(f"the arguments of {name} must be constants", "42601")

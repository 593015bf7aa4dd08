"""Function calls: scalars, aggregates, windows, functions that return rows, special ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.schema import ArrayType, EnumType
from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    Cast,
    ColumnRef,
    Expr,
    Literal,
    SortKey,
)
from warehouse.algebra.types import BIGINT, INTEGER, TEXT, base_name, shown
from warehouse.algebra.walk import columns_used
from warehouse.binder.arguments import positional
from warehouse.binder.coercion import agreed, coerce
from warehouse.binder.comparisons import comparable
from warehouse.binder.context import Collector
from warehouse.binder.objects import is_system_function
from warehouse.binder.resolve import Resolved, resolve
from warehouse.binder.types import common_type, resolve_type
from warehouse.binder.windows import WindowBinder
from warehouse.functions.registry import Function, functions_named
from warehouse.syntax import tree
from warehouse.syntax.keywords import own_function

if TYPE_CHECKING:
    from warehouse.algebra.relations import Relation
    from warehouse.binder.context import Binding
    from warehouse.binder.scope import Scope

__all__ = ["CallBinder", "nulls_first"]

_TYPE_CALLS = frozenset(
    [
        "bool",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "numeric",
        "text",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "interval",
        "uuid",
        "bytea",
        "json",
        "jsonb",
    ]
)


def nulls_first(item: tree.OrderItem) -> bool:
    """Where NULLs go: said, or last if ascending and first if descending."""
    return item.descending if item.nulls_first is None else item.nulls_first


class CallBinder(WindowBinder):
    """The part of `ExpressionBinder` that knows calls."""

    if TYPE_CHECKING:

        def bind(self, node: Any) -> Expr: ...
        def boolean(self, node: Any, clause: str) -> Expr: ...
        def typed(self, expr: Expr) -> Expr: ...

    def __init__(self, binding: Binding, scope: Scope, collector: Collector) -> None:
        self.binding = binding
        self.scope = scope
        self.collector = collector
        self._inside = ""  # "aggregate" or "window" while their arguments are bound
        self._guard = ""  # "CASE" or "COALESCE" while its parts are bound

    def call(self, node: tree.FuncCall) -> Expr:
        """Any function call."""
        name = self._plain_name(node)
        special = self._special(name, node)
        if special is not None:
            return special
        asked = self._asked(name, node)
        if asked is not None:
            return asked
        entries = functions_named(name)
        kinds = {entry.kind for entry in entries}
        if any(arg.variadic for arg in node.args) and kinds == {"scalar"}:
            return self._variadic(name, node)
        udf = self.binding.catalogue.udf(name) if not entries else None
        if udf is not None:
            return self._udf(name, node, *udf)
        if node.over is not None:
            return self._window(name, node, kinds)
        if "window" in kinds and node.within is None and not (node.args and "aggregate" in kinds):
            raise InvalidRequest(
                f"window function {name} requires an OVER clause{self.binding.place(node)}", "42809"
            )
        if "aggregate" in kinds:
            return self._aggregate(name, node)
        self._refuse_clauses(name, node, kinds)
        if "table" in kinds and "scalar" not in kinds:
            return self._table_function(name, node)
        args = self._arguments(name, node)
        if name in _TYPE_CALLS and len(args) == 1:
            kind = resolve_type(tree.TypeName(node.at, (name,)), {}, ())
            return coerce(args[0], kind, explicit=True)
        entry, bound, kind = self._resolve(name, args, node, ("scalar",))
        return Call(type=kind, fn=entry.signature.key, args=bound)

    def _variadic(self, name: str, node: tree.FuncCall) -> Expr:
        """`f(…, VARIADIC array)`: functions take their last arguments as an array, too."""
        args = [self.bind(arg.value) for arg in node.args]
        own = f"variadic {name}"
        if not functions_named(own):
            kinds = ", ".join(shown(arg.type) for arg in args)
            raise UnknownObject(
                f"function {name}(VARIADIC {kinds}) does not exist{self.binding.place(node)}",
                "42883",
            )
        if base_name(args[-1].type) != "unknown" and not isinstance(args[-1].type, ArrayType):
            raise InvalidRequest(
                f"VARIADIC argument must be an array{self.binding.place(node)}", "42804"
            )
        entry, bound, kind = self._resolve(own, args, node, ("scalar",))
        return Call(type=kind, fn=entry.signature.key, args=bound)

    def _asked(self, name: str, node: tree.FuncCall) -> Expr | None:
        """A function that the catalogue answers; None for any other."""
        system = self.binding.catalogue.system if is_system_function(name) else None
        if system is None or not system.knows(name):
            return None
        return system.call(name, self._arguments(name, node))

    def _resolve(
        self, name: str, args: Sequence[Expr], node: Any, kinds: tuple[str, ...]
    ) -> Resolved:
        return resolve(name, args, kinds=kinds, place=lambda: self.binding.place(node))

    def _plain_name(self, node: tree.FuncCall) -> str:
        if len(node.name) == 1 or node.name[0] in ("pg_catalog", "information_schema"):
            return node.name[-1]
        hint = "; functions of this schema stand in FROM" if own_function(node.name) else ""
        raise UnknownObject(
            f"function {'.'.join(node.name)} does not exist{self.binding.place(node)}{hint}",
            "42883",
        )

    def _refuse_clauses(self, name: str, node: tree.FuncCall, kinds: set[str]) -> None:
        if not kinds:
            return
        for clause, value in (
            ("DISTINCT", node.distinct),
            ("ORDER BY", node.order),
            ("FILTER", node.filter is not None),
            ("WITHIN GROUP", node.within is not None),
        ):
            if value:
                raise InvalidRequest(
                    f"{clause} specified, but {name} is not an aggregate function"
                    f"{self.binding.place(node)}",
                    "42809",
                )
        if node.star:
            raise InvalidRequest(
                f"{name}(*) specified, but {name} is not an aggregate function", "42809"
            )

    def _arguments(self, name: str, node: tree.FuncCall) -> list[Expr]:
        if any(arg.variadic for arg in node.args):
            raise NotYet(f"{name}(VARIADIC …) is not available{self.binding.place(node)}")
        given = [(arg.name, self.bind(arg.value)) for arg in node.args]
        if any(argument is not None for argument, _ in given):
            return positional(name, given, lambda: self.binding.place(node))
        return [expr for _, expr in given]

    # --- special calls ----------------------------------------------------------------------------

    def _special(self, name: str, node: tree.FuncCall) -> Expr | None:
        match name:
            case "coalesce" | "greatest" | "least":
                outer, self._guard = self._guard, name.upper()
                args = [self.bind(arg.value) for arg in node.args]
                self._guard = outer
                if not args:
                    raise InvalidRequest(
                        f"{name} needs arguments{self.binding.place(node)}", "42601"
                    )
                args, kind = agreed(args, name.upper())
                return Call(type=kind, fn=name, args=tuple(args))
            case "nullif":
                args = [self.bind(arg.value) for arg in node.args]
                if len(args) != 2:
                    raise InvalidRequest("NULLIF needs two arguments", "42601")
                left, right = comparable("=", args[0], args[1], lambda: self.binding.place(node))
                kind = left.type
                if base_name(kind).startswith("int") and base_name(right.type) == "numeric":
                    kind = common_type([kind, right.type], "NULLIF")
                return Call(type=kind, fn="nullif", args=(coerce(left, kind), right))
            case "grouping":
                return self._grouping(node)
            case "enum_first" | "enum_last" | "enum_range" if len(node.args) == 1:
                return self._labels(name, node)
            case "pg_typeof" if len(node.args) == 1:
                return Literal(type=TEXT, value=shown(self.bind(node.args[0].value).type))
        return None

    def _labels(self, name: str, node: tree.FuncCall) -> Expr:
        """The labels of an ENUM, of which only the argument's type matters."""
        kind = self.bind(node.args[0].value).type
        if not isinstance(kind, EnumType):
            raise UnknownObject(
                f"function {name}({shown(kind)}) does not exist{self.binding.place(node)}", "42883"
            )
        labels = tuple(Literal(type=kind, value=label) for label in kind.labels)
        if name == "enum_range":
            return Call(type=ArrayType(element=kind), fn="array", args=labels)
        return labels[0 if name == "enum_first" else -1]

    def _grouping(self, node: tree.FuncCall) -> Expr:
        if self.collector.aggregates is None:
            raise InvalidRequest(
                f"grouping operations are not allowed in {self.collector.where}"
                f"{self.binding.place(node)}",
                "42803",
            )
        args = tuple(self.bind(arg.value) for arg in node.args)
        call = AggregateCall(type=INTEGER, fn="grouping", args=args)
        return self._collected(call, "grouping", self.collector)

    def _udf(self, name: str, node: tree.FuncCall, expected: Sequence[Any], result: Any) -> Expr:
        args = self._arguments(name, node)
        if len(args) != len(expected):
            kinds = ", ".join(shown(arg.type) for arg in args)
            wanted = ", ".join(shown(kind) for kind in expected)
            raise UnknownObject(
                f"function {name}({kinds}) does not exist{self.binding.place(node)};"
                f" it was registered as {name}({wanted})",
                "42883",
            )
        bound = tuple(coerce(arg, kind) for arg, kind in zip(args, expected, strict=True))
        return Call(type=result, fn=f"udf:{name}", args=bound)

    def _table_function(self, name: str, node: tree.FuncCall) -> Expr:
        collector = self.collector
        where = self._inside or self._guard
        if collector.tables is None or where:
            raise InvalidRequest(
                f"set-returning functions are not allowed in {where or collector.where}"
                f"{self.binding.place(node)}",
                "0A000",
            )
        entry, array = self.rows_of(name, node)
        if entry.outputs is not None:
            kind = array.type.element if isinstance(array.type, ArrayType) else array.type
            column = self.binding.column(kind, name)
        else:
            assert isinstance(array.type, ArrayType)
            column = self.binding.column(array.type.element, name)
        collector.tables.append(((column,), array))
        return column

    def rows_of(self, name: str, node: tree.FuncCall) -> tuple[Function, Expr]:
        """A function that returns rows, as the array of them."""
        args = self._arguments(name, node)
        entry, bound, kind = self._resolve(name, args, node, ("table",))
        if name == "unnest":
            return entry, bound[0]
        array = kind if entry.result is not None and isinstance(kind, ArrayType) else None
        if array is None:
            array = ArrayType(element=kind)  # type: ignore[arg-type]
        return entry, Call(type=array, fn=entry.signature.key, args=bound)

    # --- aggregates -------------------------------------------------------------------------------

    def _aggregate(self, name: str, node: tree.FuncCall) -> Expr:
        if self._inside == "aggregate":
            raise self._nested(node)
        outer, self._inside = self._inside, "aggregate"
        self.collector.inside += 1
        try:
            call = self._aggregate_call(name, node)
        finally:
            self._inside = outer
            self.collector.inside -= 1
        collector = self._owner(call)
        if collector.inside:  # of a query around, by an argument that holds this one
            raise self._nested(node)
        if collector.aggregates is None:
            raise InvalidRequest(
                f"aggregate functions are not allowed in {collector.where}"
                f"{self.binding.place(node)}",
                "42803",
            )
        return self._collected(call, name, collector)

    def _nested(self, node: Any) -> InvalidRequest:
        return InvalidRequest(
            f"aggregate function calls cannot be nested{self.binding.place(node)}", "42803"
        )

    def _collected(self, call: AggregateCall, name: str, collector: Collector) -> ColumnRef:
        assert collector.aggregates is not None
        for column, known in collector.aggregates:
            if known == call:
                return column
        column = self.binding.column(call.type, name)
        collector.aggregates.append((column, call))
        return column

    def _owner(self, call: AggregateCall) -> Collector:
        """The SELECT that the aggregate belongs to: the innermost that its columns come from."""
        parts: list[Expr] = [*call.args, *(key.expr for key in call.order)]
        parts += [key.expr for key in call.within]
        parts += [] if call.filter is None else [call.filter]
        ids = {i for part in parts for i in columns_used(part)}
        scope: Scope | None = self.scope
        while scope is not None and ids:
            if scope.columns & ids:
                break
            scope = scope.parent
        if scope is None or scope is self.scope or not ids:
            return self.collector
        return scope.collector or Collector(where="FROM clause of their own query level")

    def _aggregate_call(self, name: str, node: tree.FuncCall) -> AggregateCall:
        condition = None if node.filter is None else self.boolean(node.filter, "FILTER")
        if node.star:
            entry, bound, kind = self._star(name, node)
            return AggregateCall(type=kind, fn=entry.signature.key, args=bound, filter=condition)
        args = self._arguments(name, node)
        order = tuple(self.sort_key(item) for item in node.order)
        if node.within is not None and order:
            raise InvalidRequest(
                f"cannot use multiple ORDER BY clauses with WITHIN GROUP{self.binding.place(node)}",
                "42601",
            )
        if node.within is not None:
            return self._ordered_set(name, node, args, condition)
        if any(entry.within for entry in functions_named(name) if entry.kind == "aggregate"):
            raise InvalidRequest(
                f"WITHIN GROUP is required for ordered-set aggregate {name}"
                f"{self.binding.place(node)}",
                _misused(name, len(args)),
            )
        if not args and any(e.signature.key == f"{name}(*)" for e in functions_named(name)):
            raise InvalidRequest(
                f"{name}(*) must be used to call a parameterless aggregate function"
                f"{self.binding.place(node)}",
                "42809",
            )
        entry, bound, kind = self._resolve(name, args, node, ("aggregate",))
        if node.distinct and not args:
            raise InvalidRequest(f"DISTINCT needs an argument in {name}", "42601")
        if node.distinct and order and any(key.expr not in (*args, *bound) for key in order):
            raise InvalidRequest(
                "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list"
                f"{self.binding.place(node)}",
                "42P10",
            )
        return AggregateCall(
            type=kind,
            fn=entry.signature.key,
            args=bound,
            distinct=node.distinct,
            filter=condition,
            order=order,
        )

    def _star(self, name: str, node: tree.FuncCall) -> Resolved:
        for entry in functions_named(name):
            if entry.signature.key == f"{name}(*)":
                return entry, (), BIGINT
        raise UnknownObject(f"function {name}() does not exist{self.binding.place(node)}", "42883")

    def _ordered_set(
        self, name: str, node: tree.FuncCall, args: list[Expr], condition: Expr | None
    ) -> AggregateCall:
        assert node.within is not None
        keys = [self.sort_key(item) for item in node.within]
        if not any(entry.within for entry in functions_named(name)):
            raise InvalidRequest(
                f"{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"
                f"{self.binding.place(node)}",
                _misused(name, len(args) + len(keys)),
            )
        exprs = [key.expr for key in keys]
        entry, bound, kind = self._resolve(name, [*args, *exprs], node, ("aggregate",))
        count = len(args)
        if entry.signature.variadic:
            bound = self._hypothetical(name, args, exprs, node)
        within = tuple(
            SortKey(expr=expr, descending=key.descending, nulls_first=key.nulls_first)
            for expr, key in zip(bound[count:], keys, strict=True)
        )
        return AggregateCall(
            type=kind, fn=entry.signature.key, args=bound[:count], filter=condition, within=within
        )

    def _hypothetical(
        self, name: str, args: Sequence[Expr], keys: Sequence[Expr], node: Any
    ) -> tuple[Expr, ...]:
        """The hypothetical row and the keys, each pair in one type."""
        if len(args) != len(keys):
            kinds = ", ".join(shown(expr.type) for expr in (*args, *keys))
            raise UnknownObject(
                f"function {name}({kinds}) does not exist{self.binding.place(node)}; the direct"
                f" arguments must be as many as the ordering columns: {len(keys)}",
                "42883",
            )
        pairs = [agreed(pair, "WITHIN GROUP")[0] for pair in zip(args, keys, strict=True)]
        return (*(arg for arg, _ in pairs), *(key for _, key in pairs))

    def sort_key(self, item: tree.OrderItem) -> SortKey:
        """A key of an order inside a call or window (where a number is a constant)."""
        return SortKey(
            expr=self.typed(self.bind(item.expr)),
            descending=item.descending,
            nulls_first=nulls_first(item),
        )

    # --- columns of subqueries --------------------------------------------------------------------

    def _with_casts(
        self, relation: Relation, wanted: Sequence[Expr]
    ) -> tuple[Relation, tuple[ColumnRef, ...]]:
        """The relation with its columns cast as `wanted` (casts of its own columns) says."""
        from warehouse.algebra.relations import Project

        if all(isinstance(expr, ColumnRef) for expr in wanted):
            return relation, relation.columns
        items: list[tuple[ColumnRef, Expr]] = []
        for column, expr in zip(relation.columns, wanted, strict=True):
            if isinstance(expr, Cast):
                items.append((self.binding.column(expr.type, "cast"), expr))
            else:
                items.append((column, column))
        project = Project(input=relation, items=tuple(items))
        return project, project.columns


def _misused(name: str, count: int) -> str:
    """The SQLSTATE of an aggregate called in the wrong way: without such arguments, unknown."""
    known = any(
        len(entry.signature.arguments) == count or entry.signature.variadic
        for entry in functions_named(name)
        if entry.kind == "aggregate"
    )
    return "42809" if known else "42883"

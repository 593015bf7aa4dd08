"""Function calls: scalars, aggregates, windows, functions that return rows, and the special ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.schema import ArrayType, EnumType
from warehouse.algebra import types
from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    Cast,
    ColumnRef,
    Expr,
    Frame,
    FrameBound,
    Literal,
    SortKey,
    WindowCall,
)
from warehouse.algebra.types import BIGINT, INTEGER, INTERVAL, TEXT, UNKNOWN, base_name, shown
from warehouse.algebra.walk import columns_used
from warehouse.binder.comparisons import comparable
from warehouse.binder.objects import is_system_function
from warehouse.binder.resolve import Resolved, coerce, resolve
from warehouse.binder.types import common_type, resolve_type
from warehouse.functions.registry import Function, functions_named
from warehouse.syntax import tree

if TYPE_CHECKING:
    from warehouse.algebra.relations import Relation
    from warehouse.binder.context import Binding, Collector
    from warehouse.binder.scope import Scope

__all__ = ["CallBinder", "nulls_first"]

_UNFRAMED = frozenset("row_number rank dense_rank percent_rank cume_dist ntile lag lead".split())
_NAMED = {
    "make_interval": ("years", "months", "weeks", "days", "hours", "mins", "secs"),
    "make_date": ("year", "month", "day"),
    "make_time": ("hour", "min", "sec"),
    "make_timestamp": ("year", "month", "mday", "hour", "min", "sec"),
    "make_timestamptz": ("year", "month", "mday", "hour", "min", "sec"),
}
_TYPE_CALLS = frozenset(
    """bool int2 int4 int8 float4 float8 numeric text date time timestamp timestamptz interval
    uuid bytea json jsonb""".split()
)


def nulls_first(item: tree.OrderItem) -> bool:
    """Where NULLs go: said, or last if ascending and first if descending."""
    return item.descending if item.nulls_first is None else item.nulls_first


class CallBinder:
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
        udf = self.binding.catalogue.udf(name) if not entries else None
        if udf is not None:
            return self._udf(name, node, *udf)
        if node.over is not None:
            return self._window(name, node, kinds)
        if "aggregate" in kinds:
            return self._aggregate(name, node)
        self._refuse_clauses(name, node, kinds)
        if "table" in kinds and "scalar" not in kinds:
            return self._table_function(name, node)
        if "window" in kinds and "scalar" not in kinds:
            raise InvalidRequest(
                f"window function {name} requires an OVER clause{self.binding.place(node)}", "42809"
            )
        args = self._arguments(name, node)
        if not entries and name in _TYPE_CALLS and len(args) == 1:
            kind = resolve_type(tree.TypeName(node.at, (name,)), {}, ())
            return coerce(args[0], kind, explicit=True)
        entry, bound, kind = self._resolve(name, args, node, ("scalar",))
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
        raise UnknownObject(
            f"function {'.'.join(node.name)} does not exist{self.binding.place(node)}", "42883"
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
        if any(arg.name is not None for arg in node.args):
            return self._named_arguments(name, node)
        return [self.bind(arg.value) for arg in node.args]

    def _named_arguments(self, name: str, node: tree.FuncCall) -> list[Expr]:
        names = _NAMED.get(name)
        if names is None:
            raise NotYet(f"{name} with named arguments is not available{self.binding.place(node)}")
        given: dict[str, Expr] = {}
        for position, arg in enumerate(node.args):
            key = arg.name if arg.name is not None else names[position]
            if key not in names or key in given:
                raise UnknownObject(f"function {name}({key} => …) does not exist", "42883")
            given[key] = self.bind(arg.value)
        last = max(names.index(key) for key in given)
        zero = Literal(type=INTEGER, value=0)
        return [given.get(key, zero) for key in names[: last + 1]]

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
                kind = common_type([arg.type for arg in args], name.upper())
                return Call(type=kind, fn=name, args=tuple(coerce(arg, kind) for arg in args))
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
            raise InvalidRequest(
                f"aggregate function calls cannot be nested{self.binding.place(node)}", "42803"
            )
        outer, self._inside = self._inside, "aggregate"
        try:
            call = self._aggregate_call(name, node)
        finally:
            self._inside = outer
        collector = self._owner(call)
        if collector.aggregates is None:
            raise InvalidRequest(
                f"aggregate functions are not allowed in {collector.where}"
                f"{self.binding.place(node)}",
                "42803",
            )
        return self._collected(call, name, collector)

    def _collected(self, call: AggregateCall, name: str, collector: Collector) -> ColumnRef:
        assert collector.aggregates is not None
        for column, known in collector.aggregates:
            if known == call:
                return column
        column = self.binding.column(call.type, name)
        collector.aggregates.append((column, call))
        return column

    def _owner(self, call: AggregateCall) -> Collector:
        """The SELECT that the aggregate belongs to: the innermost one that its columns come from."""
        parts: list[Expr] = [*call.args, *(key.expr for key in call.order)]
        parts += [key.expr for key in call.within]
        ids = {i for part in parts for i in columns_used(part)}
        scope: Scope | None = self.scope
        while scope is not None and ids:
            if scope.columns & ids:
                break
            scope = scope.parent
        if scope is None or scope is self.scope or not ids or scope.collector is None:
            return self.collector
        return scope.collector

    def _aggregate_call(self, name: str, node: tree.FuncCall) -> AggregateCall:
        condition = None if node.filter is None else self.boolean(node.filter, "FILTER")
        if node.star:
            entry, bound, kind = self._star(name, node)
            return AggregateCall(type=kind, fn=entry.signature.key, args=bound, filter=condition)
        args = self._arguments(name, node)
        order = tuple(self.sort_key(item) for item in node.order)
        if node.within is not None:
            return self._ordered_set(name, node, args, condition)
        if any(entry.within for entry in functions_named(name) if entry.kind == "aggregate"):
            raise InvalidRequest(
                f"WITHIN GROUP is required for ordered-set aggregate {name}"
                f"{self.binding.place(node)}",
                "42883",
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
                "42883",
            )
        entry, bound, kind = self._resolve(
            name, [*args, *(key.expr for key in keys)], node, ("aggregate",)
        )
        count = len(args)
        within = tuple(
            SortKey(expr=expr, descending=key.descending, nulls_first=key.nulls_first)
            for expr, key in zip(bound[count:], keys, strict=True)
        )
        return AggregateCall(
            type=kind, fn=entry.signature.key, args=bound[:count], filter=condition, within=within
        )

    def sort_key(self, item: tree.OrderItem) -> SortKey:
        """A key of an order inside a call or window (where a number is a constant)."""
        return SortKey(
            expr=self.typed(self.bind(item.expr)),
            descending=item.descending,
            nulls_first=nulls_first(item),
        )

    # --- windows ----------------------------------------------------------------------------------

    def _window(self, name: str, node: tree.FuncCall, kinds: set[str]) -> Expr:
        place = self.binding.place(node)
        if self._inside == "window":
            raise InvalidRequest(f"window function calls cannot be nested{place}", "42P20")
        if self._inside == "aggregate":
            raise InvalidRequest(
                f"aggregate function calls cannot contain window function calls{place}", "42803"
            )
        if self.collector.windows is None:
            raise InvalidRequest(
                f"window functions are not allowed in {self.collector.where}{place}", "42P20"
            )
        if kinds and not kinds & {"window", "aggregate"}:
            raise InvalidRequest(
                f"OVER specified, but {name} is not a window function nor an aggregate function"
                f"{place}",
                "42809",
            )
        if node.within is not None:
            raise NotYet(f"OVER is not supported for ordered-set aggregate {name}")
        if node.distinct:
            raise NotYet(f"DISTINCT is not implemented for window functions{place}")
        if node.order:
            raise NotYet(f"aggregate ORDER BY is not implemented for window functions{place}")
        outer, self._inside = self._inside, "window"
        try:
            call = self._window_call(name, node)
        finally:
            self._inside = outer
        for column, known in self.collector.windows:
            if known == call:
                return column
        column = self.binding.column(call.type, name)
        self.collector.windows.append((column, call))
        return column

    def _window_call(self, name: str, node: tree.FuncCall) -> WindowCall:
        assert node.over is not None
        spec = self._whole_spec(node.over)
        condition = None if node.filter is None else self.boolean(node.filter, "FILTER")
        if node.star:
            entry, bound, kind = self._star(name, node)
        else:
            args = self._arguments(name, node)
            own = any(entry.kind == "window" for entry in functions_named(name))
            kinds = ("window",) if own else ("window", "aggregate")
            try:
                entry, bound, kind = self._resolve(name, args, node, kinds)
            except UnknownObject:
                if any(entry.within for entry in functions_named(name)):
                    raise InvalidRequest(
                        f"OVER is not supported for ordered-set aggregate {name}", "42809"
                    ) from None
                raise
        if condition is not None and entry.kind == "window":
            raise NotYet("FILTER is not implemented for non-aggregate window functions")
        if node.nulls == "ignore":
            raise NotYet("IGNORE NULLS is not available")
        order = tuple(self.sort_key(item) for item in spec.order)
        partition = tuple(self.typed(self.bind(part)) for part in spec.partition)
        frame = None if name in _UNFRAMED else self._frame(spec, order)
        return WindowCall(
            type=kind,
            fn=entry.signature.key,
            args=bound,
            partition=partition,
            order=order,
            frame=frame,
            filter=condition,
        )

    def _whole_spec(self, spec: tree.WindowSpec) -> tree.WindowSpec:
        """The window with what it takes from the named one."""
        if spec.base is None:
            return spec
        base = self.collector.definitions.get(spec.base)
        if base is None:
            raise UnknownObject(
                f'window "{spec.base}" does not exist{self.binding.place(spec)}', "42704"
            )
        base = self._whole_spec(base)
        if spec.plain:
            return base
        for clause, wrong in (
            ("override PARTITION BY clause of", bool(spec.partition)),
            ("override ORDER BY clause of", bool(spec.order and base.order)),
            ("copy", base.frame is not None),
        ):
            if wrong:
                extra = " because it has a frame clause" if clause == "copy" else ""
                raise InvalidRequest(f'cannot {clause} window "{spec.base}"{extra}', "42P20")
        return tree.WindowSpec(spec.at, None, base.partition, spec.order or base.order, spec.frame)

    def _frame(self, spec: tree.WindowSpec, order: tuple[SortKey, ...]) -> Frame:
        if spec.frame is None:
            return Frame(
                mode="range",
                start=FrameBound(kind="unbounded preceding"),
                end=FrameBound(kind="current"),
            )
        node = spec.frame
        self._check_frame(node, order)
        start = self._frame_bound(node.start, node.mode, order)
        end = self._frame_bound(node.end, node.mode, order)
        return Frame(mode=node.mode, start=start, end=end, exclude=node.exclude)

    def _check_frame(self, node: tree.FrameSpec, order: tuple[SortKey, ...]) -> None:
        def wrong(message: str, sqlstate: str = "42P20") -> InvalidRequest:
            return InvalidRequest(f"{message}{self.binding.place(node)}", sqlstate)

        kinds = ("unbounded preceding", "preceding", "current", "following", "unbounded following")
        start, end = kinds.index(node.start.kind), kinds.index(node.end.kind)
        if start == 4:
            raise wrong("frame start cannot be UNBOUNDED FOLLOWING")
        if end == 0:
            raise wrong("frame end cannot be UNBOUNDED PRECEDING")
        if start == 2 and end == 1:
            raise wrong("frame starting from current row cannot have preceding rows")
        if start == 3 and end in (1, 2):
            raise wrong("frame starting from following row cannot have preceding rows")
        if node.mode == "groups" and not order:
            raise wrong("GROUPS mode requires an ORDER BY clause")
        offsets = [bound for bound in (node.start, node.end) if bound.offset is not None]
        if node.mode == "range" and offsets and len(order) != 1:
            raise wrong(
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column"
            )

    def _frame_bound(
        self, bound: tree.FrameEnd, mode: str, order: tuple[SortKey, ...]
    ) -> FrameBound:
        if bound.offset is None:
            return FrameBound(kind=bound.kind)
        offset = self.bind(bound.offset)
        if columns_used(offset):
            raise InvalidRequest(
                f"argument of {mode.upper()} must not contain variables{self.binding.place(bound)}",
                "42P10",
            )
        if mode != "range":
            return FrameBound(kind=bound.kind, offset=coerce(offset, BIGINT))
        key = order[0].expr.type
        if types.category(key) == "N":
            offset = (
                coerce(offset, types.DOUBLE) if types.is_float(key) else self._number(offset, key)
            )
        elif types.category(key) in "DT" and types.base_name(offset.type) in ("interval", "unknown"):
            offset = coerce(offset, INTERVAL)
        else:
            raise NotYet(
                f"RANGE with offset PRECEDING/FOLLOWING is not supported for column type {shown(key)}"
            )
        return FrameBound(kind=bound.kind, offset=offset)

    def _number(self, offset: Expr, key: types.AnyType) -> Expr:
        if offset.type == UNKNOWN:
            return coerce(offset, key)
        if types.category(offset.type) != "N" or types.is_float(offset.type):
            raise NotYet(
                f"RANGE with offset PRECEDING/FOLLOWING is not supported for column type"
                f" {shown(key)} and offset type {shown(offset.type)}"
            )
        return offset

    # --- columns of subqueries --------------------------------------------------------------------

    def _with_casts(
        self, relation: Relation, wanted: Sequence[Expr]
    ) -> tuple[Relation, tuple[ColumnRef, ...]]:
        """The relation with its columns cast as `wanted` (casts of its own columns) says."""
        from warehouse.algebra.relations import Project

        if all(isinstance(expr, ColumnRef) for expr in wanted):
            return relation, relation.columns
        items = []
        for column, expr in zip(relation.columns, wanted, strict=True):
            if isinstance(expr, Cast):
                items.append((self.binding.column(expr.type, "cast"), expr))
            else:
                items.append((column, column))
        project = Project(input=relation, items=tuple(items))
        return project, project.columns

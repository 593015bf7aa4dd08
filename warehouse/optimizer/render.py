"""Relations and expressions as short text, for EXPLAIN and tests.

One line per relation, inputs indented below it. A column is its label and id (`price#7`), or `#7`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    Frame,
    FrameBound,
    InList,
    Literal,
    Parameter,
    SortKey,
    Subquery,
    WindowCall,
)
from warehouse.algebra.relations import (
    Aggregate,
    CteScan,
    Distinct,
    Filter,
    Join,
    Limit,
    Project,
    Query,
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
from warehouse.algebra.types import shown

__all__ = ["render_expression", "render_query", "render_relation"]

Labels = Mapping[int, str]


def render_query(query: Query) -> str:
    """The table expressions, then the relation."""
    parts = [
        f"{_cte_name(number)} {cte.name}".rstrip() + ":\n" + _indented(cte.relation, query.labels)
        for number, cte in query.ctes.items()
    ]
    return "\n".join([*parts, render_relation(query.relation, query.labels)])


def render_relation(relation: Relation, labels: Labels | None = None) -> str:
    """The tree, one relation on each line."""
    return "\n".join(_Renderer(labels or {}).lines(relation, ""))


def render_expression(expr: Expr, labels: Labels | None = None) -> str:
    """The expression on one line; a subquery in it as its kind alone."""
    return _Renderer(labels or {}).expr(expr)


def _indented(relation: Relation, labels: Labels) -> str:
    return "\n".join(_Renderer(labels).lines(relation, "  "))


def _cte_name(number: int) -> str:
    return f"cte {number}"


class _Renderer:
    def __init__(self, labels: Labels) -> None:
        self.labels = labels

    # -- expressions

    def column(self, column: ColumnRef) -> str:
        return f"{self.labels.get(column.id, '')}#{column.id}"

    def columns(self, columns: Iterable[ColumnRef]) -> str:
        return ", ".join(map(self.column, columns))

    def exprs(self, exprs: Iterable[Expr]) -> str:
        return ", ".join(map(self.expr, exprs))

    def expr(self, expr: Expr) -> str:
        match expr:
            case ColumnRef():
                return self.column(expr)
            case Literal(value=value):
                return _constant(value)
            case Parameter(index=index):
                return f"${index}"
            case Call():
                return self.call(expr)
            case Cast(arg=arg, type=kind):
                return f"{self.expr(arg)}::{shown(kind)}"
            case Case(branches=branches, default=default):
                whens = " ".join(
                    f"when {self.expr(when)} then {self.expr(then)}" for when, then in branches
                )
                return f"case {whens} else {self.expr(default)} end"
            case InList(arg=arg, items=items, negated=negated):
                word = "not in" if negated else "in"
                return f"({self.expr(arg)} {word} ({self.exprs(items)}))"
            case Subquery(kind=kind, left=left, ops=ops):
                compared = f"({self.exprs(left)}) {_name(ops[0])} " if ops else ""
                return f"{compared}{kind}(…)"
            case AggregateCall():
                return self.aggregate(expr)
            case WindowCall():
                return self.window(expr)
            case _:
                return type(expr).__name__

    def call(self, call: Call) -> str:
        name = _name(call.fn)
        args = [self.expr(arg) for arg in call.args]
        if name in ("and", "or"):
            return "(" + f" {name} ".join(args) + ")"
        if name == "not":
            return f"not {args[0]}"
        if name.startswith("is "):
            rest = f" from {args[1]}" if len(args) == 2 else ""
            return f"({args[0]} {name}{rest})"
        if len(args) == 2 and not name[:1].isalpha():
            return f"({args[0]} {name} {args[1]})"
        return f"{name}({', '.join(args)})"

    def aggregate(self, call: AggregateCall) -> str:
        args = self.exprs(call.args) if call.args else "*" if "(*)" in call.fn else ""
        distinct = "distinct " if call.distinct else ""
        order = f" order by {self.keys(call.order)}" if call.order else ""
        within = f" within group ({self.keys(call.within)})" if call.within else ""
        kept = f" filter {self.expr(call.filter)}" if call.filter is not None else ""
        return f"{_name(call.fn)}({distinct}{args}{order}){within}{kept}"

    def window(self, call: WindowCall) -> str:
        over = []
        if call.partition:
            over.append(f"partition by {self.exprs(call.partition)}")
        if call.order:
            over.append(f"order by {self.keys(call.order)}")
        if call.frame is not None:
            over.append(self.frame(call.frame))
        args = self.exprs(call.args) if call.args else "*" if "(*)" in call.fn else ""
        nulls = " ignore nulls" if call.ignore_nulls else ""
        kept = f" filter {self.expr(call.filter)}" if call.filter is not None else ""
        return f"{_name(call.fn)}({args}){nulls}{kept} over ({' '.join(over)})"

    def frame(self, frame: Frame) -> str:
        exclude = f" exclude {frame.exclude}" if frame.exclude else ""
        return f"{frame.mode} {self.bound(frame.start)} to {self.bound(frame.end)}{exclude}"

    def bound(self, bound: FrameBound) -> str:
        offset = f"{self.expr(bound.offset)} " if bound.offset is not None else ""
        return f"{offset}{bound.kind}"

    def keys(self, keys: Iterable[SortKey]) -> str:
        return ", ".join(
            self.expr(key.expr)
            + (" desc" if key.descending else "")
            + (" nulls first" if key.nulls_first else "")
            for key in keys
        )

    def items(self, items: Iterable[tuple[ColumnRef, Expr]]) -> str:
        return ", ".join(
            self.column(column)
            if isinstance(expr, ColumnRef) and expr.id == column.id
            else f"{self.column(column)} := {self.expr(expr)}"
            for column, expr in items
        )

    # -- relations

    def lines(self, relation: Relation, indent: str) -> list[str]:
        found = [indent + self.line(relation)]
        for below in relation.inputs:
            found += self.lines(below, indent + "  ")
        return found

    def line(self, node: Relation) -> str:
        return f"{type(node).__name__} {self.details(node)}".rstrip()

    def details(self, node: Relation) -> str:
        match node:
            case Project(items=items):
                return self.items(items)
            case Filter(predicate=predicate):
                return self.expr(predicate)
            case Join():
                return self.join(node)
            case Aggregate():
                return self.grouping(node)
            case Window(calls=calls):
                return self.items(calls)
            case Sort(keys=keys):
                return self.keys(keys)
            case Limit():
                return self.limit(node)
            case Distinct(keys=on, order=order):
                by = f" order by {self.keys(order)}" if order else ""
                return f"on {self.exprs(on)}{by}" if on else ""
            case Unnest():
                return self.unnest(node)
            case Sample(method=method, percent=percent):
                return f"{method} {self.expr(percent)}"
            case _:
                return self.source(node)

    def source(self, node: Relation) -> str:
        """Of a relation that gives its columns new names: where they come from, and they."""
        match node:
            case Scan(input=name):
                words = name
            case CteScan(cte=cte):
                words = _cte_name(cte)
            case WorkingTable():
                words = str(node.id)
            case Recursive():
                words = f"{node.id}{' distinct' if node.distinct else ''}"
            case SetOperation(kind=kind):
                words = f"{kind}{' all' if node.all else ''}"
            case Values(rows=rows):
                more = f", … {len(rows)} rows" if len(rows) > 3 else ""
                words = ", ".join(f"({self.exprs(row)})" for row in rows[:3]) + more
            case _:
                return ""
        return f"{words} [{self.columns(node.columns)}]"

    def join(self, node: Join) -> str:
        words = [node.kind]
        if node.lateral:
            words.append("lateral")
        if node.null_aware:
            words.append("null-aware")
        if node.mark is not None:
            words.append(self.column(node.mark))
        if node.condition is not None:
            words.append(f"on {self.expr(node.condition)}")
        return " ".join(words)

    def grouping(self, node: Aggregate) -> str:
        sets = ""
        if node.sets is not None:
            sets = f" sets {', '.join(str(list(chosen)) for chosen in node.sets)}"
        keys = f"by {self.items(node.keys)}{sets}: " if node.keys or sets else ""
        return f"{keys}{self.items(node.calls)}"

    def limit(self, node: Limit) -> str:
        words = [] if node.count is None else [self.expr(node.count)]
        if node.offset is not None:
            words.append(f"offset {self.expr(node.offset)}")
        if node.ties:
            words.append(f"with ties by {self.keys(node.ties)}")
        return " ".join(words)

    def unnest(self, node: Unnest) -> str:
        items = ", ".join(
            f"({self.columns(outputs)}) := {self.expr(expr)}" for outputs, expr in node.items
        )
        number = f" ordinality {self.column(node.ordinality)}" if node.ordinality else ""
        return f"{items}{number}{' outer' if node.outer else ''}"


def _name(fn: str) -> str:
    return fn.split("(", 1)[0]


def _constant(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"'{value}'" if isinstance(value, str) else str(value)

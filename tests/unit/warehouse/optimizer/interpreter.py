"""A reference interpreter of the algebra: naive, with nested loops, for the tests of rewrites.

A row is a dictionary from column id to value. Subqueries and lateral joins are run for each row
with the row as their environment, which is what SQL says they mean.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    SortKey,
    Subquery,
    WindowCall,
    conjuncts,
)
from warehouse.algebra.relations import (
    Aggregate,
    CteScan,
    Distinct,
    Empty,
    Filter,
    Join,
    Limit,
    Project,
    Query,
    Relation,
    Scan,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
)
from warehouse.algebra.walk import columns_used

__all__ = ["DivisionByZero", "Interpreter", "TooManyRows"]

Row = dict[int, Any]


class TooManyRows(Exception):
    """A scalar subquery gave more than one row."""


class DivisionByZero(Exception):
    """A fault that a rewrite could bring about."""


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        return None if any(arg is None for arg in args) else function(*args)

    return call


def _divide(one: int, other: int) -> int:
    if other == 0:
        raise DivisionByZero
    return int(one / other)


def _greater(one: Any, other: Any) -> Any:
    return one > other


_CALLS: dict[str, Callable[..., Any]] = {
    "=": _strict(lambda a, b: a == b),
    "<>": _strict(lambda a, b: a != b),
    "<": _strict(lambda a, b: a < b),
    "<=": _strict(lambda a, b: a <= b),
    ">": _strict(_greater),
    ">=": _strict(lambda a, b: a >= b),
    "+": _strict(lambda a, b: a + b),
    "-": _strict(lambda a, b: a - b),
    "/": _strict(_divide),
    "not": _strict(lambda a: not a),
    "is null": lambda a: a is None,
    "is not null": lambda a: a is not None,
    "is true": lambda a: a is True,
    "is distinct": lambda a, b: a != b,
    "is not distinct": lambda a, b: a == b,
    "coalesce": lambda *args: next((arg for arg in args if arg is not None), None),
    "array": lambda *args: args,
    "cardinality": _strict(len),
}


def _all(values: list[Any]) -> Any:
    return False if False in values else None if None in values else True


def _any(values: list[Any]) -> Any:
    return True if True in values else None if None in values else False


def _compare(keys: Sequence[SortKey], one: list[Any], other: list[Any]) -> int:
    for key, a, b in zip(keys, one, other, strict=True):
        if a == b:
            continue
        if a is None or b is None:
            return -1 if (a is None) == key.nulls_first else 1
        return -1 if (a < b) != key.descending else 1
    return 0


def _hashable(row: Row, columns: tuple[ColumnRef, ...]) -> tuple[Any, ...]:
    return tuple(row[column.id] for column in columns)


def _once(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


class Interpreter:
    """Runs queries over `tables`: rows as dictionaries by source name.

    `guarded`: a filter looks at its conjuncts from left to right until one is not true; otherwise
    at all of them, so that every subquery is run.
    """

    def __init__(self, tables: dict[str, list[dict[str, Any]]], *, guarded: bool = False) -> None:
        self.tables = tables
        self.guarded = guarded
        self.ctes: dict[int, tuple[Relation, list[Row]]] = {}

    def query(self, query: Query) -> list[tuple[Any, ...]]:
        """The rows of the outputs, in order."""
        self.ctes = {}
        for number in sorted(query.ctes):
            relation = query.ctes[number].relation
            self.ctes[number] = (relation, self.rows(relation, {}))
        rows = self.rows(query.relation, {})
        return [_hashable(row, query.outputs) for row in rows]

    # -- expressions

    def value(self, expr: Expr, env: Row) -> Any:
        match expr:
            case ColumnRef(id=number):
                return env[number]
            case Literal(value=value):
                return value
            case Call(fn="and", args=args):
                return _all([self.value(arg, env) for arg in args])
            case Call(fn="or", args=args):
                return _any([self.value(arg, env) for arg in args])
            case Call(fn=fn, args=args):
                return _CALLS[fn.split("(")[0]](*(self.value(arg, env) for arg in args))
            case Cast(arg=arg):
                return self.value(arg, env)
            case Case(branches=branches, default=default):
                for when, then in branches:
                    if self.value(when, env) is True:
                        return self.value(then, env)
                return self.value(default, env)
            case InList(arg=arg, items=items, negated=negated):
                value = self.value(arg, env)
                equal = [_CALLS["="](value, self.value(item, env)) for item in items]
                found = _any(equal)
                return found if not negated or found is None else not found
            case Subquery():
                return self._subquery(expr, env)
        raise AssertionError(expr)

    def _subquery(self, expr: Subquery, env: Row) -> Any:
        rows = self.rows(expr.relation, env)
        match expr.kind:
            case "exists":
                return bool(rows)
            case "scalar":
                if len(rows) > 1:
                    raise TooManyRows
                return rows[0][expr.columns[0].id] if rows else None
            case "array":
                return tuple(row[expr.columns[0].id] for row in rows)
        left = [self.value(part, env) for part in expr.left]
        found = []
        for row in rows:
            pairs = zip(expr.ops, left, expr.columns, strict=True)
            parts = [_CALLS[op.split("(")[0]](one, row[column.id]) for op, one, column in pairs]
            found.append(_all(parts) if expr.kind == "any" else _any(parts))
        return _any(found) if expr.kind == "any" else _all(found)

    def _sorted(self, rows: list[Row], keys: tuple[SortKey, ...], env: Row) -> list[Row]:
        def values(row: Row) -> list[Any]:
            return [self.value(key.expr, {**env, **row}) for key in keys]

        paired = [(values(row), row) for row in rows]

        def compare(one: tuple[list[Any], Row], other: tuple[list[Any], Row]) -> int:
            return _compare(keys, one[0], other[0])

        return [row for _, row in sorted(paired, key=functools.cmp_to_key(compare))]

    # -- relations

    def rows(self, node: Relation, env: Row) -> list[Row]:
        return getattr(self, f"_{type(node).__name__.lower()}")(node, env)  # type: ignore[no-any-return]

    def _scan(self, node: Scan, env: Row) -> list[Row]:
        return [
            {c.id: row[name] for c, name in zip(node.outputs, node.sources, strict=True)}
            for row in self.tables[node.input]
        ]

    def _empty(self, node: Empty, env: Row) -> list[Row]:
        return [{}]

    def _values(self, node: Values, env: Row) -> list[Row]:
        return [
            {c.id: self.value(cell, env) for c, cell in zip(node.outputs, row, strict=True)}
            for row in node.rows
        ]

    def _ctescan(self, node: CteScan, env: Row) -> list[Row]:
        relation, rows = self.ctes[node.cte]
        pairs = list(zip(node.outputs, relation.columns, strict=True))
        return [{ours.id: row[theirs.id] for ours, theirs in pairs} for row in rows]

    def _project(self, node: Project, env: Row) -> list[Row]:
        rows = self.rows(node.input, env)
        return [
            {column.id: self.value(expr, {**env, **row}) for column, expr in node.items}
            for row in rows
        ]

    def _filter(self, node: Filter, env: Row) -> list[Row]:
        rows = self.rows(node.input, env)
        parts = conjuncts(node.predicate) if self.guarded else [node.predicate]
        return [
            row for row in rows if all(self.value(part, {**env, **row}) is True for part in parts)
        ]

    def _join(self, node: Join, env: Row) -> list[Row]:
        if node.lateral:
            return self._joined(node, env, lambda row: self.rows(node.right, {**env, **row}))
        right = self.rows(node.right, env)
        result = self._joined(node, env, lambda row: right)
        if node.kind in ("right", "full"):
            left = self.rows(node.left, env)
            nothing = {column.id: None for column in node.left.columns}
            for row in right:
                tests = [self._matches(node, {**env, **one, **row}) for one in left]
                if True not in tests:
                    result.append({**nothing, **row})
        return result

    def _matches(self, node: Join, env: Row) -> Any:
        return True if node.condition is None else self.value(node.condition, env)

    def _joined(self, node: Join, env: Row, partners: Callable[[Row], list[Row]]) -> list[Row]:
        result: list[Row] = []
        for row in self.rows(node.left, env):
            tests = [
                (other, self._matches(node, {**env, **row, **other})) for other in partners(row)
            ]
            truths = [test for _, test in tests]
            matches = [{**row, **other} for other, test in tests if test is True]
            result += self._met(node, row, truths, matches)
        return result

    def _met(self, node: Join, row: Row, truths: list[Any], matches: list[Row]) -> list[Row]:
        nothing = {column.id: None for column in node.right.columns}
        match node.kind:
            case "inner" | "right":
                return matches
            case "single" if len(matches) > 1:
                raise TooManyRows
            case "left" | "full" | "single":
                return matches or [{**row, **nothing}]
            case "semi":
                return [row] if matches else []
            case "anti":
                against = _any(truths) if node.null_aware else bool(matches)
                return [row] if against is False else []
            case "mark":
                assert node.mark is not None
                mark = _any(truths)
                return [{**row, node.mark.id: mark if node.null_aware else bool(mark)}]
        raise AssertionError(node.kind)

    def _aggregate(self, node: Aggregate, env: Row) -> list[Row]:
        below = self.rows(node.input, env)
        every = tuple(range(len(node.keys)))
        result: list[Row] = []
        for chosen in (every,) if node.sets is None else node.sets:
            groups: dict[tuple[Any, ...], list[Row]] = {}
            if not chosen:
                groups[()] = []
            for row in below:
                key = tuple(self.value(node.keys[i][1], {**env, **row}) for i in chosen)
                groups.setdefault(key, []).append(row)
            for key, rows in groups.items():
                made: Row = {column.id: None for column, _ in node.keys}
                made |= {node.keys[i][0].id: value for i, value in zip(chosen, key, strict=True)}
                names = [column.id for i, (column, _) in enumerate(node.keys) if i in chosen]
                for column, call in node.calls:
                    if call.fn == "grouping":
                        bits = "".join(
                            "01"[columns_used(arg).isdisjoint(names)] for arg in call.args
                        )
                        made[column.id] = int(bits, 2)
                    else:
                        made[column.id] = self._aggregated(call, rows, env)
                result.append(made)
        return result

    def _aggregated(self, call: AggregateCall, rows: list[Row], env: Row) -> Any:
        if call.filter is not None:
            rows = [row for row in rows if self.value(call.filter, {**env, **row}) is True]
        rows = self._sorted(rows, call.order, env) if call.order else rows
        name = call.fn.split("(")[0]
        if not call.args:
            return len(rows)
        values = [self.value(call.args[0], {**env, **row}) for row in rows]
        values = _once(values) if call.distinct else values
        if name == "array_agg":
            return tuple(values) or None
        values = [value for value in values if value is not None]
        if name == "count":
            return len(values)
        return {"sum": sum, "min": min, "max": max}[name](values) if values else None  # type: ignore[operator]

    def _window(self, node: Window, env: Row) -> list[Row]:
        rows = self.rows(node.input, env)
        result = [dict(row) for row in rows]
        for column, call in node.calls:
            partitions: dict[tuple[Any, ...], list[Row]] = {}
            for row in result:
                key = tuple(self.value(part, {**env, **row}) for part in call.partition)
                partitions.setdefault(key, []).append(row)
            for members in partitions.values():
                self._windowed(column, call, members, env)
        return result

    def _windowed(self, column: ColumnRef, call: WindowCall, rows: list[Row], env: Row) -> None:
        name = call.fn.split("(")[0]
        if name not in ("row_number", "rank"):
            whole = AggregateCall(type=call.type, fn=call.fn, args=call.args)
            value = self._aggregated(whole, rows, env)
            for row in rows:
                row[column.id] = value
            return
        rank, before = 0, None
        ordered = self._sorted(rows, call.order, env)
        for number, row in enumerate(ordered, 1):
            values = [self.value(key.expr, {**env, **row}) for key in call.order]
            rank = rank if before == values else number
            before = values
            row[column.id] = number if name == "row_number" else rank

    def _sort(self, node: Sort, env: Row) -> list[Row]:
        return self._sorted(self.rows(node.input, env), node.keys, env)

    def _limit(self, node: Limit, env: Row) -> list[Row]:
        rows = self.rows(node.input, env)
        count = None if node.count is None else self.value(node.count, env)
        start = 0 if node.offset is None else self.value(node.offset, env) or 0
        if count is None:
            return rows[start:]
        stop = start + count
        if node.ties and 0 < stop < len(rows):
            keys = [[self.value(k.expr, {**env, **row}) for k in node.ties] for row in rows]
            while stop < len(rows) and keys[stop] == keys[start + count - 1]:
                stop += 1
        return rows[start:stop]

    def _distinct(self, node: Distinct, env: Row) -> list[Row]:
        rows = self.rows(node.input, env)
        found: dict[tuple[Any, ...], Row] = {}
        for row in self._sorted(rows, node.order, env):
            key = tuple(self.value(part, {**env, **row}) for part in node.keys)
            found.setdefault(key if node.keys else _hashable(row, node.columns), row)
        return list(found.values())

    def _setoperation(self, node: SetOperation, env: Row) -> list[Row]:
        left = [_hashable(row, node.left.columns) for row in self.rows(node.left, env)]
        right = [_hashable(row, node.right.columns) for row in self.rows(node.right, env)]
        if node.kind == "union":
            kept = left + right
        else:
            kept, others = [], list(right)
            for row in left if node.all else _once(left):
                present = row in others
                if present and node.all:
                    others.remove(row)
                if present == (node.kind == "intersect"):
                    kept.append(row)
        kept = kept if node.all else _once(kept)
        return [dict(zip((c.id for c in node.outputs), row, strict=True)) for row in kept]

    def _unnest(self, node: Unnest, env: Row) -> list[Row]:
        result: list[Row] = []
        for row in self.rows(node.input, env):
            arrays = [self.value(expr, {**env, **row}) or () for _, expr in node.items]
            length = max(map(len, arrays))
            for place in range(max(length, int(node.outer))):
                made = dict(row)
                for (outputs, _), array in zip(node.items, arrays, strict=True):
                    made[outputs[0].id] = array[place] if place < len(array) else None
                if node.ordinality is not None:
                    made[node.ordinality.id] = place + 1 if length else None
                result.append(made)
        return result

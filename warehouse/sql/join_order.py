"""Join order from statistics: FROM is written anew in the order that a worker should follow.

Polars follows the order of the text (`actors/compute/execution.py` says so). Per SELECT, innermost
first:

1. Collect the group: the sources before the first outer join, if they are joined by commas, CROSS
   JOIN or INNER JOIN … ON, and all conjuncts of WHERE and of those ON clauses.
2. Columns of the group that a conjunct says are equal, and that have one type, become classes.
3. Estimate each source (`cardinality.py`), order them (`join_graph.py`).
4. Write FROM … JOIN … ON in that order with one equality per class; every other conjunct stays in
   WHERE.

For inner joins that changes no answer: the equalities written imply those left out and are implied
by them, NULL included, and a LEFT JOIN behind the group keeps every row of it. A SELECT that is
correlated by a scalar subquery is ordered if it has only commas, and keeps them; one with another
kind of source or join in the group stays as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from actors.planner import PlannedScan
from warehouse.sql.cardinality import OTHER_SHARE, UNKNOWN_ROWS, Relation, TableRelation
from warehouse.sql.join_graph import JoinGraph
from warehouse.sql.types import INTEGERS, TEXTS

__all__ = ["order_joins"]

GROUPS_SHARE = 0.1  # of the rows that become groups, where nothing better is known

_ColumnKey = tuple[int, str]


def order_joins(scopes: Sequence[Scope], scans: Mapping[str, PlannedScan]) -> None:
    """Write the inner joins of a query in the order that statistics suggest; changes its tree.

    Args:
        scopes: of a bound and rewritten query, innermost first; base tables are named after
            `scans`.
        scans: by input name, after pruning.
    """
    if not any(len(scope.selected_sources) > 1 for scope in scopes):
        return
    known: dict[int, Relation] = {}
    tables = {name: TableRelation(scan) for name, scan in scans.items()}
    for scope in scopes:
        known[id(scope)] = _Select(scope, tables, known).order()


class _Select:
    """One scope: orders its joins and estimates what it returns."""

    def __init__(
        self, scope: Scope, tables: Mapping[str, TableRelation], known: Mapping[int, Relation]
    ) -> None:
        self._scope = scope
        self._tables = tables
        self._known = known

    def order(self) -> Relation:
        select = self._scope.expression
        if not isinstance(select, exp.Select):
            return _union(self._scope, self._known)
        where = select.args.get("where")
        conditions = _split(where.this) if where else []
        for join in select.args.get("joins") or []:
            if join.args.get("on") is not None and join.side == "":
                conditions += _split(join.args["on"])
        sources = {
            alias: self._relation(source, conditions, alias)
            for alias, (_, source) in self._scope.selected_sources.items()
        }
        rows = max((relation.rows for relation in sources.values()), default=1.0)
        group = _Group.of(select)
        if group is not None:
            rows = self._order_group(select, group, sources)
        return _output(select, rows, sources)

    def _order_group(
        self, select: exp.Select, group: _Group, sources: dict[str, Relation]
    ) -> float:
        """Write the group in its best order. Returns the rows that it is expected to have."""
        graph = group.graph(sources)
        if not group.is_split(graph):
            if not self._is_correlated():
                graph = self._move_memberships(group, graph, sources)
                group.write(select, graph)
            elif group.has_only_commas():
                group.write_commas(select, graph)
        return max(1.0, graph.rows(graph.all))

    def _is_correlated(self) -> bool:
        """Does this SELECT hold a scalar subquery that depends on it, or is it one?

        Polars finds out that such an aggregate runs over the outer query's own joins, which saves
        doing them twice, but only where both are written with commas.
        """
        scopes = [self._scope, *self._scope.subquery_scopes]
        return any(scope.external_columns and _is_scalar(scope.expression) for scope in scopes)

    def _move_memberships(
        self, group: _Group, graph: JoinGraph, sources: dict[str, Relation]
    ) -> JoinGraph:
        """Put `column IN (SELECT …)` before the joins where that is expected to be cheaper.

        A worker would apply it behind them. In front of them it looks at every row of the source,
        and the joins see fewer.
        """
        subqueries = {id(scope.expression): scope for scope in self._scope.subquery_scopes}
        for condition in list(group.others):
            inside = condition.unnest()
            found = inside.args.get("query") if isinstance(inside, exp.In) else None
            column = inside.this
            if found is None or inside.args.get("negate") or not isinstance(column, exp.Column):
                continue
            scope = subqueries.get(id(found.unnest()))
            members = None if scope is None else self._known.get(id(scope))
            position = group.position(column.table)
            if members is None or position is None:
                continue
            source = sources[column.table]
            share = min(
                members.rows / source.distinct_of(column.name), members.rows / members.rows_total
            )
            fewer = dataclasses.replace(source, rows=max(1.0, source.rows * share))
            moved = group.graph({**sources, column.table: fewer})
            before = graph.cost(graph.order()) + graph.rows(graph.all)
            if moved.cost(moved.order()) + source.rows < before:
                group.filter(position, condition)
                graph, sources[column.table] = moved, fewer
        return graph

    def _relation(
        self, source: exp.Expr | Scope, conditions: list[exp.Expr], alias: str
    ) -> Relation:
        if isinstance(source, exp.Table) and source.name in self._tables:
            return self._tables[source.name].relation(conditions, alias)
        found = self._known.get(id(source))
        if found is None:
            return Relation(rows=UNKNOWN_ROWS, rows_total=UNKNOWN_ROWS)
        return found.filtered(conditions, alias)


# --- groups ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Group:
    """The sources of one SELECT that may change places.

    Attributes:
        nodes: the sources in the order of the text.
        classes: equal columns by source.
        equalities: the conjuncts of WHERE and ON that made the classes.
        others: all other conjuncts of WHERE and of the group's ON clauses.
        later: the joins behind the group.
        commas: True if the text has nothing but commas between the sources.
    """

    nodes: list[exp.Expr]
    classes: list[dict[int, tuple[str, ...]]]
    equalities: list[exp.Expr]
    others: list[exp.Expr]
    later: list[exp.Join]
    commas: bool

    @classmethod
    def of(cls, select: exp.Select) -> _Group | None:
        """None if there is nothing to order or the SELECT is not understood."""
        start = select.args.get("from_")
        joins: list[exp.Join] = select.args.get("joins") or []
        if start is None or select.args.get("laterals") or not _is_plain(start.this):
            return None
        if any(join.method or join.args.get("using") for join in joins):
            return None
        inner = next((i for i, join in enumerate(joins) if join.side), len(joins))
        if not inner or any(join.side not in ("", "LEFT") for join in joins):
            return None
        where = select.args.get("where")
        conjuncts = _split(where.this) if where else []
        for join in joins[:inner]:
            on = join.args.get("on")
            if join.kind not in ("", "INNER", "CROSS") or not _is_plain(join.this):
                return None
            if on is not None and on.find(exp.Query):
                return None
            conjuncts += _split(on) if on is not None else []
        nodes = [start.this, *(join.this for join in joins[:inner])]
        positions = {node.alias_or_name: i for i, node in enumerate(nodes)}
        if len(positions) < len(nodes) or "" in positions:
            return None
        classes = _Classes(positions)
        made = [classes.add(conjunct) for conjunct in conjuncts]
        equalities = [c for c, is_equality in zip(conjuncts, made, strict=True) if is_equality]
        others = [c for c, is_equality in zip(conjuncts, made, strict=True) if not is_equality]
        for conjunct in others:
            for equality in _in_every_branch(conjunct):
                classes.add(equality)
        commas = not any(join.kind or join.side or join.args.get("on") for join in joins)
        return cls(nodes, classes.found(), equalities, others, joins[inner:], commas)

    def position(self, alias: str) -> int | None:
        names = [node.alias_or_name for node in self.nodes]
        return names.index(alias) if alias in names else None

    def filter(self, position: int, condition: exp.Expr) -> None:
        """Move a condition on one source into a derived table around it."""
        node = self.nodes[position]
        name = node.alias_or_name
        inner = exp.select("*").from_(node, copy=False).where(condition, copy=False)
        self.nodes[position] = exp.alias_(inner.subquery(copy=False), name, quoted=True, table=True)
        self.others[:] = [other for other in self.others if other is not condition]

    def graph(self, sources: Mapping[str, Relation]) -> JoinGraph:
        return JoinGraph([sources[node.alias_or_name] for node in self.nodes], self.classes)

    def has_only_commas(self) -> bool:
        """May the group be written with commas? Polars refuses an equality that it meets twice, as
        columns and as expressions over them."""
        return self.commas and not any(
            isinstance(condition.unnest(), exp.EQ) and self._joined_by(condition) > 1
            for condition in self.others
        )

    def _joined_by(self, condition: exp.Expr) -> int:
        """How many sources of the group the condition names."""
        tables = {column.table for column in condition.find_all(exp.Column)}
        return sum(self.position(table) is not None for table in tables)

    def is_split(self, graph: JoinGraph) -> bool:
        """Is an equality that made no class all that joins two parts? Polars may know better."""
        names = [{self.nodes[i].alias_or_name for i in part} for part in graph.components()]
        for condition in self.others:
            if isinstance(condition.unnest(), exp.EQ) and len(names) > 1:
                tables = {column.table for column in condition.find_all(exp.Column)}
                if sum(bool(tables & part) for part in names) > 1:
                    return True
        return False

    def write(self, select: exp.Select, graph: JoinGraph) -> None:
        """FROM … JOIN … ON and WHERE of the group in the best order."""
        conditions, joins, joined = list(self.others), [], 0
        order = graph.order()
        for i in order:
            keys = graph.keys(i, joined)
            reached = {key.right for key in keys}
            for members in self.classes:
                columns = members.get(i, ())
                if columns not in reached:
                    conditions += [self._equal(i, c, i, columns[0]) for c in columns[1:]]
            on = [self._equal(k.left_relation, k.left, i, c) for k in keys for c in k.right]
            if joined and on:
                joins.append(exp.Join(this=self.nodes[i], on=exp.and_(*on, copy=False)))
            elif joined:
                joins.append(exp.Join(this=self.nodes[i], kind="CROSS"))
            joined |= 1 << i
        self._set(select, order[0], [*joins, *self.later], conditions)

    def write_commas(self, select: exp.Select, graph: JoinGraph) -> None:
        """The same order with commas, and all conditions in WHERE."""
        written = {_sides(equality): equality for equality in self.equalities}
        conditions, joined = [*written.values(), *self.others], 0
        order = graph.order()
        for i in order:
            for key in graph.keys(i, joined):
                implied = self._equal(key.left_relation, key.left, i, key.right[0])
                if _sides(implied) not in written:
                    conditions.append(implied)
            joined |= 1 << i
        joins = [exp.Join(this=self.nodes[i]) for i in order[1:]]
        self._set(select, order[0], joins, conditions)

    def _set(
        self, select: exp.Select, first: int, joins: list[exp.Join], conditions: list[exp.Expr]
    ) -> None:
        select.set("from_", exp.From(this=self.nodes[first]))
        select.set("joins", joins)
        where = exp.Where(this=exp.and_(*conditions, copy=False)) if conditions else None
        select.set("where", where)

    def _equal(self, left: int, left_column: str, right: int, right_column: str) -> exp.EQ:
        return exp.EQ(
            this=exp.column(left_column, self.nodes[left].alias_or_name, quoted=True),
            expression=exp.column(right_column, self.nodes[right].alias_or_name, quoted=True),
        )


def _is_plain(source: exp.Expr) -> bool:
    extra = ("joins", "laterals", "pivots", "sample", "when", "ordinality")
    return isinstance(source, exp.Table | exp.Subquery) and not any(map(source.args.get, extra))


def _split(condition: exp.Expr) -> list[exp.Expr]:
    """The conjuncts of a condition."""
    inner = condition.unnest()
    if isinstance(inner, exp.And):
        return [*_split(inner.this), *_split(inner.expression)]
    return [condition]


def _is_scalar(select: exp.Expr) -> bool:
    around = select.parent
    return isinstance(around, exp.Subquery) and not isinstance(around.parent, exp.In)


def _sides(equality: exp.Expr) -> frozenset[tuple[str, str]]:
    return frozenset((column.table, column.name) for column in equality.find_all(exp.Column))


def _in_every_branch(condition: exp.Expr) -> list[exp.Expr]:
    """The equalities that every branch of an OR repeats: they hold wherever it holds."""
    branches = list(condition.unnest().flatten())
    if not isinstance(condition.unnest(), exp.Or) or condition.find(exp.Query):
        return []
    first, *rest = [_split(branch.unnest()) for branch in branches]
    return [part for part in first if all(part in other for other in rest)]


class _Classes:
    """Columns that are equal, by union and find."""

    def __init__(self, positions: Mapping[str, int]) -> None:
        self._positions = positions
        self._parent: dict[_ColumnKey, _ColumnKey] = {}

    def add(self, conjunct: exp.Expr) -> bool:
        """False if the conjunct is no equality of two sources' columns of one type."""
        equality = conjunct.unnest()
        if not isinstance(equality, exp.EQ):
            return False
        left, right = self._key(equality.this), self._key(equality.expression)
        if left is None or right is None or left[0] == right[0]:
            return False
        if not _is_one_type(equality.this.type, equality.expression.type):
            return False
        self._parent[self._root(left)] = self._root(right)
        return True

    def found(self) -> list[dict[int, tuple[str, ...]]]:
        classes: dict[_ColumnKey, dict[int, tuple[str, ...]]] = {}
        for key in sorted(self._parent):
            members = classes.setdefault(self._root(key), {})
            members[key[0]] = (*members.get(key[0], ()), key[1])
        return list(classes.values())

    def _key(self, node: exp.Expr) -> _ColumnKey | None:
        if not isinstance(node, exp.Column) or node.table not in self._positions:
            return None
        return self._positions[node.table], node.name

    def _root(self, key: _ColumnKey) -> _ColumnKey:
        while (parent := self._parent.setdefault(key, key)) != key:
            key = parent
        return key


def _is_one_type(left: exp.DataType | None, right: exp.DataType | None) -> bool:
    """Do values of both types join as they are?"""
    if left is None or right is None or left.this == exp.DType.UNKNOWN:
        return False
    for family in (INTEGERS, TEXTS):
        if left.this in family and right.this in family:
            return True
    return bool(left == right)


# --- what a SELECT returns ------------------------------------------------------------------------


def _union(scope: Scope, known: Mapping[int, Relation]) -> Relation:
    parts = [known[id(part)] for part in scope.set_operation_scopes if id(part) in known]
    rows = sum(part.rows for part in parts) or UNKNOWN_ROWS
    return Relation(rows=rows, rows_total=rows)


def _output(select: exp.Select, rows: float, sources: Mapping[str, Relation]) -> Relation:
    distinct: dict[str, float] = {}
    for projection in select.expressions:
        column = projection.unalias()
        if isinstance(column, exp.Column) and column.table in sources:
            count = sources[column.table].distinct.get(column.name)
            if count is not None:
                distinct[projection.alias_or_name] = count
    rows_total = rows
    if len(sources) == 1:
        rows_total = max(rows, *(source.rows_total for source in sources.values()))
    group = select.args.get("group")
    if group is not None or select.args.get("distinct"):
        keys = group.expressions if group is not None else select.expressions
        rows, rows_total = (_groups(count, keys, sources) for count in (rows, rows_total))
    elif any(projection.find(exp.AggFunc) for projection in select.expressions):
        rows = rows_total = 1.0
    if select.args.get("having"):
        rows *= OTHER_SHARE
    limit = select.args.get("limit")
    if isinstance(limit, exp.Limit) and limit.expression.is_int:
        rows = min(rows, float(limit.expression.this))
    rows = max(1.0, rows)
    return Relation(rows=rows, rows_total=max(rows, rows_total), distinct=distinct)


def _groups(rows: float, keys: list[exp.Expr], sources: Mapping[str, Relation]) -> float:
    """Distinct combinations of the keys among so many rows."""
    count = 1.0
    for key in (key.unalias() for key in keys):
        known = None
        if isinstance(key, exp.Column) and key.table in sources:
            known = sources[key.table].distinct.get(key.name)
        count *= known if known is not None else max(1.0, rows * GROUPS_SHARE)
    return min(rows, count)

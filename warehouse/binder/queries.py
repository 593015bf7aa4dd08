"""Whole queries: WITH, set operations, VALUES, ORDER BY and LIMIT around a body.

`bind_query` is the binder's entry. A CTE that is referred to once is put where it is used; the
others are kept in `Query.ctes`, so that execution computes them once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from storage.errors import InvalidRequest, NotYet
from warehouse.algebra import relations as algebra
from warehouse.algebra.expressions import Call, ColumnRef, Expr, Literal, SortKey
from warehouse.algebra.relations import Query, Relation
from warehouse.algebra.types import BIGINT, TEXT, UNKNOWN, AnyType, has_equality, is_numeric, shown
from warehouse.algebra.walk import (
    columns_used,
    has_subquery,
    map_expressions,
    map_outputs,
    transform,
    transform_relation,
)
from warehouse.binder.calls import nulls_first
from warehouse.binder.coercion import agreed, coerce, without_modifiers
from warehouse.binder.context import Binding, Collector
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.inlining import inlined
from warehouse.binder.recursion import RecursionBinder, mentions
from warehouse.binder.scope import Scope, ScopeColumn, ScopeTable
from warehouse.binder.select import SelectBinder, position_of
from warehouse.binder.tables import KnownCte, TableBinder
from warehouse.binder.types import common_type
from warehouse.syntax import tree

__all__ = ["CellBinder", "QueryBinder", "bind_query"]

_Ctes = Mapping[str, KnownCte]
CellBinder = Callable[[Any, int, Callable[[Any], Expr]], Expr]
"""Binds a value of a VALUES list: (node, column, how values are bound otherwise)."""


def bind_query(
    node: tree.QueryNode,
    binding: Binding,
    kinds: Sequence[AnyType | None] = (),
    cell: CellBinder | None = None,
) -> Query:
    """The query as algebra.

    Args:
        kinds: types that the columns are wanted in, for INSERT: untyped literals become these;
            nothing else is cast.
        cell: if the query is a VALUES list, binds each value as what it is wanted as.
    """
    binder = QueryBinder(binding)
    if cell is not None and isinstance(node.body, tree.ValuesNode):
        relation, names = binder.query(node, None, {}, cell=cell)
    else:
        relation, names = binder.query(node, None, {}, keep_unknown=bool(kinds))
    if kinds:
        relation = binder.as_wanted(relation, kinds)
    outputs = relation.columns
    query = Query(
        relation=relation,
        outputs=outputs,
        names=names,
        ctes=dict(binding.ctes),
        labels=dict(binding.labels),
        next_id=binding.next_id,
    )
    return inlined(query)


class QueryBinder(RecursionBinder):
    """Binds queries of one statement."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding

    def query(
        self,
        node: tree.QueryNode,
        scope: Scope | None,
        ctes: _Ctes,
        *,
        keep_unknown: bool = False,
        cell: CellBinder | None = None,
    ) -> tuple[Relation, tuple[str, ...]]:
        """A query inside `scope`: its rows and the names of its columns."""
        if node.with_:
            ctes = self._with(node, scope, ctes)
        body = node.body
        keys: tuple[SortKey, ...]
        if isinstance(body, tree.ValuesNode) and cell is not None:
            relation, names = self._values(body, scope, ctes, cell=cell)
            keys = self._order(node.order, relation, names)
        elif isinstance(body, tree.SelectNode):
            relation, names, keys = self._select(body, node.order, scope, ctes, keep_unknown)
        else:
            relation, names = self._body(body, scope, ctes, keep_unknown)
            keys = self._order(node.order, relation, names)
        return self._limited(node, relation, names, keys, scope), names

    def _body(
        self, body: Any, scope: Scope | None, ctes: _Ctes, keep_unknown: bool
    ) -> tuple[Relation, tuple[str, ...]]:
        match body:
            case tree.QueryNode():
                return self.query(body, scope, ctes, keep_unknown=keep_unknown)
            case tree.ValuesNode():
                return self._values(body, scope, ctes, keep_unknown=keep_unknown)
            case tree.SetOp():
                return self._set_operation(body, scope, ctes, keep_unknown)
            case _:
                raise NotYet(f"{type(body).__name__} is not available here")

    def _select(
        self,
        node: tree.SelectNode,
        order: Sequence[tree.OrderItem],
        scope: Scope | None,
        ctes: _Ctes,
        keep_unknown: bool,
    ) -> tuple[Relation, tuple[str, ...], tuple[SortKey, ...]]:
        def subquery(
            inner: tree.QueryNode, around: Scope | None
        ) -> tuple[Relation, tuple[str, ...]]:
            return self.query(inner, around, ctes)

        tables = TableBinder(self._binding, scope, ctes, subquery)
        relation, own = tables.bind(node.from_)
        binder = SelectBinder(
            self._binding,
            relation,
            own,
            lambda inner, around: subquery(inner, around)[0],
            keep_unknown=keep_unknown,
        )
        return binder.bind(node, order)

    # --- ORDER BY, LIMIT --------------------------------------------------------------------------

    def _order(
        self, order: Sequence[tree.OrderItem], relation: Relation, names: Sequence[str]
    ) -> tuple[SortKey, ...]:
        """ORDER BY of VALUES or a set operation: outputs by name or position only."""
        keys = []
        columns = relation.columns
        for item in order:
            keys.append(
                SortKey(
                    expr=self._output(item.expr, columns, names),
                    descending=item.descending,
                    nulls_first=nulls_first(item),
                )
            )
        return tuple(keys)

    def _output(self, node: Any, columns: Sequence[ColumnRef], names: Sequence[str]) -> Expr:
        if isinstance(node, tree.Constant):
            return columns[position_of(node, len(columns), "ORDER BY", self._binding)]
        scope = Scope()
        pairs = zip(names, columns, strict=True)
        scope.add(ScopeTable(None, tuple(ScopeColumn(name, column) for name, column in pairs)))
        if isinstance(node, tree.NameRef):
            return scope.find(node.parts, lambda: self._binding.place(node))
        raise NotYet(
            "invalid UNION/INTERSECT/EXCEPT ORDER BY clause: only result column names can be used,"
            f" not expressions or functions{self._binding.place(node)}"
        )

    def _limited(
        self,
        node: tree.QueryNode,
        relation: Relation,
        names: Sequence[str],
        keys: tuple[SortKey, ...],
        scope: Scope | None,
    ) -> Relation:
        shown_columns = relation.columns[: len(names)]
        if keys and not (
            isinstance(relation, algebra.Distinct) and relation.keys and not node.order
        ):
            relation = algebra.Sort(input=relation, keys=keys)
        if node.limit is not None or node.offset is not None:
            if node.ties and not keys:
                raise InvalidRequest(
                    "WITH TIES cannot be specified without ORDER BY clause", "42601"
                )
            relation = algebra.Limit(
                input=relation,
                count=self._count(node.limit, "LIMIT", scope),
                offset=self._count(node.offset, "OFFSET", scope),
                ties=keys if node.ties else (),
            )
        if len(relation.columns) != len(names):
            items = tuple((column, column) for column in shown_columns)
            relation = algebra.Project(input=relation, items=items)
        return relation

    def _count(self, node: Any, clause: str, scope: Scope | None) -> Expr | None:
        if node is None:
            return None
        inner = Scope(parent=scope)
        binder = ExpressionBinder(
            self._binding,
            inner,
            Collector(where=clause),
            lambda query, around: self.query(query, around, {})[0],
        )
        try:
            expr = binder.bind(node)
        except InvalidRequest as error:
            if error.sqlstate in ("42703", "42P01") and isinstance(node, tree.NameRef):
                raise InvalidRequest(
                    f"argument of {clause} must not contain variables{self._binding.place(node)}",
                    "42P10",
                ) from None
            raise
        if columns_used(expr):
            raise NotYet(f"{clause} with columns of an outer query is not available")
        if not is_numeric(expr.type) and expr.type != UNKNOWN:
            raise InvalidRequest(
                f"argument of {clause} must be type bigint, not type {shown(expr.type)}", "42804"
            )
        count = coerce(expr, BIGINT)
        if not has_subquery(count):
            return count
        return Call(type=BIGINT, fn=f"{clause.lower()} rows(int8)", args=(count,))

    # --- VALUES and set operations ----------------------------------------------------------------

    def _values(
        self,
        node: tree.ValuesNode,
        scope: Scope | None,
        ctes: _Ctes,
        *,
        keep_unknown: bool = False,
        cell: CellBinder | None = None,
    ) -> tuple[Relation, tuple[str, ...]]:
        binder = ExpressionBinder(
            self._binding,
            Scope(parent=scope),
            Collector(where="VALUES"),
            lambda query, around: self.query(query, around, ctes)[0],
        )
        bind = binder.bind
        if cell is not None:
            _check_lengths(node.rows)
            rows = [[cell(value, i, bind) for i, value in enumerate(row)] for row in node.rows]
            kinds = [value.type for value in rows[0]]
        else:
            rows = [[part for value in row for part in binder.expanded(value)] for row in node.rows]
            _check_lengths(rows)
            columns = [_column(list(cells), keep_unknown) for cells in zip(*rows, strict=True)]
            kinds = [kind for _, kind in columns]
            rows = [list(row) for row in zip(*(cells for cells, _ in columns), strict=True)]
        bound = tuple(tuple(row) for row in rows)
        names = tuple(f"column{i + 1}" for i in range(len(kinds)))
        outputs = tuple(
            self._binding.column(kind, name) for kind, name in zip(kinds, names, strict=True)
        )
        return algebra.Values(rows=bound, outputs=outputs), names

    def _set_operation(
        self, node: tree.SetOp, scope: Scope | None, ctes: _Ctes, keep_unknown: bool
    ) -> tuple[Relation, tuple[str, ...]]:
        left, names = self.query(node.left, scope, ctes, keep_unknown=True)
        right, _ = self.query(node.right, scope, ctes, keep_unknown=True)
        word = node.op.upper()
        if len(left.columns) != len(right.columns):
            raise InvalidRequest(
                f"each {word} query must have the same number of columns"
                f"{self._binding.place(node)}",
                "42601",
            )
        if not left.columns:
            raise NotYet(f"{word} of queries without columns is not available")
        kinds = [
            UNKNOWN if a.type == b.type == UNKNOWN and keep_unknown else _common(a, b, word)
            for a, b in zip(_outputs(left), _outputs(right), strict=True)
        ]
        if not (node.all and node.op == "union"):
            for kind in kinds:
                if not has_equality(kind):
                    raise InvalidRequest(
                        f"could not identify an equality operator for type {shown(kind)}", "42883"
                    )
        outputs = tuple(
            self._binding.column(kind, name) for kind, name in zip(kinds, names, strict=True)
        )
        relation = algebra.SetOperation(
            kind=node.op,
            all=node.all,
            left=self._cast_columns(left, kinds),
            right=self._cast_columns(right, kinds),
            outputs=outputs,
        )
        return relation, names

    def _cast_columns(self, relation: Relation, kinds: Sequence[AnyType]) -> Relation:
        """The relation with its columns in these types; untyped literals become such values."""
        columns = relation.columns
        if all(column.type == kind for column, kind in zip(columns, kinds, strict=True)):
            return relation
        literals = _literals(relation)
        items: list[tuple[ColumnRef, Expr]] = []
        for position, (column, kind) in enumerate(zip(columns, kinds, strict=True)):
            if column.type == kind:
                items.append((column, column))
                continue
            made = self._binding.column(kind, self._binding.labels.get(column.id, "column"))
            source: Expr = column
            if column.type == UNKNOWN and literals is not None:
                source = literals[position]
            items.append((made, coerce(source, kind)))
        relation = algebra.Project(input=relation, items=tuple(items))
        if any(column.type == UNKNOWN for column in columns):
            relation = _without_unknown(relation, columns)
        return relation

    def as_wanted(self, relation: Relation, kinds: Sequence[AnyType | None]) -> Relation:
        """Untyped columns as the wanted types, TEXT if none is wanted."""
        wanted = [
            (kinds[i] if i < len(kinds) and kinds[i] is not None else TEXT)
            if column.type == UNKNOWN
            else column.type
            for i, column in enumerate(relation.columns)
        ]
        return self._cast_columns(relation, [kind or TEXT for kind in wanted])

    # --- WITH -------------------------------------------------------------------------------------

    def _with(self, node: tree.QueryNode, scope: Scope | None, ctes: _Ctes) -> _Ctes:
        known = dict(ctes)
        seen: set[str] = set()
        for definition in self._in_order(node) if node.recursive else node.with_:
            if definition.name in seen:
                raise InvalidRequest(
                    f'WITH query name "{definition.name}" specified more than once'
                    f"{self._binding.place(definition)}",
                    "42712",
                )
            seen.add(definition.name)
            recursive = node.recursive and mentions(definition.query, definition.name)
            bind = self._recursive if recursive else self._plain_cte
            known[definition.name] = bind(definition, scope, known)
        return known

    def _in_order(self, node: tree.QueryNode) -> list[tree.CteDef]:
        """WITH RECURSIVE: each behind those that it refers to, which may stand behind it.

        Raises NotYet: two refer to each other.
        """
        left, found = list(node.with_), list[tree.CteDef]()
        while left:
            ready = [
                definition
                for definition in left
                if not any(
                    other is not definition and mentions(definition.query, other.name)
                    for other in left
                )
            ]
            if not ready:
                raise NotYet(
                    "mutual recursion between WITH items is not implemented"
                    f"{self._binding.place(left[0])}"
                )
            found += ready
            left = [definition for definition in left if definition not in ready]
        return found

    def _plain_cte(self, definition: tree.CteDef, scope: Scope | None, ctes: _Ctes) -> KnownCte:
        relation, names = self.query(definition.query, scope, ctes)
        names = self._cte_names(definition, names)
        return self._kept(definition.name, relation, names)

    def _kept(self, name: str, relation: Relation, names: tuple[str, ...]) -> KnownCte:
        number = len(self._binding.ctes) + 1
        self._binding.ctes[number] = algebra.Cte(name=name, relation=relation)
        return KnownCte(number, names, tuple(column.type for column in relation.columns))

    def _cte_names(self, definition: tree.CteDef, names: tuple[str, ...]) -> tuple[str, ...]:
        given = definition.columns
        if len(given) > len(names):
            raise InvalidRequest(
                f'WITH query "{definition.name}" has {len(names)} columns available but'
                f" {len(given)} columns specified{self._binding.place(definition)}",
                "42P10",
            )
        return (*given, *names[len(given) :])


def _check_lengths(rows: Sequence[Sequence[Any]]) -> None:
    if len({len(row) for row in rows}) != 1:
        raise InvalidRequest("VALUES lists must all be the same length", "42601")


def _column(cells: list[Expr], keep_unknown: bool) -> tuple[list[Expr], AnyType]:
    """A column of VALUES, its cells in one type; UNKNOWN if it shall stay so."""
    if keep_unknown and all(cell.type == UNKNOWN for cell in cells):
        return cells, UNKNOWN
    return agreed(cells, "VALUES")


def _outputs(relation: Relation) -> list[Expr]:
    """The columns, untyped ones as the literals that they are if that can be seen."""
    literals = _literals(relation)
    return [
        column if column.type != UNKNOWN or literals is None else literals[position]
        for position, column in enumerate(relation.columns)
    ]


def _common(left: Expr, right: Expr, word: str) -> AnyType:
    """The type of one column of a set operation."""
    pair = (left, right)
    kind = common_type([expr.type for expr in pair], word)
    if any(expr.type == UNKNOWN and not isinstance(expr, Literal) for expr in pair):
        return without_modifiers(kind)
    return agreed(pair, word)[1]


def _literals(relation: Relation) -> list[Expr] | None:
    """The expressions of a Project at the top, for its untyped literals."""
    while isinstance(relation, algebra.Sort | algebra.Limit | algebra.Distinct):
        relation = relation.input
    if isinstance(relation, algebra.Project):
        return [expr if isinstance(expr, Literal) else column for column, expr in relation.items]
    return None


def _without_unknown(relation: algebra.Project, columns: Sequence[ColumnRef]) -> Relation:
    """Below the casts, untyped columns as TEXT (values that a literal above replaces)."""
    unknown = {
        column.id: ColumnRef(type=TEXT, id=column.id)
        for column in columns
        if column.type == UNKNOWN
    }

    def typed(expr: Expr) -> Expr:
        if isinstance(expr, ColumnRef):
            return unknown.get(expr.id, expr)
        if isinstance(expr, Literal) and expr.type == UNKNOWN:
            return Literal(type=TEXT, value=expr.value)
        return expr

    def node(found: Relation) -> Relation:
        changed = map_expressions(found, lambda expr: transform(expr, typed))
        return map_outputs(changed, lambda column: unknown.get(column.id, column))

    return transform_relation(relation, node)

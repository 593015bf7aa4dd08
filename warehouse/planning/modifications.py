"""UPDATE and DELETE: the query whose rows say which rows of the table change, and how.

    UPDATE t SET b = e FROM u WHERE w   ->   SELECT t's key, t's row with b = e FROM t, u WHERE w

The key is that of the old row, or its location (`row_binder.Target.old`). What happens with the
query's rows is `actors.primary.modify`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.planner import ModifyPlan, RowAction, RowLayout
from storage.schema import Column
from storage.snapshot.model import TableState
from storage.target import RowRules
from warehouse.algebra.expressions import Expr
from warehouse.algebra.relations import Filter, Query, Relation
from warehouse.binder.context import Binding
from warehouse.binder.scope import Scope
from warehouse.planning.query import QueryPlanner
from warehouse.planning.returning import Others, others_of, plan_returning
from warehouse.planning.row_binder import RowBinder, Target, asking, query_of
from warehouse.syntax import tree
from warehouse.syntax.modifications_tree import Delete, Merge, Update

__all__ = ["moves_keys", "named", "plan_delete", "plan_update", "target_of", "with_of"]


def plan_update(
    node: Update, queries: QueryPlanner, table: TableState, rules: RowRules | None
) -> ModifyPlan:
    """Plan UPDATE of `table`, which the statement names.

    Raises:
        UnknownObject: a column or table.
        InvalidRequest: types that do not fit, a column that is assigned twice, a value for a
            GENERATED ALWAYS column, aggregates.
    """
    target = target_of(node, table, queries)
    changed = frozenset(name for a in node.assignments for name in a.columns)
    found: list[tuple[Others, frozenset[str]]] = []

    def bind(binding: Binding) -> Query:
        binder = RowBinder(binding, target, with_of(node))
        relation, scope = binder.tables((target.reference, *node.from_))
        relation = _filtered(binder, relation, scope, node.where)
        values = binder.assignments(node.assignments, scope, "UPDATE")
        others = _others(binder, scope, node)
        found.append((others, values.asks))
        outputs: list[tuple[str, Expr]] = [*target.old]
        outputs += zip(table.schema.names, binder.kept(values), strict=True)
        outputs += asking(sorted(values.asks), values.asks)
        outputs += [(extra.column.name, extra.expr) for extra in others.extras]
        return query_of(binding, relation, named(outputs))

    query = queries.bound(bind)
    others, asks = found[0]
    return ModifyPlan(
        verb="UPDATE",
        table=table,
        query=query,
        layout=RowLayout(
            action=RowAction.UPDATE,
            old=tuple(name for name, _ in target.old),
            new=tuple(table.schema.names),
            asks=tuple(sorted(asks)),
            extra=tuple(extra.column for extra in others.extras),
        ),
        moves=moves_keys(table, changed),
        once=False,
        rules=rules,
        returning=plan_returning(node.returning, queries, target, with_of(node), others),
    )


def plan_delete(node: Delete, queries: QueryPlanner, table: TableState) -> ModifyPlan:
    """Plan DELETE from `table`, which the statement names. Raises as queries do."""
    target = target_of(node, table, queries)
    kept: tuple[Column, ...] = table.columns if node.returning else ()
    found: list[Others] = []

    def bind(binding: Binding) -> Query:
        binder = RowBinder(binding, target, with_of(node))
        relation, scope = binder.tables((target.reference, *node.using))
        relation = _filtered(binder, relation, scope, node.where)
        others = _others(binder, scope, node)
        found.append(others)
        outputs: list[tuple[str, Expr]] = [*target.old]
        outputs += [(column.name, target.columns[column.name]) for column in kept]
        outputs += [(extra.column.name, extra.expr) for extra in others.extras]
        return query_of(binding, relation, named(outputs))

    query = queries.bound(bind)
    others = found[0]
    return ModifyPlan(
        verb="DELETE",
        table=table,
        query=query,
        layout=RowLayout(
            action=RowAction.DELETE,
            old=tuple(name for name, _ in target.old),
            new=tuple(column.name for column in kept),
            extra=tuple(extra.column for extra in others.extras),
        ),
        moves=False,
        once=False,
        returning=plan_returning(node.returning, queries, target, with_of(node), others),
    )


def target_of(node: Update | Delete | Merge, table: TableState, queries: QueryPlanner) -> Target:
    """The table whose rows change, as FROM will have it."""
    return Target(table, tree.TableRef(node.at, node.table, node.alias), queries.schema_of(table))


def with_of(node: Any) -> tree.QueryNode:
    """The WITH before a statement, as that of a query."""
    return tree.QueryNode(node.at, None, node.with_, node.recursive)


def moves_keys(table: TableState, changed: frozenset[str]) -> bool:
    """May an update of these columns change the primary key?"""
    key = table.primary_key
    return key is not None and any(c.name in changed for c in table.key_columns(key))


def named(outputs: Sequence[tuple[str, Expr]]) -> list[tuple[str, Expr]]:
    """The columns under names that are distinct: what they mean, their order says."""
    return [(f"{number} {name}", expr) for number, (name, expr) in enumerate(outputs)]


def _filtered(binder: RowBinder, relation: Relation, scope: Scope, where: Any) -> Relation:
    if where is None:
        return relation
    predicate = binder.expressions(scope, "WHERE").boolean(where, "WHERE")
    return Filter(input=relation, predicate=predicate)


def _others(binder: RowBinder, scope: Scope, node: Update | Delete) -> Others:
    if not node.returning:
        return Others()
    return others_of(binder.target.table, binder.others(scope))

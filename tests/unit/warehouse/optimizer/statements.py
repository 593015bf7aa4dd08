"""From SQL to algebra for tests of the optimiser: bound, optimised with chosen rules, looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from actors.messages import Session
from actors.planner import Latest, QueryPlan
from storage.snapshot.model import TableState
from tests.unit.warehouse.planning.database import Database
from warehouse.algebra.expressions import Expr, conjuncts
from warehouse.algebra.relations import CteScan, Filter, Join, Query, Relation, Scan
from warehouse.algebra.walk import nodes
from warehouse.binder.context import Binding
from warehouse.binder.queries import bind_query
from warehouse.optimizer.optimize import optimized
from warehouse.optimizer.render import render_expression
from warehouse.planning import query as planning
from warehouse.planning.catalogue import SnapshotCatalogue
from warehouse.planning.parse import parse_text

__all__ = [
    "bound",
    "conditions_of",
    "first",
    "group_of",
    "joins_of",
    "leaf_names",
    "optimised",
    "planned_without",
]


def bound(database: Database, sql: str) -> tuple[Query, Mapping[str, TableState]]:
    """A query as the binder leaves it, and the tables behind its inputs."""
    catalogue = SnapshotCatalogue({Latest(): database.snapshots[Latest()]}, Session())
    query = bind_query(parse_text(sql).tree, Binding(sql, catalogue))
    return query, {name: source.table for name, source in catalogue.sources.items()}


def optimised(database: Database, sql: str, without: Iterable[str] = ()) -> Query:
    """A query as the optimiser leaves it, every reference of a table being an input of its own."""
    query, tables = bound(database, sql)
    return optimized(query, tables, without=frozenset(without))


def planned_without(
    database: Database, sql: str, rules: Iterable[str], patch: Callable[[Any, str, Any], None]
) -> QueryPlan:
    """The whole plan of a query without some rules; `patch`: monkeypatch's `setattr`."""
    left_out = frozenset(rules)

    def fewer(query: Query, tables: Mapping[str, TableState]) -> Query:
        return optimized(query, tables, without=left_out)

    patch(planning, "optimized", fewer)
    fresh = Database(database.directory, database.snapshots[Latest()], database.snapshots)
    plan = fresh.query(sql)
    patch(planning, "optimized", optimized)
    return replace(plan)


def first(relation: Relation, kind: type[Relation]) -> Any:
    """The first relation of a kind, from the top."""
    return next(node for node in nodes(relation) if isinstance(node, kind))


def joins_of(relation: Relation) -> list[Join]:
    """All joins, from the top."""
    return [node for node in nodes(relation) if isinstance(node, Join)]


def _is_inner(node: Relation) -> bool:
    return isinstance(node, Join) and node.kind == "inner"


def group_of(query: Query) -> Relation:
    """The topmost group of inner joins."""
    return next(node for node in nodes(query.relation) if _is_inner(node))


def _leaves(node: Relation) -> list[Relation]:
    if isinstance(node, Join) and _is_inner(node):
        return [*_leaves(node.left), *_leaves(node.right)]
    return [node]


def leaf_names(query: Query) -> list[str]:
    """What the topmost inner joins read, in the order in which it is joined.

    A leaf is named by the inputs in it, in the order in which they stand there.
    """
    return [_name(query, leaf) for leaf in _leaves(group_of(query))]


def _name(query: Query, leaf: Relation) -> str:
    found: list[str] = []
    for node in nodes(leaf):
        if isinstance(node, Scan):
            found.append(node.input)
        elif isinstance(node, CteScan):
            found.append(query.ctes[node.cte].name)
    return "+".join(found)


def conditions_of(query: Query) -> list[str]:
    """Every conjunct of joins and filters from the top, columns by their labels."""
    found: list[Expr] = []
    for node in nodes(query.relation):
        if isinstance(node, Join) and node.condition is not None:
            found += conjuncts(node.condition)
        elif isinstance(node, Filter):
            found += conjuncts(node.predicate)
    return [render_expression(part, query.labels) for part in found]

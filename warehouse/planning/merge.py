"""MERGE: source rows LEFT JOINed with the table; each row takes the first WHEN that holds.

1. `branch` says which WHEN that is, counted from 1; rows without one, or with DO NOTHING, end here.
2. The action and every column of the new row are what that branch says (CASE branch WHEN …), so
   that an expression is evaluated in no row that does not take its branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actors.planner import ModifyPlan, RowAction, RowLayout
from storage.errors import InvalidRequest
from storage.schema import Column, plain_type
from storage.snapshot.model import TableState
from storage.target import RowRules
from warehouse.algebra.expressions import Call, Case, ColumnRef, Expr, Literal
from warehouse.algebra.relations import Filter, Project, Query, Relation
from warehouse.algebra.types import BOOLEAN, INTEGER, AnyType
from warehouse.binder.comparisons import compare
from warehouse.binder.context import Binding
from warehouse.binder.scope import Scope
from warehouse.planning.assignment import assigned
from warehouse.planning.insert import given_columns, refuse_identities
from warehouse.planning.modifications import moves_keys, named, target_of, with_of
from warehouse.planning.query import QueryPlanner
from warehouse.planning.row_binder import RowBinder, Target, Values, query_of
from warehouse.syntax import tree
from warehouse.syntax.modifications_tree import Merge, MergeWhen

__all__ = ["plan_merge"]

_ACTIONS = {
    "insert": RowAction.INSERT,
    "update": RowAction.UPDATE,
    "delete": RowAction.DELETE,
    "nothing": RowAction.NOTHING,
}


@dataclass(frozen=True, slots=True)
class _Branch:
    """A WHEN: its number, its condition (with whether the row is matched), and what it does."""

    number: int
    condition: Expr
    action: RowAction
    values: Values


def plan_merge(
    node: Merge, queries: QueryPlanner, table: TableState, rules: RowRules | None
) -> ModifyPlan:
    """Plan MERGE INTO `table`, which the statement names.

    Raises:
        InvalidRequest: as UPDATE and INSERT do; a WHEN behind one without a condition (42601).
        UnknownObject: a column or table; of the table in WHEN NOT MATCHED, too.
    """
    _check_reachable(node.whens)
    target = target_of(node, table, queries)
    asks: list[str] = []

    def bind(binding: Binding) -> Query:
        binder = RowBinder(binding, target, with_of(node))
        relation, source, both = _joined(binder, node)
        branches = _branches(binder, node, source, both)
        asks.extend(sorted({name for branch in branches for name in branch.values.asks}))
        relation, branch = _numbered(binding, relation, branches)
        doing = [found for found in branches if found.action is not RowAction.NOTHING]
        return query_of(binding, relation, _outputs(target, branch, doing, asks))

    query = queries.bound(bind)
    updated = {name for w in node.whens for a in w.assignments for name in a.columns}
    return ModifyPlan(
        verb="MERGE",
        table=table,
        query=query,
        layout=RowLayout(
            action=None,
            old=tuple(name for name, _ in target.old),
            new=tuple(table.schema.names),
            asks=tuple(asks),
        ),
        moves=moves_keys(table, frozenset(updated)),
        once=True,
        rules=rules,
    )


def _check_reachable(whens: Sequence[MergeWhen]) -> None:
    ended: set[bool] = set()
    for when in whens:
        if when.matched in ended:
            raise InvalidRequest(
                "unreachable WHEN clause specified after unconditional WHEN clause", "42601"
            )
        if when.condition is None:
            ended.add(when.matched)


# --- rows -----------------------------------------------------------------------------------------


def _joined(binder: RowBinder, node: Merge) -> tuple[Relation, Scope, Scope]:
    """The source's rows with the table's, the source's scope, and that of both."""
    inserts = any(not when.matched for when in node.whens)
    join = tree.JoinRef(
        node.at, "left" if inserts else "inner", node.source, binder.target.reference, node.on
    )
    relation, both = binder.tables((join,))
    source = Scope()
    for table in binder.others(both):
        source.add(table)
    return relation, source, both


def _branches(binder: RowBinder, node: Merge, source: Scope, both: Scope) -> list[_Branch]:
    there = Call(type=BOOLEAN, fn="is null", args=(binder.target.old[0][1],))
    matched = Call(type=BOOLEAN, fn="not", args=(there,))
    found = []
    for number, when in enumerate(node.whens, 1):
        scope = both if when.matched else source
        condition: Expr = matched if when.matched else there
        if when.condition is not None:
            own = binder.expressions(scope, "MERGE WHEN").boolean(when.condition, "WHEN")
            condition = Call(type=BOOLEAN, fn="and", args=(condition, own))
        values = _values(binder, when, scope)
        found.append(_Branch(number, condition, _ACTIONS[when.action], values))
    return found


def _values(binder: RowBinder, when: MergeWhen, scope: Scope) -> Values:
    if when.action == "update":
        return binder.assignments(when.assignments, scope, "MERGE")
    if when.action == "insert":
        return _inserted(binder, when, scope)
    return Values()


def _inserted(binder: RowBinder, when: MergeWhen, scope: Scope) -> Values:
    """INSERT (columns) VALUES (values): every column of the table gets something."""
    table = binder.target.table
    columns = given_columns(table, when.columns, when.values)
    bind = binder.expressions(scope, "MERGE").bind
    exprs: dict[str, Expr] = {}
    for column, value in zip(columns, when.values or (), strict=False):
        if isinstance(value, tree.Constant) and value.kind == "default":
            continue
        if column.identity is not None and when.overriding == "user":
            continue
        refuse_identities([column], when.overriding)
        exprs[column.name] = assigned(bind(value), column.type, column.name)
    left_out = [column for column in table.columns if column.name not in exprs]
    exprs |= {column.name: binder.default(column) for column in left_out}
    asks = frozenset(column.name for column in left_out if column.identity is not None)
    return Values(exprs, asks)


def _numbered(
    binding: Binding, relation: Relation, branches: Sequence[_Branch]
) -> tuple[Relation, ColumnRef]:
    """The rows that do something, and the number of their branch."""
    nothing = Literal(type=INTEGER, value=0)
    which = Case(
        type=INTEGER,
        branches=tuple(
            (
                found.condition,
                nothing
                if found.action is RowAction.NOTHING
                else Literal(type=INTEGER, value=found.number),
            )
            for found in branches
        ),
        default=nothing,
    )
    branch = binding.column(INTEGER, "branch")
    items = (*((column, column) for column in relation.columns), (branch, which))
    project = Project(input=relation, items=items)
    return Filter(input=project, predicate=compare(">", branch, nothing)), branch


# --- columns --------------------------------------------------------------------------------------


def _outputs(
    target: Target, branch: ColumnRef, branches: Sequence[_Branch], asks: Sequence[str]
) -> list[tuple[str, Expr]]:
    def by_branch(kind: AnyType, values: Sequence[Expr]) -> Expr:
        return Case(
            type=kind,
            branches=tuple(
                (compare("=", branch, Literal(type=INTEGER, value=found.number)), value)
                for found, value in zip(branches, values, strict=True)
            ),
            default=Literal(type=kind, value=None),
        )

    actions = [Literal(type=INTEGER, value=int(found.action)) for found in branches]
    outputs: list[tuple[str, Expr]] = [("action", by_branch(INTEGER, actions)), *target.old]
    for column in target.table.columns:
        new = [_new(found, column, target) for found in branches]
        outputs.append((column.name, by_branch(plain_type(column.type), new)))
    for name in asks:
        flags = [Literal(type=BOOLEAN, value=name in found.values.asks) for found in branches]
        outputs.append((name, by_branch(BOOLEAN, flags)))
    return named(outputs)


def _new(branch: _Branch, column: Column, target: Target) -> Expr:
    """A column of the new row; that of the row that is there where nothing is said."""
    return branch.values.exprs.get(column.name, target.columns[column.name])

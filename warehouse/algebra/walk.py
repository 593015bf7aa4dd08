"""Tools for trees of expressions and relations.

Nodes are immutable; a function that changes a tree returns a new one and shares what did not
change. Column ids are unique in a statement, so the columns that a relation needs from outside are
simply those it uses and does not make: no scopes have to be followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    Frame,
    InList,
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
from warehouse.algebra.types import AnyType

__all__ = [
    "Ids",
    "columns_used",
    "expressions",
    "free_columns",
    "has_subquery",
    "map_children",
    "map_expressions",
    "map_inputs",
    "map_outputs",
    "narrow",
    "nodes",
    "outputs_made",
    "subexpressions",
    "substitute",
    "transform",
    "transform_relation",
    "with_fresh_columns",
]

replace = msgspec.structs.replace
ExprMap = Callable[[Expr], Expr]
RelationMap = Callable[[Relation], Relation]


class Ids:
    """Gives out column ids that nothing in the statement has.

    `copies`: by id of a copied column, the id of the column it is a copy of.
    """

    def __init__(self, next_id: int) -> None:
        self.next_id = next_id
        self.copies: dict[int, int] = {}

    def column(self, kind: AnyType) -> ColumnRef:
        """A new column of this type."""
        column = ColumnRef(type=kind, id=self.next_id)
        self.next_id += 1
        return column

    def copy(self, column: ColumnRef) -> ColumnRef:
        """A new column for a copy of this one."""
        made = self.column(column.type)
        self.copies[made.id] = self.copies.get(column.id, column.id)
        return made


# -- expressions -----------------------------------------------------------------------------


def _each(args: tuple[Expr, ...], change: ExprMap) -> tuple[Expr, ...]:
    return tuple(change(arg) for arg in args)


def _keys(keys: tuple[SortKey, ...], change: ExprMap) -> tuple[SortKey, ...]:
    return tuple(replace(key, expr=change(key.expr)) for key in keys)


def _optional(expr: Expr | None, change: ExprMap) -> Expr | None:
    return None if expr is None else change(expr)


def _frame(frame: Frame | None, change: ExprMap) -> Frame | None:
    if frame is None or (frame.start.offset is None and frame.end.offset is None):
        return frame
    start = replace(frame.start, offset=_optional(frame.start.offset, change))
    end = replace(frame.end, offset=_optional(frame.end.offset, change))
    return replace(frame, start=start, end=end)


def map_children(expr: Expr, change: ExprMap) -> Expr:
    """The expression with `change` applied to its direct arguments.

    The relation of a Subquery is not an argument; its `left` is.
    """
    match expr:
        case Call(args=args):
            changed = _each(args, change)
            same = all(old is new for old, new in zip(args, changed, strict=True))
            return expr if same else replace(expr, args=changed)
        case Cast(arg=arg):
            return replace(expr, arg=change(arg))
        case Case(branches=branches, default=default):
            pairs = tuple((change(when), change(then)) for when, then in branches)
            return replace(expr, branches=pairs, default=change(default))
        case InList(arg=arg, items=items):
            return replace(expr, arg=change(arg), items=_each(items, change))
        case Subquery(left=left):
            return replace(expr, left=_each(left, change)) if left else expr
        case AggregateCall():
            return replace(
                expr,
                args=_each(expr.args, change),
                filter=_optional(expr.filter, change),
                order=_keys(expr.order, change),
                within=_keys(expr.within, change),
            )
        case WindowCall():
            return replace(
                expr,
                args=_each(expr.args, change),
                partition=_each(expr.partition, change),
                order=_keys(expr.order, change),
                frame=_frame(expr.frame, change),
                filter=_optional(expr.filter, change),
            )
        case _:
            return expr


def transform(expr: Expr, change: ExprMap) -> Expr:
    """`change` applied to every part, arguments first. Does not enter relations of subqueries."""
    return change(map_children(expr, lambda part: transform(part, change)))


def subexpressions(expr: Expr) -> Iterator[Expr]:
    """The expression and all its parts, outermost first; not the relations of subqueries."""
    yield expr
    found: list[Expr] = []

    def collect(part: Expr) -> Expr:
        found.append(part)
        return part

    map_children(expr, collect)
    for part in found:
        yield from subexpressions(part)


def has_subquery(expr: Expr) -> bool:
    """Is there a Subquery in it?"""
    return any(isinstance(part, Subquery) for part in subexpressions(expr))


def columns_used(expr: Expr | None) -> set[int]:
    """Ids of the columns it refers to; of a subquery, the ones from outside."""
    used: set[int] = set()
    if expr is None:
        return used
    for part in subexpressions(expr):
        if isinstance(part, ColumnRef):
            used.add(part.id)
        elif isinstance(part, Subquery):
            used |= free_columns(part.relation)
    return used


def substitute(expr: Expr, mapping: Mapping[int, Expr]) -> Expr:
    """The expression with columns replaced by expressions, also inside of subqueries."""
    if not mapping:
        return expr

    def change(part: Expr) -> Expr:
        if isinstance(part, ColumnRef):
            return mapping.get(part.id, part)
        if isinstance(part, Subquery):
            inside = transform_relation(
                part.relation,
                lambda node: map_expressions(node, lambda inner: substitute(inner, mapping)),
            )
            return replace(part, relation=inside)
        return part

    return transform(expr, change)


# -- relations -------------------------------------------------------------------------------


def map_inputs(node: Relation, change: RelationMap) -> Relation:
    """The node over changed inputs."""
    match node:
        case Join(left=left, right=right) | SetOperation(left=left, right=right):
            new_left, new_right = change(left), change(right)
            if new_left is left and new_right is right:
                return node
            return replace(node, left=new_left, right=new_right)
        case Recursive(base=base, step=step):
            return replace(node, base=change(base), step=change(step))
        case Scan():
            return node
        case (
            Project(input=below)
            | Filter(input=below)
            | Aggregate(input=below)
            | Window(input=below)
            | Sort(input=below)
            | Limit(input=below)
            | Distinct(input=below)
            | Unnest(input=below)
            | Sample(input=below)
        ):
            new = change(below)
            return node if new is below else replace(node, input=new)
        case _:
            return node


def map_expressions(node: Relation, change: ExprMap) -> Relation:
    """The node with `change` applied to each of its own expressions."""
    match node:
        case Values(rows=rows):
            return replace(node, rows=tuple(_each(row, change) for row in rows))
        case Project(items=items):
            return replace(node, items=tuple((column, change(expr)) for column, expr in items))
        case Filter(predicate=predicate):
            return replace(node, predicate=change(predicate))
        case Join(condition=condition):
            return node if condition is None else replace(node, condition=change(condition))
        case Aggregate(keys=keys, calls=calls):
            return replace(
                node,
                keys=tuple((column, change(expr)) for column, expr in keys),
                calls=tuple((column, change(call)) for column, call in calls),
            )
        case Window(calls=window_calls):
            return replace(
                node, calls=tuple((column, change(call)) for column, call in window_calls)
            )
        case Sort(keys=sort_keys):
            return replace(node, keys=_keys(sort_keys, change))
        case Limit():
            return replace(
                node,
                count=_optional(node.count, change),
                offset=_optional(node.offset, change),
                ties=_keys(node.ties, change),
            )
        case Distinct(keys=on, order=order):
            return replace(node, keys=_each(on, change), order=_keys(order, change))
        case Unnest(items=arrays):
            return replace(node, items=tuple((outputs, change(expr)) for outputs, expr in arrays))
        case Sample():
            return replace(node, percent=change(node.percent), seed=_optional(node.seed, change))
        case _:
            return node


def expressions(node: Relation) -> list[Expr]:
    """The node's own expressions, in the order of its fields."""
    found: list[Expr] = []

    def collect(expr: Expr) -> Expr:
        found.append(expr)
        return expr

    map_expressions(node, collect)
    return found


def map_outputs(node: Relation, change: Callable[[ColumnRef], ColumnRef]) -> Relation:
    """The node with the columns that it makes, or names anew, replaced."""
    match node:
        case Scan() | Values() | SetOperation() | CteScan() | Recursive() | WorkingTable():
            return replace(node, outputs=tuple(change(column) for column in node.outputs))
        case Project(items=items):
            return replace(node, items=tuple((change(column), expr) for column, expr in items))
        case Join(mark=mark):
            return node if mark is None else replace(node, mark=change(mark))
        case Aggregate(keys=keys, calls=calls):
            return replace(
                node,
                keys=tuple((change(column), expr) for column, expr in keys),
                calls=tuple((change(column), call) for column, call in calls),
            )
        case Window(calls=window_calls):
            return replace(
                node, calls=tuple((change(column), call) for column, call in window_calls)
            )
        case Unnest(items=arrays, ordinality=ordinality):
            return replace(
                node,
                items=tuple((tuple(map(change, outputs)), expr) for outputs, expr in arrays),
                ordinality=None if ordinality is None else change(ordinality),
            )
        case _:
            return node


def outputs_made(node: Relation) -> list[ColumnRef]:
    """The columns that exist from this node on: not those it passes on under their own id."""
    passed: set[int] = set()
    if isinstance(node, Project):
        passed = {
            column.id
            for column, expr in node.items
            if isinstance(expr, ColumnRef) and expr.id == column.id
        }
    found: list[ColumnRef] = []

    def collect(column: ColumnRef) -> ColumnRef:
        if column.id not in passed:
            found.append(column)
        return column

    map_outputs(node, collect)
    return found


def nodes(relation: Relation, *, subqueries: bool = True) -> Iterator[Relation]:
    """Every relation of the tree, outermost first; also those inside of subqueries."""
    yield relation
    for below in relation.inputs:
        yield from nodes(below, subqueries=subqueries)
    if not subqueries:
        return
    for expr in expressions(relation):
        for part in subexpressions(expr):
            if isinstance(part, Subquery):
                yield from nodes(part.relation)


def transform_relation(relation: Relation, change: RelationMap) -> Relation:
    """`change` applied to every relation, inputs first; not inside of subqueries."""
    return change(map_inputs(relation, lambda below: transform_relation(below, change)))


def free_columns(relation: Relation) -> set[int]:
    """Ids of the columns that the tree uses but does not make: its outer references."""
    used: set[int] = set()
    made: set[int] = set()
    for node in nodes(relation):
        made.update(column.id for column in outputs_made(node))
        for expr in expressions(node):
            used.update(part.id for part in subexpressions(expr) if isinstance(part, ColumnRef))
    return used - made


def narrow(relation: Relation, columns: tuple[ColumnRef, ...]) -> Relation:
    """The relation with exactly these of its columns."""
    if relation.columns == columns:
        return relation
    if isinstance(relation, Project):
        items = {column.id: expr for column, expr in relation.items}
        return Project(relation.input, tuple((column, items[column.id]) for column in columns))
    return Project(relation, tuple((column, column) for column in columns))


def with_fresh_columns(relation: Relation, ids: Ids) -> tuple[Relation, dict[int, ColumnRef]]:
    """A copy in which every column that the tree makes has a new id, and the new ones by old id."""
    mapping: dict[int, ColumnRef] = {}
    for node in nodes(relation):
        for column in outputs_made(node):
            if column.id not in mapping:
                mapping[column.id] = ids.copy(column)

    def output(column: ColumnRef) -> ColumnRef:
        return mapping.get(column.id, column)

    def part(expr: Expr) -> Expr:
        if isinstance(expr, ColumnRef):
            return mapping.get(expr.id, expr)
        if isinstance(expr, Subquery):
            columns = tuple(output(column) for column in expr.columns)
            return replace(expr, relation=whole(expr.relation), columns=columns)
        return expr

    def whole(tree: Relation) -> Relation:
        return transform_relation(
            tree,
            lambda node: map_outputs(
                map_expressions(node, lambda expr: transform(expr, part)), output
            ),
        )

    return whole(relation), mapping

"""Dependent joins pushed down: the general way to undo a correlation.

After Neumann and Kemper, "Unnesting Arbitrary Queries" (BTW 2015). Let D be the distinct values of
the outer columns F that a relation R refers to. `push(R)` gives, for every row d of D, the rows of
R under d, beside columns that hold d: the join of D with R, though R depends on D. Each node with
outer references below hands D on to its inputs and keeps the groups of each d apart: aggregates
group by it, windows partition by it, joins of two such inputs compare it, NULL being equal to NULL.
D is joined at last where nothing refers to it any more, on the conditions that `pull` finds there;
and if they say of each column of F that it equals a column of R, those columns stand in for D.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from storage.errors import InternalError, NotYet
from warehouse.algebra.expressions import (
    Call,
    Case,
    ColumnRef,
    Expr,
    SortKey,
    WindowCall,
    both,
)
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Empty,
    Filter,
    Join,
    Limit,
    Project,
    Recursive,
    Relation,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    WorkingTable,
)
from warehouse.algebra.types import BOOLEAN
from warehouse.algebra.walk import (
    Ids,
    columns_used,
    free_columns,
    map_expressions,
    map_inputs,
    narrow,
    nodes,
    replace,
    substitute,
)
from warehouse.optimizer.logic import TRUE, call, identical, operator
from warehouse.optimizer.pull import Equality, Pulled, Puller, group_defaults
from warehouse.optimizer.rows import limit_as_filter, one_row, without_order
from warehouse.optimizer.subqueries import values_as_union

__all__ = ["Mapping", "Pusher"]

Mapping = dict[int, ColumnRef]  # a column of F -> the column that holds it
Pushed = tuple[Relation, Mapping]


class Pusher:
    """Joins a domain with relations that depend on it.

    `instance` gives a copy of the domain whenever one is needed. `distinct`: the domain's rows are
    distinct, so that relations joined to it separately can be joined by its values.
    """

    def __init__(
        self,
        domain: Sequence[ColumnRef],
        instance: Callable[[], Pushed],
        ids: Ids,
        *,
        distinct: bool = True,
    ) -> None:
        self.domain = tuple(domain)
        self.ids = ids
        self.outer = frozenset(column.id for column in domain)
        self._instance = instance
        self._distinct = distinct
        self._puller = Puller(self.outer, ids)

    def push(self, node: Relation) -> Pushed:
        """The columns of the relation, at least, and the domain's; see the module.

        Raises:
            NotYet: a LIMIT over a recursive query that refers outwards: it may have no other end.
        """
        pulled = self._puller.pull(node)
        if pulled is not None:
            return self._joined(node, pulled)
        match node:
            case Filter() | Project() | Unnest() | Sort():
                return self._plain(node)
            case Aggregate():
                return self._aggregate(node)
            case Window():
                return self._window(node)
            case Distinct():
                return self._distinct_rows(node)
            case Limit():
                return self._limit(node)
            case Join():
                return self._join(node)
            case SetOperation():
                return self._set_operation(node)
            case Values():
                return self.push(values_as_union(node, self.ids))
            case Recursive():
                return self._recursive(node)
            case _:
                raise InternalError(f"{type(node).__name__} refers to columns around it")

    # -- where the domain is joined

    def _joined(self, node: Relation, pulled: Pulled) -> Pushed:
        replaced = self._replaced(node, pulled) if self._distinct else None
        if replaced is not None:
            return replaced
        source, mapping = self._instance()
        on = both([substitute(part, mapping) for part in pulled.on])
        if isinstance(pulled.relation, Empty):
            rows = source if on is None else Filter(source, on)
        elif pulled.one_row:
            kind = "inner" if on is None and one_row(pulled.relation) else "left"
            rows = Join(kind, source, pulled.relation, on)
        else:
            rows = Join("inner", source, pulled.relation, on)
        after = both([substitute(part, mapping) for part in pulled.after])
        if after is not None:
            rows = Filter(rows, after)
        return self._shown(node, rows, pulled, mapping), mapping

    def _shown(self, node: Relation, rows: Relation, pulled: Pulled, mapping: Mapping) -> Relation:
        """The columns of the node and the domain's."""
        held = tuple(mapping.values())
        if not pulled.items:
            return narrow(rows, (*node.columns, *held))
        items: list[tuple[ColumnRef, Expr]] = [
            (column, substitute(pulled.items.get(column.id, column), mapping))
            for column in node.columns
        ]
        return Project(rows, (*items, *((column, column) for column in held)))

    def _replaced(self, node: Relation, pulled: Pulled) -> Pushed | None:
        """The domain's columns taken from what they are equal to, if that is known of each."""
        if pulled.one_row:
            return None
        equals: dict[int, Expr] = {}
        for part in self._puller.equalities(pulled.on) or ():
            if isinstance(part, Equality):
                outer = part.outer
                if isinstance(outer, ColumnRef) and outer.type == part.key.type:
                    equals.setdefault(outer.id, part.key)
        if equals.keys() != self.outer:
            return None
        parts = [_known(substitute(part, equals)) for part in pulled.on]
        mapping = {column.id: self.ids.copy(column) for column in self.domain}
        condition = both(parts)
        rows = pulled.relation if condition is None else Filter(pulled.relation, condition)
        items = [
            (column, substitute(pulled.items.get(column.id, column), equals))
            for column in node.columns
        ]
        held = [(mapping[column], equals[column]) for column in mapping]
        return Project(rows, (*items, *held)), mapping

    # -- nodes with one input

    def _plain(self, node: Filter | Project | Unnest | Sort) -> Pushed:
        below, mapping = self.push(node.input)
        made = replace(node, input=below)
        result = map_expressions(made, lambda expr: substitute(expr, mapping))
        if isinstance(result, Project):
            held = tuple((column, column) for column in mapping.values())
            result = replace(result, items=(*result.items, *held))
        return result, mapping

    def _aggregate(self, node: Aggregate) -> Pushed:
        below, mapping = self.push(node.input)
        made = map_expressions(node, lambda expr: substitute(expr, mapping))
        assert isinstance(made, Aggregate)
        held = {key: self.ids.copy(column) for key, column in mapping.items()}
        added = tuple((held[key], column) for key, column in mapping.items())
        positions = range(len(made.keys), len(made.keys) + len(added))
        sets = made.sets and tuple((*chosen, *positions) for chosen in made.sets)
        groups = Aggregate(below, (*made.keys, *added), made.calls, sets)
        whole = (node.sets or ((),)).count(()) if node.sets is not None or not node.keys else 0
        if whole == 0:
            return groups, held
        if whole > 1:
            raise NotYet("a correlated subquery with two equal grouping sets () is not supported")
        source, outside = self._instance()
        calls, defaults = group_defaults(made.calls, self.ids)
        joined = Join("left", source, replace(groups, calls=calls), _equal(outside, held))
        items = [(column, defaults.get(column.id, column)) for column in node.columns]
        kept = [(column, column) for column in outside.values()]
        return Project(joined, (*items, *kept)), outside

    def _window(self, node: Window) -> Pushed:
        below, mapping = self.push(node.input)
        held = tuple(mapping.values())
        calls = []
        for column, expr in node.calls:
            made = substitute(expr, mapping)
            assert isinstance(made, WindowCall)
            calls.append((column, replace(made, partition=(*made.partition, *held))))
        return Window(below, tuple(calls)), mapping

    def _distinct_rows(self, node: Distinct) -> Pushed:
        below, mapping = self.push(node.input)
        held = tuple(mapping.values())
        below = narrow(below, (*node.columns, *held))
        if not node.keys:
            return Distinct(below), mapping
        made = map_expressions(node, lambda expr: substitute(expr, mapping))
        assert isinstance(made, Distinct)
        first = tuple(SortKey(column) for column in held) if made.order else ()
        return Distinct(below, (*held, *made.keys), (*first, *made.order)), mapping

    def _limit(self, node: Limit) -> Pushed:
        if any(isinstance(part, Recursive) and self._depends(part) for part in nodes(node.input)):
            raise NotYet(
                "LIMIT over a recursive query that refers to columns around it is not supported"
            )
        rows, order = without_order(node.input)
        below, mapping = self.push(rows)
        keys = tuple(replace(key, expr=substitute(key.expr, mapping)) for key in order)
        made = map_expressions(node, lambda expr: substitute(expr, mapping))
        assert isinstance(made, Limit)
        return limit_as_filter(made, below, keys, tuple(mapping.values()), self.ids), mapping

    # -- nodes with two inputs

    def _depends(self, node: Relation) -> bool:
        return bool(free_columns(node) & self.outer)

    def _join(self, node: Join) -> Pushed:
        first, second = self._depends(node.left), self._depends(node.right)
        kept = node.kind in ("left", "semi", "anti", "mark", "single")
        left_needed = first or not second or kept or node.kind == "full"
        right_needed = second or node.kind in ("right", "full")
        if node.kind == "right" and not first:
            left_needed = False
        left: Pushed = self.push(node.left) if left_needed else (node.left, {})
        right: Pushed = self.push(node.right) if right_needed else (node.right, {})
        mapping = left[1] if left_needed and node.kind != "right" else right[1]
        parts = [] if node.condition is None else [substitute(node.condition, mapping)]
        if left_needed and right_needed:
            same = _equal(left[1], right[1])
            parts = [] if same is None else [same, *parts]
        if node.kind == "full":
            return self._full(node, left, right)
        joined = replace(node, left=left[0], right=right[0], condition=both(parts))
        return joined, mapping

    def _full(self, node: Join, left: Pushed, right: Pushed) -> Pushed:
        """The domain's columns are those of the side that has a row."""
        there = self.ids.column(BOOLEAN)
        marked = Project(left[0], (*((c, c) for c in left[0].columns), (there, TRUE)))
        parts = [_equal(left[1], right[1])]
        if node.condition is not None:
            parts.append(substitute(node.condition, left[1]))
        joined = Join("full", marked, right[0], both([part for part in parts if part is not None]))
        mapping = {key: self.ids.copy(column) for key, column in left[1].items()}
        held = []
        for key, column in mapping.items():
            branches = ((call("is not null", there), left[1][key]),)
            held.append((column, Case(column.type, branches, right[1][key])))
        kept = tuple((column, column) for column in node.columns)
        return Project(joined, (*kept, *held)), mapping

    def _set_operation(self, node: SetOperation) -> Pushed:
        left, ours = self.push(node.left)
        right, theirs = self.push(node.right)
        held = {key: self.ids.copy(column) for key, column in ours.items()}
        first = narrow(left, (*node.left.columns, *(ours[key] for key in held)))
        second = narrow(right, (*node.right.columns, *(theirs[key] for key in held)))
        outputs = (*node.outputs, *held.values())
        return replace(node, left=first, right=second, outputs=outputs), held

    def _recursive(self, node: Recursive) -> Pushed:
        """All recursions side by side. The rows of a round hold the domain's columns, and the step
        sees of them those that belong to its own."""
        base, ours = self.push(node.base)
        held = {key: self.ids.copy(column) for key, column in ours.items()}
        step, theirs = self.push(self._own_rows(node.step, node.id))
        first = narrow(base, (*node.base.columns, *(ours[key] for key in held)))
        next_ = narrow(step, (*node.step.columns, *(theirs[key] for key in held)))
        outputs = (*node.outputs, *(held[key] for key in held))
        return replace(node, base=first, step=next_, outputs=outputs), held

    def _own_rows(self, node: Relation, number: int) -> Relation:
        """The step with the working table's rows under the outer columns, instead of all."""
        if not (isinstance(node, WorkingTable) and node.id == number):
            return map_inputs(node, lambda below: self._own_rows(below, number))
        held = [(column, self.ids.copy(column)) for column in self.domain]
        table = replace(node, outputs=(*node.outputs, *(copy for _, copy in held)))
        same = both([identical(copy, column) for column, copy in held])
        return narrow(Filter(table, same or TRUE), node.outputs)


def _equal(ours: Mapping, theirs: Mapping) -> Expr | None:
    return both([identical(ours[key], theirs[key]) for key in ours])


def _known(condition: Expr) -> Expr:
    """`x = x` in a shape that says what it is: x is not NULL."""
    match condition:
        case Call(fn=fn, args=(one, other)) if one == other and columns_used(one):
            if operator(fn) == "=":
                return call("is not null", one)
            if operator(fn) == "is not distinct":
                return TRUE
    return condition

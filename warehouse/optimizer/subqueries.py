"""Subqueries in expressions become joins below the node that they stand in.

The right side of such a join refers to columns of the left side where the subquery was correlated:
a lateral join, which `lateral` removes afterwards.

- A conjunct of WHERE that is an EXISTS, IN, ANY or ALL becomes a semi or an anti join.
  `x op ALL (q)` is true if no row has `x op column` false or NULL: the null-aware anti join whose
  condition is the opposite comparison. NOT (x op ANY (q)) is the null-aware anti join on `x op
  column`, NOT (x op ALL (q)) the semi join on its opposite.
- Anywhere else they become mark joins, null-aware but for EXISTS; ALL is NOT of ANY not.
- A scalar subquery becomes a `single` join, which needs no check if there can be but one row. If it
  is not correlated and its condition is about one of several joined relations, it is joined there.
- ARRAY(q) becomes an aggregate over the rows in their order, where no rows are an empty array.
"""

from __future__ import annotations

from storage.errors import NotYet
from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    Expr,
    Literal,
    Subquery,
    both,
    conjuncts,
)
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Empty,
    Filter,
    Join,
    Limit,
    Project,
    Relation,
    SetOperation,
    Sort,
    Values,
)
from warehouse.algebra.types import BOOLEAN
from warehouse.algebra.walk import (
    Ids,
    columns_used,
    expressions,
    free_columns,
    has_subquery,
    map_expressions,
    map_inputs,
    narrow,
    nodes,
    outputs_made,
    replace,
    subexpressions,
    transform,
    with_fresh_columns,
)
from warehouse.optimizer.logic import call, is_volatile, negated
from warehouse.optimizer.predicates import may_fault
from warehouse.optimizer.rows import limit_as_filter, one_row, single_row, without_order

__all__ = ["SubqueryLifter", "values_as_union"]

ARRAY_AGG = "array_agg(anynonarray)"
ARRAY_AGG_OF_ARRAYS = "array_agg(anyarray)"


class SubqueryLifter:
    """Turns every Subquery of a tree into a join."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self._placed: set[int] = set()

    def lift(self, node: Relation) -> Relation:
        """The same rows and columns, without Subquery expressions."""
        node = map_inputs(node, self.lift)
        if not any(has_subquery(expr) for expr in expressions(node)):
            return node
        match node:
            case Filter():
                return self._filter(node)
            case Join():
                return self._join(node)
            case Values():
                return self.lift(values_as_union(node, self.ids))
            case Limit():
                return self._limit(node)
            case _:
                base = _Base(self, node.inputs[0])
                changed = map_expressions(node, base.lift)
                whole = map_inputs(changed, lambda _: base.relation)
                return narrow(whole, node.columns)

    def inside(self, subquery: Subquery) -> tuple[Relation, tuple[Expr, ...]]:
        """The subquery's relation, itself free of subqueries, and its columns.

        An expression that was copied holds the same subquery twice; columns must not repeat.
        """
        relation = subquery.relation
        relation = self.lift(_any_rows(relation) if subquery.kind == "exists" else relation)
        columns: tuple[Expr, ...] = subquery.columns
        own = nodes(subquery.relation, subqueries=False)
        made = {column.id for node in own for column in outputs_made(node)}
        if made & self._placed:
            relation, fresh = with_fresh_columns(relation, self.ids)
            columns = tuple(fresh.get(column.id, column) for column in subquery.columns)
        self._placed |= made
        return relation, columns

    def _filter(self, node: Filter) -> Relation:
        parts = _conditions(node.predicate)
        plain = both([part for part in parts if not has_subquery(part)])
        below, wanted = self._sunk(node.input, [part for part in parts if has_subquery(part)])
        base = _Base(self, below if plain is None else Filter(below, plain))
        rest = both([base.lift(part) for part in wanted if not base.join_on(part)])
        result = base.relation if rest is None else Filter(base.relation, rest)
        return narrow(result, node.columns)

    def _sunk(self, relation: Relation, parts: list[Expr]) -> tuple[Relation, list[Expr]]:
        """With conditions moved to the one joined relation that they are about, and the others.

        `day = (SELECT max(day) FROM …)` keeps few rows of a calendar: no join should see the rest.
        """
        kept: list[Expr] = []
        for part in parts:
            leaf = _only_leaf(relation, columns_used(part)) if _is_constant_test(part) else None
            if leaf is None or leaf is relation:
                kept.append(part)
            else:
                relation = _with(relation, leaf, self._filter(Filter(leaf, part)))
        return relation, kept

    def _join(self, node: Join) -> Relation:
        parts = conjuncts(node.condition)
        plain = both([part for part in parts if not has_subquery(part)])
        rest = both([part for part in parts if has_subquery(part)])
        assert rest is not None
        if node.kind == "inner":
            return self._filter(Filter(replace(node, condition=plain), rest))
        if node.kind == "right":
            turned = Join("left", node.right, node.left, node.condition)
            return narrow(self._join(turned), node.columns)
        if node.kind == "full" or node.null_aware:
            raise NotYet("a subquery in the condition of a FULL JOIN is not supported")
        right = self._filter(Filter(node.right, rest))
        ours = {column.id for column in node.left.columns}
        lateral = node.lateral or bool(free_columns(right) & ours)
        return replace(node, right=right, condition=plain, lateral=lateral)

    def _limit(self, node: Limit) -> Relation:
        below, order = without_order(node.input)
        kept = limit_as_filter(node, below, order, (), self.ids)
        assert isinstance(kept, Project)
        assert isinstance(kept.input, Filter)
        rows = self._filter(kept.input)
        return narrow(Sort(rows, order) if order else rows, node.columns)


class _Base:
    """The input of one node, which grows by a join for each subquery of the node's expressions."""

    def __init__(self, lifter: SubqueryLifter, relation: Relation) -> None:
        self.relation = relation
        self._lifter = lifter
        self._known: dict[tuple[int, str, tuple[Expr, ...], tuple[str, ...]], Expr] = {}

    def lift(self, expr: Expr) -> Expr:
        """The expression with columns of the joins in place of subqueries."""
        if not has_subquery(expr):
            return expr
        return transform(
            expr, lambda part: self._column(part) if isinstance(part, Subquery) else part
        )

    def join_on(self, condition: Expr) -> bool:
        """Make a condition of WHERE a semi or anti join; False if it is not of that form."""
        wanted = True
        while isinstance(condition, Call) and condition.fn == "not":
            wanted = not wanted
            condition = condition.args[0]
        if not isinstance(condition, Subquery) or condition.kind not in ("exists", "any", "all"):
            return False
        subquery = replace(condition, left=tuple(self.lift(part) for part in condition.left))
        right, on = self._compared(subquery)
        found = wanted != (subquery.kind == "all")
        self._join(Join("semi" if found else "anti", self.relation, right, on), aware=not found)
        return True

    def _join(self, join: Join, *, aware: bool = False) -> None:
        ours = {column.id for column in self.relation.columns}
        self.relation = replace(
            join,
            lateral=bool(free_columns(join.right) & ours),
            null_aware=aware and join.condition is not None,
        )

    def _compared(self, subquery: Subquery) -> tuple[Relation, Expr | None]:
        """The right side and the condition of a match: of ALL, of a row that speaks against it."""
        relation, columns = self._lifter.inside(subquery)
        if subquery.kind == "exists":
            return relation, None
        triples = zip(subquery.left, subquery.ops, columns, strict=True)
        parts: list[Expr] = [call(fn, left, column) for left, fn, column in triples]
        if subquery.kind == "all":
            parts = [negated(part) for part in parts]
        return relation, both(parts)

    def _column(self, subquery: Subquery) -> Expr:
        key = (id(subquery.relation), subquery.kind, subquery.left, subquery.ops)
        if key not in self._known:
            self._known[key] = self._joined(subquery)
        return self._known[key]

    def _joined(self, subquery: Subquery) -> Expr:
        if subquery.kind == "scalar":
            relation, columns = self._lifter.inside(subquery)
            self._scalar(relation)
            return columns[0]
        if subquery.kind == "array":
            return self._array(subquery)
        right, on = self._compared(subquery)
        mark = self._lifter.ids.column(BOOLEAN)
        self._join(Join("mark", self.relation, right, on, mark), aware=subquery.kind != "exists")
        return negated(mark) if subquery.kind == "all" else mark

    def _scalar(self, relation: Relation) -> None:
        kind = "inner" if one_row(relation) else "left" if single_row(relation) else "single"
        self._join(Join(kind, self.relation, relation))

    def _array(self, subquery: Subquery) -> Expr:
        relation, columns = self._lifter.inside(subquery)
        rows, order = without_order(relation)
        fn = ARRAY_AGG_OF_ARRAYS if subquery.type == columns[0].type else ARRAY_AGG
        made = AggregateCall(type=subquery.type, fn=fn, args=columns, order=order)
        array = self._lifter.ids.column(subquery.type)
        self._scalar(Aggregate(rows, (), ((array, made),)))
        nothing = Literal(type=subquery.type, value=())
        return Call(type=subquery.type, fn="coalesce", args=(array, nothing))


def _is_constant_test(part: Expr) -> bool:
    """A condition that compares with scalar subqueries which refer to nothing outside of them, and
    that may move below other conditions and joins."""
    found = [one for one in subexpressions(part) if isinstance(one, Subquery)]
    alone = all(one.kind == "scalar" and not free_columns(one.relation) for one in found)
    values = {id(one): Literal(type=one.type, value=None) for one in found}
    plain = transform(part, lambda one: values.get(id(one), one))
    return alone and not may_fault(plain) and not is_volatile(plain)


def _only_leaf(relation: Relation, used: set[int]) -> Relation | None:
    """The relation under inner joins that has all of these columns."""
    if not used <= {column.id for column in relation.columns}:
        return None
    if not (isinstance(relation, Join) and relation.kind == "inner"):
        return relation
    sides = (_only_leaf(side, used) for side in relation.inputs)
    return next((leaf for leaf in sides if leaf is not None), relation) if used else None


def _with(relation: Relation, old: Relation, new: Relation) -> Relation:
    if relation is old:
        return new
    if not (isinstance(relation, Join) and relation.kind == "inner"):
        return relation
    return map_inputs(relation, lambda below: _with(below, old, new))


def _conditions(condition: Expr) -> list[Expr]:
    """The conjuncts; those of NOT (a OR b) too, if they hold subqueries."""
    found: list[Expr] = []
    for part in conjuncts(condition):
        opposite = part.args[0] if isinstance(part, Call) and part.fn == "not" else None
        if isinstance(opposite, Call) and opposite.fn == "or" and has_subquery(opposite):
            for arg in opposite.args:
                found += _conditions(negated(arg))
        elif isinstance(opposite, Call) and opposite.fn == "not":
            found += _conditions(opposite.args[0])
        else:
            found.append(part)
    return found


def _any_rows(relation: Relation) -> Relation:
    """A relation that has rows whenever this one has, without what orders, computes, repeats."""
    match relation:
        case Sort(input=below) | Project(input=below) | Distinct(input=below):
            return _any_rows(below)
        case Limit(count=count, offset=None, input=below) if count is None or (
            isinstance(count, Literal) and (count.value or 0) > 0
        ):
            return _any_rows(below)
        case _:
            return relation


def values_as_union(node: Values, ids: Ids) -> Relation:
    """The same rows, each computed by a Project of its own."""

    def row(cells: tuple[Expr, ...], outputs: tuple[Expr, ...]) -> Relation:
        fresh = tuple(ids.column(output.type) for output in outputs)
        return Project(Empty(), tuple(zip(fresh, cells, strict=True)))

    if len(node.rows) == 1:
        return Project(Empty(), tuple(zip(node.outputs, node.rows[0], strict=True)))
    relation = row(node.rows[0], node.outputs)
    for index, cells in enumerate(node.rows[1:], 2):
        last = index == len(node.rows)
        outputs = node.outputs if last else tuple(ids.column(o.type) for o in node.outputs)
        relation = SetOperation("union", True, relation, row(cells, node.outputs), outputs)
    return relation

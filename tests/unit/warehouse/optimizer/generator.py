"""Random correlated queries over tiny tables, for the tests of rewrites.

Every column is BIGINT. What SQL leaves open is avoided: orders are by all columns, so that the
first rows are the same rows however ties fall.
"""

from __future__ import annotations

import random
from typing import Any

from warehouse.algebra.expressions import (
    AggregateCall,
    Call,
    Case,
    ColumnRef,
    Expr,
    Literal,
    SortKey,
    Subquery,
    WindowCall,
)
from warehouse.algebra.relations import (
    Aggregate,
    Cte,
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
from warehouse.algebra.types import BIGINT, BOOLEAN
from warehouse.algebra.walk import Ids, narrow

__all__ = ["Generator", "number", "random_tables"]

TABLES = {"r": ("a", "b"), "s": ("a", "b", "c"), "t": ("a",)}
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
Columns = tuple[ColumnRef, ...]


def number(value: int | None) -> Literal:
    """A BIGINT constant."""
    return Literal(type=BIGINT, value=value)


def test(fn: str, *args: Expr) -> Call:
    """A Boolean call."""
    return Call(type=BOOLEAN, fn=fn, args=args)


def random_tables(rng: random.Random) -> dict[str, list[dict[str, Any]]]:
    """A few rows each, with NULLs and duplicates; sometimes none."""
    values = [None, 0, 1, 2, 3]
    return {
        name: [
            {column: rng.choice(values) for column in columns}
            for _ in range(rng.choice([0, 2, 3, 4, 5, 6]))
        ]
        for name, columns in TABLES.items()
    }


class Generator:
    """Makes queries from a random source. `division`: also expressions that may fail."""

    def __init__(self, rng: random.Random, *, division: bool = False) -> None:
        self.rng = rng
        self.operators = ["+", "-", "coalesce", *(["/"] if division else [])]
        self.ids = Ids(1)
        self.ctes: dict[int, Cte] = {}

    def query(self, depth: int = 3) -> Query:
        """A query; often with a table expression."""
        if self.rng.random() < 0.2:
            self.ctes[0] = Cte("w", self.relation(1, ()))
        relation = self.relation(depth, ())
        columns = relation.columns
        names = tuple(f"c{column.id}" for column in columns)
        return Query(relation, columns, names, self.ctes, {}, self.ids.next_id)

    def column(self) -> ColumnRef:
        return self.ids.column(BIGINT)

    # -- relations

    def relation(self, depth: int, outer: Columns) -> Relation:
        """At least one column. `outer`: the columns that it may refer to."""
        if depth <= 0:
            return self.leaf(outer)
        makers = [
            (4, self.filtered),
            (3, self.projected),
            (3, self.aggregated),
            (2, self.distinct),
            (3, self.joined),
            (2, self.lateral),
            (2, self.set_operation),
            (2, self.limited),
            (1, self.windowed),
            (1, self.unnested),
            (1, self.leaf_of),
        ]
        weights = [weight for weight, _ in makers]
        made = self.rng.choices([maker for _, maker in makers], weights)[0](depth, outer)
        if len(made.columns) > 4:
            made = narrow(made, tuple(self.rng.sample(made.columns, 2)))
        return made

    def leaf_of(self, depth: int, outer: Columns) -> Relation:
        return self.leaf(outer)

    def leaf(self, outer: Columns) -> Relation:
        made = self.source(outer)
        if outer and self.rng.random() < 0.5:
            fn = "=" if self.rng.random() < 0.8 else self.rng.choice([*COMPARISONS, "is distinct"])
            pair = [self.rng.choice(made.columns), self.rng.choice(outer)]
            self.rng.shuffle(pair)
            return Filter(made, test(fn, *pair))
        return made

    def source(self, outer: Columns) -> Relation:
        kind = self.rng.random()
        if self.ctes and kind < 0.1:
            columns = tuple(self.column() for _ in self.ctes[0].relation.columns)
            return CteScan(0, columns)
        if outer and kind < 0.2:
            rows = tuple((self.operand((), outer),) for _ in range(self.rng.choice([1, 1, 2, 3])))
            return Values(rows, (self.column(),))
        name = self.rng.choice(list(TABLES))
        return Scan(name, tuple(self.column() for _ in TABLES[name]), TABLES[name])

    def filtered(self, depth: int, outer: Columns) -> Relation:
        below = self.relation(depth - 1, outer)
        parts = [self.condition(depth, below.columns, outer)]
        if outer and self.rng.random() < 0.7:
            own, other = self.rng.choice(below.columns), self.rng.choice(outer)
            pair = [own, other]
            self.rng.shuffle(pair)
            parts.append(test("=", *pair))
        return Filter(below, parts[0] if len(parts) == 1 else test("and", *parts))

    def projected(self, depth: int, outer: Columns) -> Relation:
        below = self.relation(depth - 1, outer) if self.rng.random() < 0.8 else Empty()
        exprs = [self.number(depth, below.columns, outer) for _ in range(self.rng.choice([1, 2]))]
        kept = [(column, column) for column in below.columns if self.rng.random() < 0.3]
        return Project(below, (*kept, *((self.column(), expr) for expr in exprs)))

    def aggregated(self, depth: int, outer: Columns) -> Relation:
        below = self.relation(depth - 1, outer)
        count = self.rng.choice([0, 0, 1, 1, 2])
        keys = tuple(
            (self.column(), self.number(0, below.columns, outer if self.rng.random() < 0.2 else ()))
            for _ in range(count)
        )
        calls = []
        for _ in range(self.rng.choice([1, 2])):
            fn = self.rng.choice(["count(*)", "count", "sum", "min", "max"])
            own = outer if self.rng.random() < 0.15 else ()
            args = () if fn == "count(*)" else (self.number(0, below.columns, own),)
            distinct = bool(args) and self.rng.random() < 0.2
            calls.append((self.column(), AggregateCall(BIGINT, fn, args, distinct)))
        sets = None
        if keys and self.rng.random() < 0.15:
            sets = self.rng.choice([((0,), ()), (tuple(range(count)), (0,))])
        grouping = AggregateCall(BIGINT, "grouping", tuple(key for key, _ in keys))
        if sets:
            calls.append((self.column(), grouping))
        made = Aggregate(below, keys, tuple(calls), sets)
        if self.rng.random() < 0.3:
            return Filter(made, self.condition(0, made.columns, outer))
        return made

    def distinct(self, depth: int, outer: Columns) -> Relation:
        below = self.relation(depth - 1, outer)
        if self.rng.random() < 0.6:
            return Distinct(below)
        key = self.rng.choice(below.columns)
        return Distinct(below, (key,), (SortKey(key), *self.order(below)))

    def joined(self, depth: int, outer: Columns) -> Relation:
        left, right = self.relation(depth - 1, outer), self.relation(depth - 2, outer)
        kind = self.rng.choice(["inner", "inner", "left", "right", "full", "semi", "anti"])
        inside = 0 if kind == "full" else depth - 1
        pair = test("=", self.rng.choice(left.columns), self.rng.choice(right.columns))
        condition: Expr | None = pair
        if self.rng.random() < 0.5:
            columns = (*left.columns, *right.columns)
            condition = test("and", pair, self.condition(inside, columns, outer))
        elif kind == "inner" and self.rng.random() < 0.3:
            condition = None
        return Join(kind, left, right, condition)

    def lateral(self, depth: int, outer: Columns) -> Relation:
        left = self.relation(depth - 1, outer)
        right = self.relation(depth - 1, (*outer, *left.columns))
        condition = None
        if self.rng.random() < 0.4:
            condition = self.condition(0, (*left.columns, *right.columns), outer)
        kind = self.rng.choice(["inner", "left"])
        return Join(kind, left, right, condition, lateral=True)

    def set_operation(self, depth: int, outer: Columns) -> Relation:
        left, right = self.relation(depth - 1, outer), self.relation(depth - 2, outer)
        width = min(len(left.columns), len(right.columns))
        return SetOperation(
            self.rng.choice(["union", "intersect", "except"]),
            self.rng.random() < 0.5,
            narrow(left, left.columns[:width]),
            narrow(right, right.columns[:width]),
            tuple(self.column() for _ in range(width)),
        )

    def order(self, below: Relation) -> tuple[SortKey, ...]:
        return tuple(
            SortKey(column, self.rng.random() < 0.5, self.rng.random() < 0.5)
            for column in self.rng.sample(below.columns, len(below.columns))
        )

    def limited(self, depth: int, outer: Columns) -> Relation:
        below = self.relation(depth - 1, outer)
        keys = self.order(below)
        count: Expr | None = number(self.rng.choice([0, 1, 1, 2, None]))
        if depth > 1 and self.rng.random() < 0.15:
            query = Aggregate(self.leaf(()), (), ((self.column(), _count()),))
            count = Subquery(BIGINT, "scalar", query, query.columns)
        offset = number(self.rng.choice([0, 1])) if self.rng.random() < 0.3 else None
        ties = keys[:1] if self.rng.random() < 0.2 else ()
        return Limit(Sort(below, keys), count, offset, ties)

    def windowed(self, depth: int, outer: Columns) -> Relation:
        below = self.relation(depth - 1, outer)
        partition = tuple(column for column in below.columns if self.rng.random() < 0.4)
        if self.rng.random() < 0.5:
            call = WindowCall(BIGINT, "row_number()", (), partition, self.order(below))
        else:
            call = WindowCall(BIGINT, "sum", (self.number(0, below.columns, outer),), partition)
        return Window(below, ((self.column(), call),))

    def unnested(self, depth: int, outer: Columns) -> Relation:
        below = self.relation(depth - 1, outer) if self.rng.random() < 0.5 else Empty()
        cells = tuple(self.operand(below.columns, outer) for _ in range(self.rng.choice([0, 1, 2])))
        ordinality = self.column() if self.rng.random() < 0.3 else None
        array = Call(type=BIGINT, fn="array", args=cells)
        items = (((self.column(),), array),)
        return Unnest(below, items, ordinality, self.rng.random() < 0.2)

    # -- expressions

    def operand(self, own: Columns, outer: Columns) -> Expr:
        pick = self.rng.random()
        if outer and pick < 0.35:
            return self.rng.choice(outer)
        if own and pick < 0.9:
            return self.rng.choice(own)
        return number(self.rng.choice([0, 1, 2, None]))

    def number(self, depth: int, own: Columns, outer: Columns) -> Expr:
        pick = self.rng.random()
        if pick < 0.4:
            return self.operand(own, outer)
        if pick < 0.6:
            args = self.operand(own, outer), self.operand(own, outer)
            return Call(type=BIGINT, fn=self.rng.choice(self.operators), args=args)
        if pick < 0.7 and depth > -3:
            then, default = self.operand(own, outer), self.operand(own, outer)
            return Case(BIGINT, ((self.condition(min(depth - 1, 0), own, outer), then),), default)
        if pick < 0.9 and depth > 0:
            return self.scalar(depth, own, outer)
        return self.operand(own, outer)

    def scalar(self, depth: int, own: Columns, outer: Columns) -> Expr:
        below = self.relation(depth - 1, (*outer, *own))
        pick = self.rng.random()
        if pick < 0.45:
            value = AggregateCall(
                BIGINT, self.rng.choice(["sum", "min", "count"]), (self.rng.choice(below.columns),)
            )
            below = Aggregate(below, (), ((self.column(), value),))
            if self.rng.random() < 0.5:
                made = self.column()
                args = below.columns[0], number(7)
                expr = Call(type=BIGINT, fn=self.rng.choice(["coalesce", "+"]), args=args)
                below = Project(below, ((made, expr),))
        elif pick < 0.85:
            below = Limit(Sort(below, self.order(below)), number(1))
        elif pick < 0.92:
            query = Sort(below, self.order(below))
            array = Subquery(BIGINT, "array", query, query.columns[:1])
            return Call(type=BIGINT, fn="cardinality", args=(array,))
        return Subquery(BIGINT, "scalar", below, below.columns[:1])

    def condition(self, depth: int, own: Columns, outer: Columns) -> Expr:
        pick = self.rng.random()
        if depth > 0 and pick < 0.45:
            return self.quantified(depth, own, outer)
        if pick < 0.55 and depth > -2:
            parts = [self.condition(depth - 1, own, outer) for _ in range(2)]
            return test(self.rng.choice(["and", "or"]), *parts)
        if pick < 0.62 and depth > -2:
            return test("not", self.condition(depth - 1, own, outer))
        if pick < 0.7:
            return test("is null", self.operand(own, outer))
        fn = self.rng.choice(COMPARISONS) if self.rng.random() < 0.6 else "="
        return test(fn, self.number(depth - 1, own, outer), self.operand(own, outer))

    def quantified(self, depth: int, own: Columns, outer: Columns) -> Expr:
        below = self.relation(depth - 1, (*outer, *own))
        kind = self.rng.choice(["exists", "any", "any", "all"])
        if kind == "exists":
            made: Expr = Subquery(BOOLEAN, kind, below)
        else:
            width = min(self.rng.choice([1, 1, 2]), len(below.columns))
            usual = "=" if kind == "any" else "<>"
            op = self.rng.choice(COMPARISONS) if width == 1 and self.rng.random() < 0.5 else usual
            left = tuple(self.number(depth - 1, own, outer) for _ in range(width))
            made = Subquery(BOOLEAN, kind, below, below.columns[:width], left, (op,) * width)
        return test("not", made) if self.rng.random() < 0.35 else made


def _count() -> AggregateCall:
    return AggregateCall(BIGINT, "count(*)", ())

"""Random queries that are valid in PostgreSQL and have one answer.

    query = Generator(random.Random(seed), size).query()

`size` bounds nesting. Queries have joins of every kind, grouping, windows, subqueries, set
operations, CTEs, DISTINCT, ORDER BY and LIMIT over expressions of eight types. So that both systems
must agree:

- arithmetic is over tame columns only (see `random_tables`) and divides by `nullif(x, 0)`: no row
  raises an error, whatever order conditions are tried in. `risky` makes the other kind: one table,
  no condition, expressions that may raise one;
- quotients and averages, which are rounded, are whole outputs of the outermost query and nothing
  else; such a query is not ordered or made distinct;
- an ordered query is ordered by all its outputs; only then it may have a LIMIT;
- windows that depend on more than the rank of a row are over one table and ordered by its `id`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.sql.random_tables import COLUMNS, TABLES, Column, literal

__all__ = ["Generator", "Query"]

TYPES = (
    "integer", "bigint", "numeric", "double precision", "text", "date", "timestamp", "boolean"
)  # fmt: skip
UNITS = ("'year'", "'week'", "'hour'")
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
FORMS = (
    "{}", "{}", "{}", "ROLLUP ({})", "CUBE ({})", "GROUPING SETS ({}, ())",
    "GROUPING SETS (({}), ())",
)  # fmt: skip
NUMBERS = ("integer", "bigint", "numeric", "double precision")
SUMS = {
    "integer": "bigint", "bigint": "numeric", "numeric": "numeric",
    "double precision": "double precision",
}  # fmt: skip


@dataclass(frozen=True)
class Query:
    """A query; `ordered` if the order of its rows is decided."""

    sql: str
    ordered: bool


@dataclass(frozen=True)
class Scope:
    """The columns that expressions may use; `outer` those of the queries around."""

    columns: tuple[Column, ...]
    outer: tuple[Column, ...] = ()
    key: str | None = None  # the distinct column, if the rows come from one table


class Generator:
    """Makes one query after the other from a source of randomness."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self.rng = rng
        self.size = size
        self._aliases = 0

    # --- queries ----------------------------------------------------------------------------------

    def query(self) -> Query:
        """A whole statement."""
        if self.chance(0.08):
            return self.risky()
        width = self.rng.randint(1, 4)
        types = [self.rng.choice(TYPES) for _ in range(width)]
        if self.size > 1 and self.chance(0.2):
            sql = self.set_operation(types, self.size)
        elif self.chance(0.2):
            sources, scope = self.sources(self.size, ())
            items = [*self.outputs(scope, types), f"{self.approximate(scope)} AS x"]
            return Query(f"SELECT {', '.join(items)} {sources}{self.where(scope)}", False)
        else:
            sql = self.core(types, self.size, ())
        if self.chance(0.15) and self.size > 1:
            sql = f"WITH c AS ({sql}) SELECT * FROM c"
            if self.chance(0.4):
                sql += f" {self.rng.choice(('UNION', 'UNION ALL', 'EXCEPT'))} SELECT * FROM c"
        if not self.chance(0.5):
            return Query(sql, False)
        return Query(f"SELECT * FROM ({sql}) q{self.order(width)}", True)

    def order(self, width: int) -> str:
        """ORDER BY all outputs, in any order and direction; perhaps a part of the rows."""
        positions = self.rng.sample(range(1, width + 1), width)
        directions = ("", " DESC", " NULLS FIRST", " DESC NULLS LAST")
        keys = ", ".join(f"{position}{self.rng.choice(directions)}" for position in positions)
        limit = f" LIMIT {self.rng.randint(0, 6)}" if self.chance(0.3) else ""
        return f" ORDER BY {keys}{limit}" + (f" OFFSET {self.rng.randint(0, 3)}" * self.chance(0.2))

    def set_operation(self, types: list[str], depth: int) -> str:
        operation = self.rng.choice(
            ("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")
        )
        left, right = (self.core(types, depth - 1, ()) for _ in range(2))
        return f"({left}) {operation} ({right})"

    def core(self, types: list[str], depth: int, outer: tuple[Column, ...]) -> str:
        """SELECT … FROM … with outputs of these types, named c0, c1, …"""
        sources, scope = self.sources(depth, outer)
        if self.chance(0.3):
            return self.grouped(types, sources, scope)
        items = self.outputs(scope, types)
        if self.chance(0.25):
            place = self.rng.randrange(len(types))
            window = self.window(scope, types[place])
            items[place] = f"{window} AS c{place}" if window else items[place]
        distinct = "DISTINCT " if self.chance(0.15) else ""
        return f"SELECT {distinct}{', '.join(items)} {sources}{self.where(scope)}"

    def outputs(self, scope: Scope, types: list[str]) -> list[str]:
        depth = min(self.size, 3)
        return [f"{self.expression(t, scope, depth)} AS c{n}" for n, t in enumerate(types)]

    def grouped(self, types: list[str], sources: str, scope: Scope) -> str:
        inner = Scope(scope.columns)
        keys = [self.key(inner) for _ in range(self.rng.randint(0, 2))]
        items = []
        for place, kind in enumerate(types):
            fitting = [sql for sql, of in keys if of == kind]
            sql = self.rng.choice(fitting) if fitting and self.chance(0.7) else None
            items.append(f"{sql or self.aggregate(inner, kind)} AS c{place}")
        having = f" HAVING {self.aggregate(inner, 'boolean')}" if self.chance(0.2) else ""
        group = ", ".join(dict.fromkeys(sql for sql, _ in keys)) if keys else "()"
        form = self.rng.choice(FORMS) if keys else "{}"
        return f"SELECT {', '.join(items)} {sources}{self.where(scope)} GROUP BY " + (
            form.format(group) + having
        )

    def key(self, scope: Scope) -> tuple[str, str]:
        column = self.rng.choice(scope.columns)
        if column.type == "text" and self.chance(0.3):
            return f"upper({column.name})", "text"
        if column.type == "integer" and column.tame and self.chance(0.3):
            return f"({column.name} % 3)", "integer"
        if column.type == "timestamp" and self.chance(0.3):
            return f"date_trunc('month', {column.name})", "timestamp"
        return column.name, column.type

    def risky(self) -> Query:
        """Expressions over one table that may raise an error in some row."""
        forms = (
            "a.w + a.i", "a.w * a.w", "-a.w", "abs(a.w)", "a.b - a.i", "a.b * 2", "a.i / a.s",
            "a.i % a.s", "a.d / a.i", "a.d % a.s", "a.f / a.i", "a.t::integer", "a.u::date",
            "a.b::integer", "a.g::integer", "a.e::integer", "a.w::smallint", "a.e::decimal(10,2)",
            "sqrt(a.f)", "ln(a.d)", "a.t::boolean", "substr(a.t, 1, a.i)", "a.w / a.i",
        )  # fmt: skip
        items = ", ".join(f"{form} AS c{n}" for n, form in enumerate(self.rng.sample(forms, 2)))
        return Query(f"SELECT a.id, {items} FROM {self.rng.choice(TABLES)} a", False)

    # --- FROM and WHERE ---------------------------------------------------------------------------

    def sources(self, depth: int, outer: tuple[Column, ...]) -> tuple[str, Scope]:
        """FROM with one to three sources, and what can be named then."""
        sql, columns, key = self.source(depth)
        for _ in range(self.rng.choice((0, 0, 1, 1, 2)) if depth > 1 else 0):
            more, added, _ = self.source(depth - 1)
            kind = self.rng.choice(
                ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN")
            )
            sql = f"{sql} {kind} {more}"
            if kind != "CROSS JOIN":
                sql += f" ON {self.join_condition(columns, added, plain=kind == 'FULL JOIN')}"
            columns, key = columns + added, None
        if depth > 1 and self.chance(0.15):
            alias = self.alias()
            kind = self.rng.choice(("JOIN", "LEFT JOIN"))
            sql = f"{sql} {kind} LATERAL ({self.lateral(columns)}) {alias} ON true"
            columns += (Column(f"{alias}.v", "integer", False),)
            key = None
        return f"FROM {sql}", Scope(columns, outer, key)

    def lateral(self, columns: tuple[Column, ...]) -> str:
        """A query of one column, v, about each row of what stands before it."""
        if self.chance(0.4):
            return f"SELECT {self.expression('integer', Scope(columns), 1)} AS v"
        table, inside = self.inner_table(Scope(columns))
        own, condition = Scope(inside.columns), self.correlation(inside)
        value = self.column_expression("integer", own)
        if self.chance(0.5):
            return f"SELECT max({value}) AS v FROM {table}{condition}"
        limit = f" ORDER BY v NULLS FIRST LIMIT {self.rng.randint(0, 3)}" * self.chance(0.5)
        return f"SELECT {value} AS v FROM {table}{condition}{limit}"

    def recursion(self) -> str:
        """A query of one integer column, c0."""
        start, step = self.rng.randint(-2, 2), self.rng.randint(1, 3)
        union = self.rng.choice(("UNION", "UNION ALL"))
        first = self.rng.choice((f"SELECT {start}", "SELECT i FROM t1"))
        return (
            f"WITH RECURSIVE r(c0) AS ({first} {union} SELECT c0 + {step} FROM r WHERE c0 < 4) "
            "SELECT * FROM r"
        )

    def source(self, depth: int) -> tuple[str, tuple[Column, ...], str | None]:
        alias = self.alias()
        if depth > 2 and self.chance(0.25):
            types = [self.rng.choice(TYPES) for _ in range(self.rng.randint(1, 3))]
            made = (
                self.set_operation(types, depth - 2)
                if self.chance(0.2)
                else self.core(types, depth - 2, ())
            )
            columns = tuple(Column(f"{alias}.c{n}", t, False) for n, t in enumerate(types))
            return f"({made}) {alias}", columns, None
        if depth > 1 and self.chance(0.04):
            return f"({self.recursion()}) {alias}", (Column(f"{alias}.c0", "integer", True),), None
        columns = tuple(Column(f"{alias}.{c.name}", c.type, c.tame) for c, _ in COLUMNS)
        table = self.rng.choices(TABLES, (12, 10, 6, 1))[0]
        return f"{table} {alias}", columns, f"{alias}.id"

    def join_condition(
        self, left: tuple[Column, ...], right: tuple[Column, ...], *, plain: bool
    ) -> str:
        pairs = [
            (a, b)
            for a in left
            for b in right
            if a.type == b.type or (a.type in NUMBERS[:3] and b.type in NUMBERS[:3])
        ]
        if not pairs:
            return "true" if not plain else "1 = 1"
        one, other = self.rng.choice(pairs)
        condition = f"{one.name} = {other.name}"
        if plain or self.chance(0.6):
            return condition
        scope = Scope(left + right)
        if self.chance(0.3):
            return self.expression("boolean", scope, 2)
        return f"{condition} {self.rng.choice(('AND', 'AND', 'OR'))} " + (
            self.expression("boolean", scope, 1)
        )

    def where(self, scope: Scope) -> str:
        if not self.chance(0.4):
            return ""
        return f" WHERE {self.expression('boolean', scope, min(self.size, 3), subqueries=True)}"

    # --- aggregates and windows -------------------------------------------------------------------

    def aggregate(self, scope: Scope, kind: str) -> str:
        """An aggregate over the scope's own columns; only exact ones."""
        argument = self.column_expression
        if kind == "boolean":
            form = self.rng.choice(
                ("bool_and({})", "bool_or({})", "count(*) > 1", "max({}) IS NULL")
            )
            sql = form.format(self.expression("boolean", scope, 1))
            return sql if "max" not in form else form.format(argument("text", scope))
        options = [f"min({argument(kind, scope)})", f"max({argument(kind, scope)})"]
        options += [f"sum({argument(of, scope)})" for of, into in SUMS.items() if into == kind]
        if kind == "bigint":
            counted = argument(self.rng.choice(TYPES), scope)
            options += ["count(*)", f"count({counted})", f"count(DISTINCT {counted})"]
        if kind == "text":
            value = argument("text", scope)
            options.append(f"string_agg({value}, ',' ORDER BY {value})")
        sql = self.rng.choice(options)
        if self.chance(0.15):
            sql += f" FILTER (WHERE {self.expression('boolean', scope, 1)})"
        return sql

    def column_expression(self, kind: str, scope: Scope) -> str:
        """An expression with at least one column of the scope: an aggregate's argument."""
        fitting = [column for column in scope.columns if column.type == kind]
        if fitting:
            return self.rng.choice(fitting).name
        column = self.rng.choice(scope.columns)
        return f"CASE WHEN {column.name} IS NULL THEN {literal(self.rng, kind)} ELSE " + (
            f"{literal(self.rng, kind)} END"
        )

    def window(self, scope: Scope, kind: str) -> str | None:
        column = self.rng.choice(scope.columns).name
        other = self.rng.choice(scope.columns).name
        partition = f"PARTITION BY {column} " if self.chance(0.5) else ""
        direction = self.rng.choice(("", " DESC", " NULLS FIRST"))
        over = f"OVER ({partition}ORDER BY {other}{direction})"
        value = self.column_expression(kind, Scope(scope.columns))
        least, most = ("bool_and", "bool_or") if kind == "boolean" else ("min", "max")
        options = [f"{least}({value}) {over}", f"{most}({value}) {over}"]
        if kind == "bigint":
            options += [f"{name} {over}" for name in ("rank()", "dense_rank()", "count(*)")]
        options += [
            f"sum({self.column_expression(of, Scope(scope.columns))}) {over}"
            for of, into in SUMS.items()
            if into == kind
        ]
        if scope.key is not None:
            mode, frame = self.rng.choice(("ROWS", "ROWS", "RANGE", "GROUPS")), self.frame()
            rows = f"OVER ({partition}ORDER BY {scope.key} {mode} {frame})"
            groups = f"OVER ({partition}ORDER BY {other}{direction} GROUPS {frame})"
            options += [f"{most}({value}) {groups}", f"count(*) {groups}"][: 1 + (kind == "bigint")]
            total = f"OVER ({partition}ORDER BY {scope.key})"
            options += [f"{most}({value}) {rows}", f"first_value({value}) {rows}"]
            options += [f"lag({value}) {total}", f"lead({value}, 2) {total}"]
            options += [f"row_number() {total}"] * (kind == "bigint")
        return self.rng.choice(options)

    def frame(self) -> str:
        """The bounds of a window frame, without its mode."""
        start, end = self.rng.choice(
            (("2 PRECEDING", "CURRENT ROW"), ("1 PRECEDING", "1 FOLLOWING"),
             ("UNBOUNDED PRECEDING", "1 PRECEDING"), ("CURRENT ROW", "UNBOUNDED FOLLOWING"))
        )  # fmt: skip
        exclude = self.rng.choice(("", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE TIES"))
        return f"BETWEEN {start} AND {end}{exclude}"

    def approximate(self, scope: Scope) -> str:
        """An output that is rounded somewhere."""
        number = self.rng.choice(("integer", "numeric", "double precision"))
        one, other = (self.expression(number, scope, 1) for _ in range(2))
        kind = "numeric" if number == "integer" else number
        quotient = f"CAST({one} AS {kind}) / nullif({other}, 0)"
        column = self.rng.choice(scope.columns).name
        value = self.column_expression(number, Scope(scope.columns))
        average = f"avg({value}) OVER (PARTITION BY {column})"
        return self.rng.choice((quotient, average, f"sqrt(abs({one}))"))

    # --- expressions ------------------------------------------------------------------------------

    def expression(
        self, kind: str, scope: Scope, depth: int, *, tame: bool = False, subqueries: bool = False
    ) -> str:
        """An expression of a type. `tame`: its values are small."""
        if depth <= 0 or self.chance(0.2):
            return self.leaf(kind, scope, tame=tame)

        def inner(of: str, *, small: bool = tame) -> str:
            return self.expression(of, scope, depth - 1, tame=small)

        if kind == "boolean":
            return self.condition(scope, depth, inner, subqueries=subqueries)
        if self.chance(0.2):
            return self.choice_of(kind, inner)
        if subqueries is False and depth > 1 and self.chance(0.08) and not tame:
            return self.scalar_subquery(kind, scope)
        made = self.operations(kind, inner)
        return self.rng.choice(made)() if made else self.leaf(kind, scope, tame=tame)

    def leaf(self, kind: str, scope: Scope, *, tame: bool) -> str:
        columns = scope.columns if not scope.outer or self.chance(0.6) else scope.outer
        fitting = [c.name for c in columns if c.type == kind and (c.tame or not tame)]
        if fitting and self.chance(0.8):
            return self.rng.choice(fitting)
        return literal(self.rng, kind)

    def choice_of(self, kind: str, inner: Callable[..., str]) -> str:
        form = self.rng.choice(
            ("CASE WHEN {c} THEN {a} ELSE {b} END", "coalesce({a}, {b})", "nullif({a}, {b})",
             "greatest({a}, {b})", "least({a}, {b})", "CASE {a} WHEN {b} THEN {a} END")
        )  # fmt: skip
        return f"({form.format(a=inner(kind), b=inner(kind), c=inner('boolean'))})"

    def operations(self, kind: str, inner: Callable[..., str]) -> list[Callable[[], str]]:
        """Ways to compute a value of a type; arithmetic has small operands."""

        def small(of: str) -> str:
            return inner(of, small=True)

        def arithmetic(operator: str) -> Callable[[], str]:
            return lambda: f"({small(kind)} {operator} {small(kind)})"

        numbers = [arithmetic(operator) for operator in ("+", "-", "*")]
        numbers += [lambda: f"(- {small(kind)})", lambda: f"abs({small(kind)})"]
        ways: dict[str, list[Callable[[], str]]] = {
            "integer": [
                *numbers,
                lambda: f"({small(kind)} % nullif({small(kind)}, 0))",
                lambda: f"({small(kind)} / nullif({small(kind)}, 0))",
                lambda: f"length({inner('text')})",
                lambda: f"({inner('date')} - {inner('date')})",
                lambda: f"extract(month FROM {inner('timestamp')})::integer",
                lambda: f"position('a' IN {inner('text')})",
                lambda: f"sign({small('integer')})::integer",
            ],
            "bigint": [*numbers, lambda: f"({small('integer')} + {small('bigint')})"],
            "numeric": [
                *numbers,
                lambda: f"({small('integer')} * {small('numeric')})",
                lambda: f"round({small('numeric')}, 1)",
                lambda: f"floor({small('numeric')})",
                lambda: f"extract(day FROM {inner('date')})",
            ],
            "double precision": [
                *numbers,
                lambda: f"({small('integer')} + {small('double precision')})",
                lambda: f"floor({inner('double precision')})",
            ],
            "text": [
                lambda: f"({inner('text')} || {inner('text')})",
                lambda: f"({inner('text')} || {small('integer')})",
                lambda: f"upper({inner('text')})",
                lambda: f"lower({inner('text')})",
                lambda: f"substr({inner('text')}, {self.rng.randint(-1, 3)}, 2)",
                lambda: f"left({inner('text')}, {self.rng.randint(-2, 3)})",
                lambda: f"replace({inner('text')}, 'a', 'xy')",
                lambda: f"trim({inner('text')})",
                lambda: f"round({small('numeric')}, 1)::text",
                lambda: f"{inner('date')}::text",
                lambda: f"{inner('boolean')}::text",
                lambda: f"concat({inner('text')}, {inner('integer')}, {inner('date')})",
            ],
            "date": [
                lambda: f"({inner('date')} + {self.rng.randint(-40, 40)})",
                lambda: f"{inner('timestamp')}::date",
            ],
            "timestamp": [
                lambda: f"({inner('timestamp')} + interval '{self.rng.randint(-3, 3)} months')",
                lambda: f"({inner('date')} + interval '{self.rng.randint(0, 90)} minutes')",
                lambda: f"date_trunc({self.rng.choice(UNITS)}, {inner('timestamp')})",
                lambda: f"{inner('date')}::timestamp",
            ],
        }
        return ways[kind]

    def condition(
        self, scope: Scope, depth: int, inner: Callable[..., str], *, subqueries: bool
    ) -> str:
        kind = self.rng.choice(TYPES)
        if subqueries and self.chance(0.3):
            return self.subquery_condition(scope)
        logic = ("({p} AND {q})", "({p} OR {q})", "(NOT {p})", "({p} IS NOT TRUE)", "({p} IS NULL)")
        if depth > 1 and self.chance(0.35):
            p, q = (
                self.expression("boolean", scope, depth - 1, subqueries=subqueries)
                for _ in range(2)
            )
            return self.rng.choice(logic).format(p=p, q=q)
        if self.chance(0.1):
            pattern = self.rng.choice(("a%", "%b", "_", "%", "\\%%", "", "%é%"))
            operator = self.rng.choice(("LIKE", "NOT LIKE", "ILIKE"))
            return f"({inner('text')} {operator} '{pattern}')"
        number = kind in NUMBERS[:3] and self.chance(0.4)
        other = self.rng.choice(NUMBERS[:3]) if number else kind
        a, b, c = inner(kind), inner(other), inner(kind)
        form = self.rng.choice(
            ("({a} {o} {b})", "({a} {o} {b})", "({a} IS NULL)", "({a} IS DISTINCT FROM {b})",
             "({a} BETWEEN {b} AND {c})", "({a} NOT BETWEEN SYMMETRIC {b} AND {c})",
             "({a} = ANY (ARRAY[{b}, {c}]))", "({a} > ALL (ARRAY[{b}, {c}]))",
             "({a} IN ({b}, {c}))", "({a} NOT IN ({b}, {c}))", "(({a}, {b}) = ({c}, {b}))")
        )  # fmt: skip
        return form.format(a=a, b=b, c=c, o=self.rng.choice(COMPARISONS))

    # --- subqueries -------------------------------------------------------------------------------

    def inner_table(self, scope: Scope) -> tuple[str, Scope]:
        alias = self.alias()
        columns = tuple(Column(f"{alias}.{c.name}", c.type, c.tame) for c, _ in COLUMNS)
        return f"{self.rng.choice(TABLES)} {alias}", Scope(columns, scope.columns)

    def scalar_subquery(self, kind: str, scope: Scope) -> str:
        table, inside = self.inner_table(scope)
        value = self.column_expression(kind, Scope(inside.columns))
        return f"(SELECT max({value}) FROM {table}{self.correlation(inside)})"

    def correlation(self, inside: Scope) -> str:
        if self.chance(0.2):
            return ""
        kind = self.rng.choice(("integer", "text", "date"))
        own = self.column_expression(kind, Scope(inside.columns))
        other = self.leaf(kind, Scope(inside.outer), tame=False)
        condition = f"{own} {self.rng.choice(('=', '=', '=', '<', '<>'))} {other}"
        if self.chance(0.4):
            more = self.expression("boolean", inside, 1)
            condition += f" {self.rng.choice(('AND', 'OR'))} {more}"
        return f" WHERE {condition}"

    def subquery_condition(self, scope: Scope) -> str:
        table, inside = self.inner_table(scope)
        correlation = self.correlation(inside)
        if self.chance(0.4):
            return f"({self.rng.choice(('', 'NOT '))}EXISTS (SELECT 1 FROM {table}{correlation}))"
        kind = self.rng.choice(TYPES[:7])
        value = self.column_expression(kind, Scope(inside.columns))
        left = self.expression(kind, Scope(scope.columns), 1)
        operator = self.rng.choice(("IN", "NOT IN", "= ANY", "<> ALL", "> ALL", "<= ANY"))
        return f"({left} {operator} (SELECT {value} FROM {table}{correlation}))"

    # --- small things -----------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def alias(self) -> str:
        self._aliases += 1
        return f"a{self._aliases}"

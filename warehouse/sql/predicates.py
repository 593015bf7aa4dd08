"""Which parts of a query's WHERE and ON clauses may leave out rows of which scan.

A conjunct may be used for a scan when leaving out the scan's rows that do not satisfy it changes no
answer. Per SELECT:

1. WHERE and the ON of inner joins: any conjunct, for any source that no outer join can replace by
   NULLs; for one that an outer join can, only a conjunct that is never true of NULLs (otherwise
   leaving out rows would make new, NULL-extended ones that survive).
2. The ON of a LEFT JOIN: for its right side. Of a RIGHT JOIN: for its left sides, if never true of
   NULLs.
3. A SELECT with a FULL JOIN, or a join that is none of these: nothing.
4. A conjunct on a derived table or CTE that is used once, and that only selects and filters, is
   translated to the inner columns and treated as part of the inner WHERE. Nothing passes a GROUP
   BY, DISTINCT, window, LIMIT or set operation.

Invariant: this reads the tree that will run, after rewriting, so constants mean the same here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

__all__ = ["Conjunct", "conjuncts_of"]

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_OPAQUE = (exp.Query, exp.AggFunc, exp.Window)


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A condition and the name by which its columns mean the scan; other columns are unknown."""

    condition: exp.Expr
    alias: str

    @property
    def own(self) -> bool:
        """True if every column is the scan's."""
        return all(c.table == self.alias for c in self.condition.find_all(exp.Column))


def conjuncts_of(scopes: Sequence[Scope], scans: Iterable[str]) -> dict[str, list[Conjunct]]:
    """The conjuncts that may prune each scan (by input name, as `bind` gave it: one use each)."""
    uses = Counter(id(source) for scope in scopes for _, source in scope.selected_sources.values())
    found: dict[str, list[Conjunct]] = {name: [] for name in scans}
    for scope in scopes:
        for alias, condition in _usable(scope):
            _assign(scope, alias, condition, found, uses)
    return found


def _usable(scope: Scope) -> Iterable[tuple[str, exp.Expr]]:
    """(source alias, conjunct) pairs of one SELECT that may prune that source."""
    select = scope.expression
    joins = _Joins.of(select)
    if joins is None:
        return
    where = select.args.get("where")
    everywhere = list(_split(where.this)) if where else []
    for join in select.args.get("joins") or []:
        on = join.args.get("on")
        if on is None:
            continue
        if join.side == "":
            everywhere += _split(on)
        elif join.side == "LEFT":
            right = (join.alias_or_name,)
            yield from ((alias, c) for c in _split(on) for alias in _aliases(c, right))
        else:
            lefts = joins.before(join.alias_or_name)
            pairs = ((alias, c) for c in _split(on) for alias in _aliases(c, lefts))
            yield from (pair for pair in pairs if never_true_of_nulls(pair[1], pair[0]))
    for condition in everywhere:
        for alias in _aliases(condition, joins.order):
            if alias not in joins.nullable or never_true_of_nulls(condition, alias):
                yield alias, condition


@dataclass(frozen=True, slots=True)
class _Joins:
    """The sources of a SELECT in order, and those that an outer join may replace by NULLs."""

    order: tuple[str, ...]
    nullable: frozenset[str]

    @classmethod
    def of(cls, select: exp.Expr) -> _Joins | None:
        """None if the SELECT joins in a way that is not understood."""
        start = select.args.get("from_") if isinstance(select, exp.Select) else None
        if start is None or select.args.get("laterals") or not _plain(start.this):
            return None
        order, nullable = [start.this.alias_or_name], set()
        for join in select.args.get("joins") or []:
            if join.side not in ("", "LEFT", "RIGHT") or join.method or not _plain(join.this):
                return None
            if join.kind not in ("", "INNER", "CROSS", "OUTER") or join.args.get("using"):
                return None
            if join.side == "LEFT":
                nullable.add(join.alias_or_name)
            elif join.side == "RIGHT":
                nullable.update(order)
            order.append(join.alias_or_name)
        return cls(tuple(order), frozenset(nullable))

    def before(self, alias: str) -> tuple[str, ...]:
        return self.order[: self.order.index(alias)]


def _plain(source: exp.Expr) -> bool:
    return isinstance(source, exp.Table | exp.Subquery) and not source.args.get("joins")


def _split(condition: exp.Expr) -> Iterable[exp.Expr]:
    """The conjuncts of a condition, without those that hold queries or aggregates."""
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        inner = part.unnest() if isinstance(part, exp.Paren) else part
        if isinstance(inner, exp.And):
            yield from _split(inner)
        elif not inner.find(*_OPAQUE):
            yield inner


def _aliases(condition: exp.Expr, known: tuple[str, ...]) -> list[str]:
    return sorted({c.table for c in condition.find_all(exp.Column) if c.table in known})


def never_true_of_nulls(condition: exp.Expr, alias: str) -> bool:
    """Can the condition not be TRUE when every column of `alias` is NULL?"""
    if isinstance(condition, exp.Paren):
        return never_true_of_nulls(condition.this, alias)
    if isinstance(condition, exp.And):
        return any(never_true_of_nulls(p, alias) for p in (condition.this, condition.expression))
    if isinstance(condition, exp.Or):
        return all(never_true_of_nulls(p, alias) for p in (condition.this, condition.expression))
    if isinstance(condition, exp.Not):
        inner = condition.this.unnest()
        if isinstance(inner, exp.Is):
            return _is_null_test(inner) and _is_column(inner.this, alias)
        return isinstance(inner, (*_COMPARISONS, exp.In, exp.Between, exp.Like)) and (
            never_true_of_nulls(inner, alias)
        )
    if isinstance(condition, exp.Is):  # IS NOT NULL is an IS with `negate`
        negated = bool(condition.args.get("negate")) and isinstance(condition.expression, exp.Null)
        return negated and _is_column(condition.this, alias)
    if isinstance(condition, _COMPARISONS):
        return _is_column(condition.this, alias) or _is_column(condition.expression, alias)
    if isinstance(condition, exp.In | exp.Between | exp.Like):
        return _is_column(condition.this, alias)
    return False


def _is_null_test(node: exp.Is) -> bool:
    return isinstance(node.expression, exp.Null) and not node.args.get("negate")


def _is_column(node: exp.Expr, alias: str) -> bool:
    return isinstance(node, exp.Column) and node.table == alias


# --- through derived tables -----------------------------------------------------------------------


def _assign(
    scope: Scope,
    alias: str,
    condition: exp.Expr,
    found: dict[str, list[Conjunct]],
    uses: Mapping[int, int],
) -> None:
    source = scope.selected_sources.get(alias, (None, None))[1]
    if isinstance(source, exp.Table):
        if source.name in found:
            found[source.name].append(Conjunct(condition, alias))
        return
    if not isinstance(source, Scope) or uses[id(source)] != 1 or not _transparent(source):
        return
    inner = _translated(condition, alias, source.expression)
    joins = _Joins.of(source.expression)
    if inner is None or joins is None:
        return
    for name in _aliases(inner, joins.order):
        if name not in joins.nullable or never_true_of_nulls(inner, name):
            _assign(source, name, inner, found, uses)


def _transparent(scope: Scope) -> bool:
    """Does the SELECT only select and filter, so that a condition may move into its WHERE?"""
    select = scope.expression
    if not isinstance(select, exp.Select):
        return False
    if any(select.args.get(key) for key in ("group", "having", "distinct", "limit", "offset")):
        return False
    if select.args.get("qualify") or select.args.get("windows"):
        return False
    return not any(p.find(*_OPAQUE, exp.UDTF) for p in select.expressions)


def _translated(condition: exp.Expr, alias: str, select: exp.Expr) -> exp.Expr | None:
    """The condition over the inner columns; columns of other sources become unknown."""
    assert isinstance(select, exp.Select)
    outputs = {p.alias_or_name: p.unalias() for p in select.expressions}
    copy = condition.copy()
    for column in list(copy.find_all(exp.Column)):
        if column.table != alias:
            replacement: exp.Expr = exp.Anonymous(this="unknown")
        else:
            inner = outputs.get(column.name)
            if not isinstance(inner, exp.Column):
                return None
            replacement = inner.copy()
        if column is copy:
            return replacement
        column.replace(replacement)
    return copy

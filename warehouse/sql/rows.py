"""Row values, and correlated IN, as conditions that Polars runs.

1. `(a, b) = (x, y)` compares column by column; `<>` is its negation.
2. `(a, b) IN ((1, 2), …)` is a disjunction of such comparisons.
3. `(a, b) IN (query)`, and IN of a correlated query, become EXISTS. The two differ only where the
   answer is NULL instead of false, so this is done for conjuncts of WHERE and refused elsewhere.
"""

from __future__ import annotations

from sqlglot import exp

from storage.errors import InvalidRequest
from warehouse.sql.later import not_yet

__all__ = ["expand_rows"]


def expand_rows(tree: exp.Query) -> None:
    """Replace comparisons of rows; changes the bound `tree`."""
    for node in list(tree.find_all(exp.EQ, exp.NEQ)):
        left, right = _row(node.this), _row(node.expression)
        if left is not None and right is not None:
            same = _equal(left, right)
            node.replace(exp.Not(this=same) if isinstance(node, exp.NEQ) else same)
    for member in list(tree.find_all(exp.In)):
        row, query = _row(member.this), member.args.get("query")
        if query is not None and (row is not None or _is_correlated(query)):
            _to_exists(member, row or [member.this], query)
        elif row is not None:
            _to_disjunction(member, row)


def _row(node: exp.Expr) -> list[exp.Expr] | None:
    if isinstance(node, exp.Tuple):
        return node.expressions
    if isinstance(node, exp.Anonymous) and node.name.lower() == "row":
        return node.expressions
    return None


def _equal(left: list[exp.Expr], right: list[exp.Expr]) -> exp.Expr:
    if len(left) != len(right):
        raise InvalidRequest(
            f"rows of {len(left)} and of {len(right)} values cannot be compared", "42601"
        )
    pairs = [exp.EQ(this=a.copy(), expression=b.copy()) for a, b in zip(left, right, strict=True)]
    return exp.Paren(this=exp.and_(*pairs, copy=False, wrap=False))


def _to_disjunction(node: exp.Expr, row: list[exp.Expr]) -> None:
    items = [_row(item) for item in node.expressions]
    if any(item is None for item in items):
        raise not_yet("a row IN a list of anything but rows")
    ways = [_equal(row, item) for item in items if item is not None]
    either: exp.Expr = exp.Paren(this=exp.or_(*ways, copy=False, wrap=False))
    node.replace(exp.Not(this=either) if node.args.get("negate") else either)


def _is_correlated(query: exp.Expr) -> bool:
    own = {t.alias_or_name for t in query.find_all(exp.Table)}
    own |= {s.alias for s in query.find_all(exp.Subquery) if s.alias}
    return any(c.table and c.table not in own for c in query.find_all(exp.Column))


def _to_exists(node: exp.Expr, row: list[exp.Expr], query: exp.Expr) -> None:
    select = query.this if isinstance(query, exp.Subquery) else query
    if not isinstance(select, exp.Select) or not _is_plain(select) or not _is_conjunct(node):
        if _row(node.this) is None:
            return  # Polars may still run it
        raise not_yet("a row IN a query, except as a condition of WHERE over a plain SELECT,")
    inner = select.copy()
    outer = {c.table for value in row for c in value.find_all(exp.Column)}
    _rename_tables(inner, outer)
    outputs = [p.unalias() for p in inner.expressions]
    if len(outputs) != len(row):
        raise InvalidRequest(f"a row of {len(row)} IN a query of {len(outputs)} columns", "42601")
    # Polars correlates columns only: what the inner query says of no column is compared outside.
    pairs = list(zip(row, outputs, strict=True))
    inside = [(value, found) for value, found in pairs if found.find(exp.Column)]
    outside = [(value, found) for value, found in pairs if not found.find(exp.Column)]
    if inside:
        left, right = zip(*inside, strict=True)
        inner.where(_equal(list(right), list(left)), copy=False)
    inner.set("expressions", [exp.alias_(exp.Literal.number(1), "one", quoted=True)])
    inner.set("order", None)
    exists = exp.Exists(this=inner)
    exists.type = exp.DataType.build(exp.DType.BOOLEAN)
    conditions = [exists, *(_equal([value], [found]) for value, found in outside)]
    node.replace(exp.and_(*conditions, copy=False, wrap=False))


def _is_plain(select: exp.Select) -> bool:
    clauses = ("group", "having", "limit", "offset", "distinct", "with_")
    if any(select.args.get(clause) for clause in clauses):
        return False
    return not any(p.find(exp.AggFunc, exp.Window) for p in select.expressions)


def _rename_tables(select: exp.Select, taken: set[str]) -> None:
    """Other aliases for tables that share one with the query around."""
    sources = [*select.find_all(exp.Table), *select.find_all(exp.Subquery)]
    clashes = {source.alias for source in sources if source.alias in taken}
    if clashes and len(list(select.find_all(exp.Select))) > 1:
        raise not_yet("IN over a nested query that names a table as the query around it does")
    for source in sources:
        if source.alias in clashes:
            name = exp.to_identifier(f"{source.alias} of IN", quoted=True)
            source.set("alias", exp.TableAlias(this=name))
    for column in select.find_all(exp.Column):
        if column.table in clashes:
            column.set("table", exp.to_identifier(f"{column.table} of IN", quoted=True))


def _is_conjunct(node: exp.Expr) -> bool:
    if node.args.get("negate"):
        return False
    parent = node.parent
    while isinstance(parent, exp.And | exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Where)

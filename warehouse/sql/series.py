"""generate_series in FROM, and clauses that only hint or that Polars wants as plain numbers.

`generate_series(1, 5) AS g(x)` becomes a derived table over Polars' list of the values. Polars
unnests an empty list to one NULL, which the filter leaves out.
"""

from __future__ import annotations

from sqlglot import exp

from storage.errors import InvalidRequest
from warehouse.sql.constants import constant
from warehouse.sql.later import not_yet

__all__ = ["SERIES", "fold_limits", "series_as_query"]

SERIES = (exp.GenerateSeries, exp.ExplodingGenerateSeries)
VALUES_MAX = 10_000_000


def series_as_query(table: exp.Table) -> None:
    """Replace a table function by a derived table, in place.

    Raises:
        NotYet: bounds that are not constants; steps that are neither whole numbers nor intervals.
        InvalidRequest: a step of 0, or more than `VALUES_MAX` values.
    """
    series, alias = table.this, table.args.get("alias")
    bounds = [series.args[key] for key in ("start", "end")]
    step = series.args.get("step")
    kind = _kind(bounds, step)
    name = alias.this.name if alias and alias.this else "generate_series"
    column = alias.columns[0].name if alias and alias.columns else name
    arguments = [part.copy() for part in (*bounds, step) if part is not None]
    values = exp.Anonymous(
        this="UNNEST", expressions=[exp.Anonymous(this="GENERATE_SERIES", expressions=arguments)]
    )
    inner = exp.select(exp.alias_(values, "value", quoted=True)).subquery("series", copy=False)
    value = exp.column("value", table="series", quoted=True)
    typed = exp.Cast(this=value, to=exp.DataType.build(kind))
    query = exp.select(exp.alias_(typed, column, quoted=True)).from_(inner, copy=False)
    query.where(exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())), copy=False)
    table.replace(query.subquery(name, copy=False))


def _kind(bounds: list[exp.Expr], step: exp.Expr | None) -> exp.DType:
    if any(part.find(exp.Column, exp.Query) for part in (*bounds, step) if part is not None):
        raise not_yet("generate_series of anything but constants")
    if isinstance(step, exp.Interval):
        return exp.DType.TIMESTAMP
    found = [constant(part) for part in (*bounds, step or exp.Literal.number(1))]
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in found):
        raise not_yet("generate_series of anything but whole numbers, or of times by an interval")
    start, end, by = found
    if by == 0:
        raise InvalidRequest("generate_series: the step must not be 0", "22023")
    if (end - start) // by >= VALUES_MAX:
        raise InvalidRequest(f"generate_series: at most {VALUES_MAX:,} values", "54000")
    return exp.DType.BIGINT


def fold_limits(tree: exp.Query) -> None:
    """LIMIT and OFFSET as numbers, without LIMIT NULL; CTEs without MATERIALIZED."""
    for cte in tree.find_all(exp.CTE):
        cte.set("materialized", None)
    for node in list(tree.find_all(exp.Limit, exp.Offset)):
        wanted = node.expression
        if isinstance(wanted, exp.Literal | exp.Parameter | None):
            continue
        if isinstance(wanted, exp.Column | exp.Var) and wanted.name.upper() == "ALL":
            node.pop()
            continue
        value = constant(wanted)
        if value is None and isinstance(wanted, exp.Null):
            node.pop()
        elif isinstance(value, int) and value >= 0:
            node.set("expression", exp.Literal.number(value))
        else:
            raise InvalidRequest("LIMIT and OFFSET want a whole number of at least 0", "2201W")

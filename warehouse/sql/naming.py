"""The names of unnamed outputs, as PostgreSQL gives them (`FigureColname` in parse_target.c)."""

from __future__ import annotations

from sqlglot import exp

__all__ = ["name_outputs"]

UNKNOWN = "?column?"

_FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.StrPosition: "position",
    exp.TimestampTrunc: "date_trunc",
    exp.DateTrunc: "date_trunc",
    exp.Pow: "power",
    exp.Stddev: "stddev",
    exp.Variance: "variance",
    exp.VariancePop: "var_pop",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
    exp.GroupConcat: "string_agg",
    exp.ArrayAgg: "array_agg",
    exp.Trim: "btrim",
    exp.Extract: "extract",
    exp.CurrentTimestamp: "now",
    exp.Case: "case",
    exp.If: "case",
    exp.Exists: "exists",
    exp.Array: "array",
    exp.TimeToStr: "to_char",
    exp.Ceil: "ceil",
}
_CASTS = {
    "INT": "int4",
    "BIGINT": "int8",
    "SMALLINT": "int2",
    "DOUBLE": "float8",
    "FLOAT": "float4",
    "DECIMAL": "numeric",
    "BOOLEAN": "bool",
    "TEXT": "text",
    "VARCHAR": "varchar",
    "CHAR": "bpchar",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "VARBINARY": "bytea",
}
# Operators that sqlglot models as functions; PostgreSQL has no name for them.
_OPERATORS = (exp.Binary, exp.Connector, exp.Not, exp.RegexpLike, exp.RegexpILike)


def name_outputs(tree: exp.Expr) -> None:
    """Alias every unnamed output of every SELECT in `tree`, in place."""
    for select in list(tree.find_all(exp.Select)):
        taken = {p.alias_or_name for p in select.expressions if p.alias_or_name}
        top = _is_top(select, tree)
        named = []
        for projection in select.expressions:
            if _has_name(projection):
                named.append(projection)
                continue
            name = _name(projection) or UNKNOWN
            # Only the top query may repeat names: binding makes those distinct later.
            free = name if top else _free(name, taken)
            taken.add(free)
            named.append(exp.alias_(projection, free, quoted=True, copy=False))
        select.set("expressions", named)


def _is_top(select: exp.Select, tree: exp.Expr) -> bool:
    node: exp.Expr | None = select
    while node is not None and node is not tree:
        node = node.parent
        if not isinstance(node, exp.SetOperation | exp.Subquery | None):
            return False
    return True


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _has_name(projection: exp.Expr) -> bool:
    if isinstance(projection, exp.Alias | exp.Aliases | exp.Column) or projection.is_star:
        return True
    if isinstance(projection, exp.Subquery):
        return bool(projection.alias)
    return isinstance(projection, exp.Dot)


def _name(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Paren | exp.Filter | exp.Window | exp.WithinGroup | exp.Collate):
        return _name(node.this)
    if isinstance(node, exp.Column | exp.Alias):
        return node.alias_or_name
    if isinstance(node, exp.Cast):
        return _name(node.this) or _CASTS.get(node.to.this.value)
    if isinstance(node, exp.Subquery):
        return _subquery_name(node)
    if isinstance(node, exp.Case):
        default = node.args.get("default")
        found = _name(default) if isinstance(default, exp.Column) else None
        return found or "case"
    if type(node) in _FUNCTIONS:
        return _FUNCTIONS[type(node)]
    if isinstance(node, _OPERATORS):
        return None
    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    return node.sql_name().lower() if isinstance(node, exp.Func) else None


def _subquery_name(node: exp.Subquery) -> str | None:
    inner = node.this
    if isinstance(inner, exp.Select) and inner.expressions:
        return _name(inner.expressions[0])
    return None

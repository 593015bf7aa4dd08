"""From PostgreSQL's meaning to what Polars' SQL must be told to mean the same.

Rules look at one typed node each, children first, and return what replaces it, or None. A node that
no rule knows, or whose types are unknown, passes unchanged. Measured on Polars 2.1 (each rule has a
test in `tests/unit/warehouse/sql/test_rewrite.py`):

- SUM of integers runs in 128 bits: Polars' own sum wraps. The result is BIGINT for SMALLINT and
  INTEGER, DECIMAL(38,0) for BIGINT, as in PostgreSQL; a result that does not fit is an error.
- `/` of integers becomes DIV, which truncates toward zero; `%` already keeps the dividend's sign.
- `/` with a DECIMAL divides as DOUBLE (docs/sql.md, differences).
- CAST of DECIMAL to an integer, or to fewer digits, rounds half away from zero; of DOUBLE to an
  integer, half to even. Polars truncates, and rounds half to even.
- CAST to INTEGER is checked at 32 bits and then widened: narrow arithmetic wraps.
- length() and position() are unsigned in Polars, where 1 - 2 is 4294967295: widened.
- A text literal beside a typed operand takes its type, as PostgreSQL's unknown literals do.
- DATE - DATE is a number of days; a WHERE without FROM gets one, for Polars ignores it otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from storage.errors import InvalidRequest, NotYet
from warehouse.sql import functions, patterns
from warehouse.sql.division import DIVIDES, check_divisions
from warehouse.sql.keys import align_keys
from warehouse.sql.later import not_yet
from warehouse.sql.rows import expand_rows
from warehouse.sql.series import SERIES
from warehouse.sql.types import (
    DECIMALS,
    FLOATS,
    INTEGERS,
    NARROW_INTEGERS,
    TEXTS,
    is_decimal,
    is_integer_type,
)

__all__ = ["rewrite"]

_T = exp.DType
_WIDE_FIELDS = {"EPOCH", "SECOND", "SECONDS", "MILLISECOND", "MICROSECOND", "JULIAN"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_COERCED = {
    _T.DATE,
    _T.TIMESTAMP,
    _T.TIMESTAMPNTZ,
    _T.BIGINT,
    _T.INT,
    _T.SMALLINT,
    _T.DOUBLE,
    _T.FLOAT,
}


def rewrite(tree: exp.Query) -> exp.Query:
    """Apply the rules; changes `tree`, which must be typed, and returns it.

    Raises NotYet for what Polars would answer differently and no rule mends.
    """
    expand_rows(tree)
    for node in reversed(list(tree.walk(bfs=False))):
        rule = _RULES.get(type(node))
        replacement = rule(node) if rule else None
        if replacement is None:
            continue
        if replacement.type is None:
            replacement.type = node.type
        node.replace(replacement)
    check_divisions(tree)
    return tree


# --- helpers --------------------------------------------------------------------------------------


def _cast(node: exp.Expr, kind: str) -> exp.Cast:
    to = exp.DataType.build(kind, dialect="postgres") if kind != "HUGEINT" else _HUGEINT.copy()
    cast = exp.Cast(this=node, to=to)
    cast.type = to.copy()
    return cast


_HUGEINT = exp.DataType(this=_T.INT128)


def _typed(node: exp.Expr, kinds: set[exp.DType]) -> bool:
    return node.type is not None and node.type.this in kinds


def _grouped(node: exp.Expr) -> exp.Expr:
    """In parentheses where an operator would bind differently."""
    if not isinstance(node, exp.Binary | exp.Neg | exp.Not | exp.Case):
        return node
    wrapped = exp.Paren(this=node)
    wrapped.type = node.type
    return wrapped


# --- aggregates -----------------------------------------------------------------------------------


def _sum(node: exp.Expr) -> exp.Expr | None:
    argument = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    if not is_integer_type(argument):
        return None
    result = "BIGINT" if _typed(argument, NARROW_INTEGERS) else "DECIMAL(38, 0)"
    argument.replace(_cast(argument.copy(), "HUGEINT"))
    # FILTER and OVER belong to the SUM: the cast goes around them.
    outer = node
    while isinstance(outer.parent, exp.Filter | exp.Window) and outer.parent.this is outer:
        outer = outer.parent
    if outer is node:
        return _cast(node.copy(), result)
    outer.replace(_cast(outer.copy(), result))
    return None


# --- arithmetic -----------------------------------------------------------------------------------


def _divide(node: exp.Expr) -> exp.Expr | None:
    left, right = node.this, node.expression
    if is_integer_type(left) and is_integer_type(right):
        division = exp.IntDiv(this=_grouped(left.copy()), expression=_grouped(right.copy()))
        division.type = left.type if _typed(left, {_T.BIGINT}) else right.type
        return division
    if is_decimal(left) or is_decimal(right):
        both = (_cast(left.copy(), "DOUBLE PRECISION"), _cast(right.copy(), "DOUBLE PRECISION"))
        quotient = exp.Div(this=both[0], expression=both[1], typed=False, safe=False)
        quotient.type = exp.DataType.build(_T.DOUBLE)
        quotient.meta[DIVIDES] = not (_typed(left, FLOATS) or _typed(right, FLOATS))
        return quotient
    return None


def _subtract(node: exp.Expr) -> exp.Expr | None:
    if not (_typed(node.this, {_T.DATE}) and _typed(node.expression, {_T.DATE})):
        return None
    days = [_cast(side.copy(), "BIGINT") for side in (node.this, node.expression)]
    return _typed_as(exp.Paren(this=exp.Sub(this=days[0], expression=days[1])), _T.INT)


def _typed_as(node: exp.Expr, kind: exp.DType) -> exp.Expr:
    node.type = exp.DataType.build(kind)
    return node


def _widen(node: exp.Expr) -> exp.Expr:
    return _typed_as(_cast(node.copy(), "BIGINT"), _T.INT)


def _position(node: exp.Expr) -> exp.Expr:
    """Polars finds a text in NULL at 0; PostgreSQL finds NULL."""
    sides = [node.this, node.args["substr"]]
    unknown = [exp.Is(this=s.copy(), expression=exp.Null()) for s in sides if not s.is_string]
    if not unknown:
        return _widen(node)
    case = exp.Case().when(exp.or_(*unknown), exp.Null()).else_(_widen(node))
    return _typed_as(case, _T.INT)


def _extract(node: exp.Expr) -> exp.Expr | None:
    return None if node.this.name.upper() in _WIDE_FIELDS else _widen(node)


# --- casts ----------------------------------------------------------------------------------------


def _cast_rule(node: exp.Expr) -> exp.Expr | None:
    assert isinstance(node, exp.Cast)
    source, to = node.this, node.to
    if to.this in INTEGERS:
        return _cast_to_integer(node, source, to)
    if to.this in DECIMALS:
        return _cast_to_decimal(node, source, to)
    if to.this in TEXTS and not to.expressions:
        return functions.as_text(source)
    if to.this == _T.BOOLEAN:
        return functions.boolean_of_text(source)
    if to.this in TEXTS:
        text = _cast(source.copy(), "TEXT")
        length = exp.Literal.number(to.expressions[0].name)
        start = exp.Literal.number(1)
        return _typed_as(exp.Substring(this=text, start=start, length=length), _T.TEXT)
    return None


def _cast_to_integer(node: exp.Cast, source: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    if _typed(source, DECIMALS | FLOATS):
        source = exp.Round(this=source.copy())
    elif isinstance(source, exp.Literal) and source.is_string:
        source = exp.Literal.string(str(source.this).strip())
    elif to.this == _T.BIGINT:
        return None
    checked = exp.Cast(this=source.copy(), to=to.copy())
    return checked if to.this == _T.BIGINT else _typed_as(_cast(checked, "BIGINT"), to.this)


def _cast_to_decimal(node: exp.Cast, source: exp.Expr, to: exp.DataType) -> exp.Expr | None:
    if not to.expressions:
        if is_decimal(source):
            return source.copy()
        if is_integer_type(source):
            return _cast(source.copy(), "DECIMAL(38, 0)")
        raise NotYet(
            f"CAST({source.sql(dialect='postgres')} AS DECIMAL) without precision and scale is not"
            " available yet; write DECIMAL(p, s)"
        )
    if isinstance(source, exp.Literal) and source.is_string:
        source = _cast(source.copy(), f"DECIMAL(38, {_scale(source.this)})")
    if not is_decimal(source):
        return None
    scale = to.expressions[1].name if len(to.expressions) > 1 else "0"
    rounded = exp.Round(this=source.copy(), decimals=exp.Literal.number(scale))
    return exp.Cast(this=rounded, to=to.copy())


# --- literals -------------------------------------------------------------------------------------


def _compare(node: exp.Expr) -> exp.Expr | None:
    _coerce(node.this, node.expression)
    _coerce(node.expression, node.this)
    if isinstance(node, exp.EQ):
        align_keys(node)
    return None


def _between(node: exp.Expr) -> exp.Expr | None:
    _coerce(node.args["low"], node.this)
    _coerce(node.args["high"], node.this)
    return functions.between_symmetric(node)


def _in(node: exp.Expr) -> exp.Expr | None:
    for item in list(node.expressions):
        _coerce(item, node.this)
    return None


def _coerce(literal: exp.Expr, other: exp.Expr) -> None:
    """Give a text literal the type of what it is compared with."""
    if not (isinstance(literal, exp.Literal) and literal.is_string) or other.type is None:
        return
    if other.type.this in _COERCED:
        to = other.type.copy()
    elif is_decimal(other):
        to = exp.DataType.build(f"DECIMAL(38, {_scale(literal.this)})")
    else:
        return
    cast = exp.Cast(this=literal.copy(), to=to)
    cast.type = to.copy()
    literal.replace(cast)


def _scale(text: str) -> int:
    return min(len(text.strip().partition(".")[2]), 37)


# --- queries --------------------------------------------------------------------------------------


def _select(node: exp.Expr) -> exp.Expr | None:
    assert isinstance(node, exp.Select)
    if node.args.get("where") and not node.args.get("from_"):
        one = exp.alias_(exp.Literal.number(1), "one", quoted=True)
        node.set("from_", exp.From(this=exp.select(one).subquery("one", copy=False)))
    where = node.args.get("where")
    for found in where.find_all(exp.AggFunc) if where else ():
        if found.find_ancestor(exp.Select) is node:
            name = found.sql(dialect="postgres")
            if isinstance(found.parent, exp.Window):
                raise InvalidRequest(f"{name} OVER …: WHERE has no window functions", "42P20")
            raise InvalidRequest(f"{name}: WHERE has no aggregates; use HAVING", "42803")
    return None


def _values(node: exp.Expr) -> exp.Expr | None:
    """VALUES of more than plain literals as a UNION ALL: Polars' VALUES takes nothing else."""
    alias = node.args.get("alias")
    rows = [row.expressions for row in node.expressions if isinstance(row, exp.Tuple)]
    plain = (exp.Literal, exp.Null, exp.Boolean)
    if alias is None or len(rows) != len(node.expressions) or not alias.columns:
        return None
    items = [item.this if isinstance(item, exp.Neg) else item for row in rows for item in row]
    if all(isinstance(item, plain) for item in items):
        return None
    names = [column.name for column in alias.columns]
    selects = [
        exp.select(*(exp.alias_(v.copy(), n, quoted=True) for v, n in zip(row, names, strict=True)))
        for row in rows
    ]
    query: exp.Query = selects[0]
    for select in selects[1:]:
        query = exp.Union(this=query, expression=select, distinct=False)
    table = exp.TableAlias(this=exp.to_identifier(alias.name, quoted=True))
    return exp.Subquery(this=query, alias=table)


def _refuse(what: str) -> Callable[[exp.Expr], exp.Expr | None]:
    def refuse(node: exp.Expr) -> exp.Expr | None:
        raise not_yet(what)

    return refuse


_RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Sum: _sum,
    exp.Div: _divide,
    exp.Sub: _subtract,
    exp.Cast: _cast_rule,
    exp.Length: _widen,
    exp.StrPosition: _position,
    exp.Extract: _extract,
    exp.Between: _between,
    exp.In: _in,
    exp.Select: _select,
    exp.Values: _values,
    exp.Lateral: _refuse("LATERAL"),
    exp.TableSample: _refuse("TABLESAMPLE"),
    **dict.fromkeys(SERIES, _refuse("generate_series outside FROM")),
    **functions.RULES,
    **patterns.RULES,
    **dict.fromkeys(_COMPARISONS, _compare),
}

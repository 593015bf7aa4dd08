"""Functions and predicates that Polars lacks, or answers differently, in terms of those it has.

Rules of `rewrite.py`: each looks at one typed node, whose children are done, and returns what
replaces it or None. What a rule does not cover exactly raises NotYet.

- `x IS [NOT] TRUE | FALSE` is never NULL; Polars' is. It becomes COALESCE.
- percentile_cont and percentile_disc are QUANTILE_CONT and QUANTILE_DISC (equiprobable, as here).
- stddev_pop and var_pop come from VARIANCE, times (n - 1) / n.
- `log(x)` is LOG10 and `log(b, x)` has its arguments the other way round.
- to_char and to_date of dates, with the formats that mean the same in strftime.
- Texts of timestamps and of DOUBLEs end without the zeros that PostgreSQL does not write.
- Literals in CASE under ORDER BY get a type, without which Polars 2.1 fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from storage.errors import InvalidRequest
from warehouse.sql.later import not_yet
from warehouse.sql.types import DECIMALS, FLOATS, INTEGERS, TEXTS

__all__ = ["RULES", "as_text", "between_symmetric", "boolean_of_text"]

_T = exp.DType
_DATES = {_T.DATE, _T.TIMESTAMP, _T.TIMESTAMPNTZ}
_FORMAT = re.compile(r"(?:%[YmdHMSyj]|[^%A-Za-z])*")
_TRUE, _FALSE = {"t", "true", "y", "yes", "on", "1"}, {"f", "false", "n", "no", "off", "0"}


def _typed(node: exp.Expr, kinds: set[exp.DType]) -> bool:
    return node.type is not None and node.type.this in kinds


def _of_type(node: exp.Expr, kind: exp.DType) -> exp.Expr:
    node.type = exp.DataType.build(kind)
    return node


def _double(node: exp.Expr) -> exp.Expr:
    cast = exp.Cast(this=node.copy(), to=exp.DataType.build(_T.DOUBLE))
    return _of_type(cast, _T.DOUBLE)


# --- booleans -------------------------------------------------------------------------------------


def _is(node: exp.Expr) -> exp.Expr | None:
    truth = node.expression
    if not isinstance(truth, exp.Boolean):
        return None
    wanted = bool(truth.this)
    known: exp.Expr = exp.Coalesce(
        this=node.this.copy(), expressions=[exp.Boolean(this=not wanted)]
    )
    if wanted == bool(node.args.get("negate")):
        known = exp.Paren(this=exp.Not(this=known))
    return _of_type(known, _T.BOOLEAN)


def boolean_of_text(source: exp.Expr) -> exp.Expr | None:
    """The constant that CAST('…' AS BOOLEAN) means; None if `source` is no constant text."""
    if not (isinstance(source, exp.Literal) and source.is_string):
        return None
    word = str(source.this).strip().lower()
    if word not in _TRUE | _FALSE:
        raise InvalidRequest(f"{source.this!r} is no boolean; write 'true' or 'false'", "22P02")
    return _of_type(exp.Boolean(this=word in _TRUE), _T.BOOLEAN)


def between_symmetric(node: exp.Expr) -> exp.Expr | None:
    """BETWEEN SYMMETRIC is within the bounds in one order or in the other."""
    if not node.args.get("symmetric"):
        return None
    low, high = node.args["low"], node.args["high"]
    ways = [
        exp.Between(this=node.this.copy(), low=first.copy(), high=last.copy())
        for first, last in ((low, high), (high, low))
    ]
    either: exp.Expr = exp.Paren(this=exp.Or(this=ways[0], expression=ways[1]))
    if node.args.get("negate"):
        either = exp.Not(this=either)
    return _of_type(either, _T.BOOLEAN)


# --- aggregates -----------------------------------------------------------------------------------


def _within_group(node: exp.Expr) -> exp.Expr | None:
    function, order = node.this, node.expression
    name = "percentile_cont" if isinstance(function, exp.PercentileCont) else "percentile_disc"
    if not isinstance(function, exp.PercentileCont | exp.PercentileDisc):
        raise not_yet("WITHIN GROUP of anything but percentile_cont and percentile_disc")
    fraction, (item,) = function.this, order.expressions
    if not isinstance(fraction, exp.Literal) or fraction.is_string:
        raise not_yet(f"{name} of anything but one constant fraction")
    at, value = float(fraction.this), item.this
    if not 0 <= at <= 1:
        raise InvalidRequest(f"{name}: expected a fraction of 0 to 1, found {at}", "22003")
    if not _typed(value, INTEGERS | FLOATS | DECIMALS):
        raise not_yet(f"{name} of anything but numbers")
    if isinstance(function, exp.PercentileCont):
        at = 1 - at if item.args.get("desc") else at
        return _of_type(_quantile("QUANTILE_CONT", _double(value), at), _T.DOUBLE)
    if item.args.get("desc"):
        raise not_yet("percentile_disc with ORDER BY … DESC")
    found = _quantile("QUANTILE_DISC", value.copy(), at)
    found.type = value.type
    return found


def _quantile(name: str, value: exp.Expr, at: float) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[value, exp.Literal.number(repr(at))])


def _population(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node.parent, exp.Window | exp.Filter):
        raise not_yet("stddev_pop and var_pop with OVER or FILTER")
    value = _double(node.this)
    count = exp.Count(this=value.copy())
    rest = exp.Paren(this=exp.Sub(this=_double(count), expression=exp.Literal.number(1)))
    scaled = exp.Div(
        this=exp.Mul(this=exp.Variance(this=value.copy()), expression=rest),
        expression=_double(count),
    )
    one = exp.EQ(this=count.copy(), expression=exp.Literal.number(1))
    variance = exp.Case().when(one, _double(exp.Literal.number(0))).else_(scaled)
    if isinstance(node, exp.StddevPop):
        return _of_type(exp.Sqrt(this=_of_type(variance, _T.DOUBLE)), _T.DOUBLE)
    return _of_type(variance, _T.DOUBLE)


def _any_value(node: exp.Expr) -> exp.Expr | None:
    return exp.Min(this=node.this.copy())


def _anonymous(node: exp.Expr) -> exp.Expr | None:
    if node.name.lower() == "every" and len(node.expressions) == 1:
        return _of_type(exp.LogicalAnd(this=node.expressions[0].copy()), _T.BOOLEAN)
    return None


# --- numbers and texts ----------------------------------------------------------------------------


def _log(node: exp.Expr) -> exp.Expr | None:
    base, value = node.this, node.args.get("expression")
    if value is None:
        found = exp.Anonymous(this="LOG10", expressions=[_double(base)])
    else:
        found = exp.Anonymous(this="LOG", expressions=[_double(value), _double(base)])
    return _of_type(found, _T.DOUBLE)


def _round(node: exp.Expr) -> exp.Expr | None:
    digits = node.args.get("decimals")
    if isinstance(digits, exp.Neg):
        raise not_yet("round to a negative number of digits")
    return None


def as_text(source: exp.Expr) -> exp.Expr | None:
    """A timestamp or DOUBLE as PostgreSQL writes it; None for what Polars writes alike."""
    if _typed(source, {_T.TIMESTAMP, _T.TIMESTAMPNTZ}):
        zeros = r"\.?0+$"  # Polars always writes six digits after the point
    elif _typed(source, FLOATS):
        zeros = r"\.0$"
    else:
        return None
    text = exp.Cast(this=source.copy(), to=exp.DataType.build(_T.TEXT))
    arguments = [text, exp.Literal.string(zeros), exp.Literal.string("")]
    return _of_type(exp.Anonymous(this="REGEXP_REPLACE", expressions=arguments), _T.TEXT)


def _concatenated(node: exp.Expr) -> exp.Expr | None:
    operands = node.expressions if isinstance(node, exp.Concat) else [node.this, node.expression]
    for operand in list(operands):
        text = as_text(operand)
        if text is not None:
            operand.replace(text)
    return None


def _collate(node: exp.Expr) -> exp.Expr | None:
    name = node.expression.name
    if name.upper() not in ("C", "POSIX", "UCS_BASIC"):
        raise not_yet(f"COLLATE {name}: texts compare by code point, as in COLLATE C;")
    inner: exp.Expr = node.this.copy()
    return inner


# --- dates ----------------------------------------------------------------------------------------


def _to_char(node: exp.Expr) -> exp.Expr | None:
    style = node.args["format"]
    if not _typed(node.this, _DATES) or not _understood(style):
        raise not_yet("to_char of anything but dates and YYYY MM DD HH24 MI SS YY DDD")
    arguments = [node.this.copy(), style.copy()]
    return _of_type(exp.Anonymous(this="STRFTIME", expressions=arguments), _T.TEXT)


def _to_date(node: exp.Expr) -> exp.Expr | None:
    style = node.args["format"]
    if not _typed(node.this, TEXTS) or not _understood(style):
        raise not_yet("to_date with a format beyond YYYY MM DD")
    return _of_type(
        exp.Anonymous(this="DATE", expressions=[node.this.copy(), style.copy()]), _T.DATE
    )


def _understood(style: exp.Expr) -> bool:
    return style.is_string and _FORMAT.fullmatch(style.this) is not None


# --- clauses --------------------------------------------------------------------------------------


def _ordered(node: exp.Expr) -> exp.Expr | None:
    for case in node.this.find_all(exp.Case):
        results = [branch.args["true"] for branch in case.args["ifs"]]
        for result in [*results, case.args.get("default")]:
            if isinstance(result, exp.Literal) and result.is_int:
                kind = exp.DataType.build(_T.BIGINT)
                result.replace(_of_type(exp.Cast(this=result.copy(), to=kind), _T.BIGINT))
    return None


RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Is: _is,
    exp.WithinGroup: _within_group,
    exp.StddevPop: _population,
    exp.VariancePop: _population,
    exp.AnyValue: _any_value,
    exp.Anonymous: _anonymous,
    exp.Log: _log,
    exp.Round: _round,
    exp.DPipe: _concatenated,
    exp.Concat: _concatenated,
    exp.Collate: _collate,
    exp.TimeToStr: _to_char,
    exp.StrToDate: _to_date,
    exp.Ordered: _ordered,
}

"""Variances, standard deviations, and the two-argument statistics of SQL.

All compute in 64-bit floats. The functions of two arguments look at the rows where neither is NULL;
the first argument is Y, the second X.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from storage.schema import DecimalType
from warehouse.algebra.types import DOUBLE, NUMERIC, REAL
from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.scaled import as_float, of
from warehouse.execution.value import Value
from warehouse.functions.aggregates.counting import COUNTS
from warehouse.functions.registry import aggregate

__all__: list[str] = []


def _variants(name: str) -> list[str]:
    exact = [f"{name}({kind}) -> numeric" for kind in ("int2", "int4", "int8", "numeric")]
    return [*exact, *(f"{name}({kind}) -> float8" for kind in ("float4", "float8"))]


def _float(value: Value) -> pl.Expr:
    if isinstance(value.type, DecimalType):
        return as_float(of(value))
    return value.expr.cast(pl.Float64)


def _spread(group: Group, freedom: int, *, root: bool) -> Aggregated:
    numbers = _float(group.args[0])
    if group.distinct:
        numbers = numbers.unique()
    part = numbers.std(ddof=freedom) if root else numbers.var(ddof=freedom)
    if group.args[0].type not in (REAL, DOUBLE, NUMERIC):
        return Aggregated((part,), lambda found: Value(found, group.type))
    return Aggregated(
        (part, numbers.sum()), lambda found, total: Value(_of_finite(found, total), group.type)
    )


def _of_finite(moment: pl.Expr, total: pl.Expr) -> pl.Expr:
    """NaN where NaN or infinity are among the numbers; Polars returns 0 for a single one."""
    finite = total.is_finite() | moment.is_null()
    return pl.when(finite).then(moment).otherwise(float("nan"))


@aggregate(*_variants("variance"), *_variants("var_samp"))
def _var_samp(group: Group) -> Aggregated:
    return _spread(group, 1, root=False)


@aggregate(*_variants("var_pop"))
def _var_pop(group: Group) -> Aggregated:
    return _spread(group, 0, root=False)


@aggregate(*_variants("stddev"), *_variants("stddev_samp"))
def _stddev_samp(group: Group) -> Aggregated:
    return _spread(group, 1, root=True)


@aggregate(*_variants("stddev_pop"))
def _stddev_pop(group: Group) -> Aggregated:
    return _spread(group, 0, root=True)


# --- two arguments --------------------------------------------------------------------------------

Formula = Callable[..., pl.Expr]


def _paired(name: str, formula: Formula) -> None:
    """Register `name`; `formula` takes count, mean of y and x, Syy, Sxx, Sxy."""

    def implementation(group: Group) -> Aggregated:
        y, x = (arg.expr for arg in group.args)
        if group.distinct:
            pair = pl.struct(y.alias("y"), x.alias("x")).unique()
            y, x = pair.struct.field("y"), pair.struct.field("x")
        both = y.is_not_null() & x.is_not_null()
        y, x = pl.when(both).then(y), pl.when(both).then(x)
        parts = (
            y.count(),
            y.mean(),
            x.mean(),
            y.var(ddof=0),
            x.var(ddof=0),
            pl.cov(y, x, ddof=0),
        )

        def finish(n: pl.Expr, *moments: pl.Expr) -> Value:
            my, mx, vy, vx, cov = moments
            syy, sxx = _of_finite(vy * n, my), _of_finite(vx * n, mx)
            sxy = _of_finite(cov * n, my + mx)
            found = formula(n=n, my=my, mx=mx, syy=syy, sxx=sxx, sxy=sxy)
            return Value(pl.when(n > 0).then(found), group.type)

        return Aggregated(parts, finish)

    aggregate(f"{name}(float8, float8) -> float8")(implementation)


def _quotient(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    return pl.when(below != 0).then(above / below)


_paired("covar_pop", lambda n, sxy, **_: sxy / n)
_paired("covar_samp", lambda n, sxy, **_: pl.when(n > 1).then(sxy / (n.cast(pl.Int64) - 1)))
_paired(
    "corr",
    lambda syy, sxx, sxy, **_: pl.when((syy != 0) & (sxx != 0)).then(sxy / (syy * sxx).sqrt()),
)
_paired("regr_avgx", lambda mx, **_: mx)
_paired("regr_avgy", lambda my, **_: my)
_paired("regr_sxx", lambda sxx, **_: sxx)
_paired("regr_syy", lambda syy, **_: syy)
_paired("regr_sxy", lambda sxy, **_: sxy)
_paired("regr_slope", lambda sxx, sxy, **_: _quotient(sxy, sxx))
_paired("regr_intercept", lambda my, mx, sxx, sxy, **_: my - mx * _quotient(sxy, sxx))
_paired(
    "regr_r2",
    lambda syy, sxx, sxy, **_: (
        pl.when(sxx == 0).then(None).when(syy == 0).then(1.0).otherwise((sxy * sxy) / (sxx * syy))
    ),
)


@aggregate("regr_count(float8, float8) -> int8")
def _regr_count(group: Group) -> Aggregated:
    y, x = (arg.expr for arg in group.args)
    both = y.is_not_null() & x.is_not_null()
    if group.distinct:
        part = pl.struct(y.alias("y"), x.alias("x")).filter(both).n_unique()
    else:
        part = both.sum()

    def finish(found: pl.Expr) -> Value:
        return Value(found.cast(pl.Int64), group.type, COUNTS, nullable=False)

    return Aggregated((part,), finish)

"""Variances and the statistics of pairs; answers are PostgreSQL's."""

from __future__ import annotations

from typing import Any

import pytest

import warehouse.functions.all
from tests.unit.warehouse.execution.relation_cases import Tables, agg
from warehouse.algebra.types import DOUBLE, INTEGER, NUMERIC

assert warehouse.functions.all

PAIRS = [(1.0, 2.0), (2.0, 4.5), (4.0, 7.0), (None, 1.0), (3.0, None)]


def single(fn: str, *values: Any, **how: Any) -> Any:
    tables = Tables()
    rows = tables.scan([(value,) for value in values], INTEGER)
    call = agg(f"{fn}(int4)", rows.columns[0], kind=NUMERIC, **how)
    [(found,)] = tables.run(tables.aggregate(rows, [], call))
    return found


def paired(fn: str, pairs: list[tuple[Any, Any]] = PAIRS) -> Any:
    tables = Tables()
    rows = tables.scan(pairs, DOUBLE, DOUBLE)
    call = agg(f"{fn}(float8,float8)", *rows.columns, kind=DOUBLE)
    if fn == "regr_count":
        call = agg(f"{fn}(float8,float8)", *rows.columns)
    [(found,)] = tables.run(tables.aggregate(rows, [], call))
    return found


def test_variances() -> None:
    assert single("var_pop", 1, 2, None, 6) == pytest.approx(14 / 3)
    assert single("variance", 1, 2, None, 6) == pytest.approx(7.0)
    assert single("stddev", 1, 2, None, 6) == pytest.approx(7.0**0.5)
    assert single("var_samp", 1, 1, 3, distinct=True) == pytest.approx(2.0)
    assert single("var_samp", 1) is None
    assert single("stddev_pop", 1) == 0.0
    assert single("var_pop") is None


def test_pairs_with_a_null_do_not_count() -> None:
    assert paired("regr_count") == 3
    assert paired("regr_avgy") == pytest.approx(7 / 3)
    assert paired("regr_avgx") == pytest.approx(4.5)
    assert paired("regr_sxx") == pytest.approx(12.5)
    assert paired("regr_syy") == pytest.approx(14 / 3)
    assert paired("regr_sxy") == pytest.approx(7.5)
    assert paired("covar_pop") == pytest.approx(2.5)
    assert paired("covar_samp") == pytest.approx(3.75)
    assert paired("corr") == pytest.approx(0.9819805060619657)
    assert paired("regr_slope") == pytest.approx(0.6)
    assert paired("regr_intercept") == pytest.approx(-11 / 30)
    assert paired("regr_r2") == pytest.approx(0.9642857142857143)


def test_lines_without_slope() -> None:
    upright = [(1.0, 2.0), (3.0, 2.0)]
    for name in ("regr_slope", "regr_intercept", "regr_r2", "corr"):
        assert paired(name, upright) is None, name
    level = [(2.0, 1.0), (2.0, 3.0)]
    assert paired("regr_r2", level) == 1.0
    assert paired("regr_slope", level) == 0.0
    assert paired("corr", level) is None


def test_few_pairs() -> None:
    assert paired("covar_pop", [(1.0, 2.0)]) == 0.0
    assert paired("covar_samp", [(1.0, 2.0)]) is None
    assert paired("covar_pop", []) is None
    assert paired("regr_count", []) == 0


def test_nan_stays_nan() -> None:
    assert repr(paired("regr_syy", [(float("nan"), 1.0)])) == "nan"
    assert paired("corr", [(float("nan"), 1.0)]) is None

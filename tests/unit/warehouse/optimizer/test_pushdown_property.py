"""Pushdown and pruning keep the rows of random queries, and fail on no row that was not looked at.

The queries are unnested first: that is how the rules get them.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.unit.warehouse.optimizer.generator import Generator, random_tables
from tests.unit.warehouse.optimizer.interpreter import (
    DivisionByZero,
    Interpreter,
    TooManyRows,
)
from tests.unit.warehouse.optimizer.test_unnest_property import check_flat
from warehouse.optimizer.columns import without_unused_columns
from warehouse.optimizer.pushdown import pushed_down
from warehouse.optimizer.unnest import unnest

CASES = 200


def run_case(seed: int) -> str:
    """What came of one random query."""
    rng = random.Random(seed)
    query = Generator(rng, division=seed % 2 == 0).query(rng.choice([2, 3, 4]))
    flat = unnest(query)
    better = without_unused_columns(pushed_down(flat))
    check_flat(better)
    compared = 0
    for _ in range(4):
        interpreter = Interpreter(random_tables(rng), guarded=True)
        try:
            before = Counter(interpreter.query(flat))
        except (TooManyRows, DivisionByZero):
            continue
        try:
            after = Counter(interpreter.query(better))
        except (TooManyRows, DivisionByZero):
            return "refused"
        assert before == after, f"seed {seed}"
        compared += 1
    return "compared" if compared else "in error"


def test_rows_of_random_queries_stay() -> None:
    found = Counter(run_case(seed) for seed in range(CASES))
    assert found["compared"] > CASES * 0.8
    assert found["refused"] <= CASES * 0.01


@pytest.mark.slow
def test_rows_of_many_random_queries_stay() -> None:
    found = Counter(run_case(seed) for seed in range(10_000, 15_000))
    assert found["refused"] <= 50

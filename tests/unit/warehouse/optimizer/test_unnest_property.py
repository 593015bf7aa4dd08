"""Unnesting keeps the rows of random correlated queries, and leaves no subquery behind."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.unit.warehouse.optimizer.generator import Generator, random_tables
from tests.unit.warehouse.optimizer.interpreter import Interpreter, TooManyRows
from warehouse.algebra.relations import Join, Query
from warehouse.algebra.walk import expressions, free_columns, has_subquery, nodes, outputs_made
from warehouse.optimizer.unnest import unnest

CASES = 200


def check_flat(query: Query) -> None:
    """No subquery, no lateral join, no outer reference, no id made twice."""
    seen: Counter[int] = Counter()
    for relation in (query.relation, *(cte.relation for cte in query.ctes.values())):
        assert not free_columns(relation)
        for node in nodes(relation):
            assert not any(has_subquery(expr) for expr in expressions(node))
            assert not (isinstance(node, Join) and node.lateral)
            seen.update(column.id for column in outputs_made(node))
    assert not [number for number, count in seen.items() if count > 1]


def run_case(seed: int) -> str:
    """What came of one random query."""
    rng = random.Random(seed)
    query = Generator(rng).query(rng.choice([2, 3, 3, 4, 4]))
    flat = unnest(query)
    check_flat(flat)
    assert flat.relation.columns == query.relation.columns
    compared = 0
    for _ in range(4):
        interpreter = Interpreter(random_tables(rng))
        try:
            before = Counter(interpreter.query(query))
        except TooManyRows:
            continue
        try:
            after = Counter(interpreter.query(flat))
        except TooManyRows:
            return "refused"
        assert before == after, f"seed {seed}"
        compared += 1
    return "compared" if compared else "in error"


def test_rows_of_random_queries_stay() -> None:
    found = Counter(run_case(seed) for seed in range(CASES))
    assert found["compared"] > CASES * 0.9
    assert found["refused"] <= CASES * 0.01


@pytest.mark.slow
def test_rows_of_many_random_queries_stay() -> None:
    found = Counter(run_case(seed) for seed in range(10_000, 15_000))
    assert found["refused"] <= 50

"""Folds, sums and layouts over random spans, against plain Python."""

from __future__ import annotations

import math
import random
import statistics
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from storage.schema import ArrayType
from warehouse.algebra.types import DOUBLE, INTEGER, INTERVAL, JSONB, TEXT
from warehouse.execution.window_folds import added, fold, moments, with_moments
from warehouse.execution.window_frames import Frames
from warehouse.execution.window_layout import Key, lay_out
from warehouse.execution.window_sums import counts, sums64, wide_sums

SEEDS = range(20)


def drawn(seed: int, rows: int) -> tuple[random.Random, Frames]:
    """Random frames of two spans each, some of them empty; the seed is in the test's name."""
    source = random.Random(seed)
    cuts = [sorted(source.randint(0, rows) for _ in range(4)) for _ in range(source.randint(0, 40))]
    edges = np.array(cuts, dtype=np.int64).reshape(-1, 4)
    spans = ((edges[:, 0], edges[:, 1]), (edges[:, 2], edges[:, 3]))
    return source, Frames(spans, None)


def members(frames: Frames) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(frames.count)]
    for starts, ends in frames.spans:
        for frame, (start, end) in enumerate(zip(starts, ends, strict=True)):
            found[frame].extend(range(start, end))
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_exact_sums(seed: int) -> None:
    source, frames = drawn(seed, 60)
    values = [source.choice([2**63 - 1, -(2**63), source.randint(-9, 9)]) for _ in range(60)]
    chosen = np.array([source.random() < 0.7 for _ in values])
    expected = [sum(values[i] for i in rows if chosen[i]) for rows in members(frames)]
    numbers = [sum(1 for i in rows if chosen[i]) for rows in members(frames)]
    assert counts(chosen, frames).tolist() == numbers
    found = wide_sums(pl.Series(values, dtype=pl.Int64), chosen, frames)
    made = found.decimals(np.ones(frames.count, dtype=np.bool_), 0)
    assert [int(value) for value in made] == expected
    assert found.fit.tolist() == [-(2**63) <= value < 2**63 for value in expected]
    assert found.floats().tolist() == pytest.approx([float(value) for value in expected])
    low = sums64(np.where(chosen, np.array(values), 0), frames)
    assert [value % 2**64 for value in low.tolist()] == [value % 2**64 for value in expected]


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_of_wide_decimals(seed: int) -> None:
    source, frames = drawn(seed, 40)
    limit = 10**38 - 1
    values = [source.choice([limit, -limit, source.randint(-limit, limit)]) for _ in range(40)]
    series = pl.Series([Decimal(value) for value in values], dtype=pl.Decimal(38, 0))
    chosen = np.array([source.random() < 0.7 for _ in values])
    expected = [sum(values[i] for i in rows if chosen[i]) for rows in members(frames)]
    found = wide_sums(series, chosen, frames)
    beyond = [abs(value) > limit for value in expected]
    assert found.beyond_decimal().tolist() == beyond
    made = found.decimals(~np.array(beyond, dtype=np.bool_), 0).to_list()
    kept = [None if lost else value for lost, value in zip(beyond, expected, strict=True)]
    assert [None if value is None else int(value) for value in made] == kept


@pytest.mark.parametrize("seed", SEEDS)
def test_folds_touch_nothing_outside_a_frame(seed: int) -> None:
    source, frames = drawn(seed, 50)
    values = np.array([source.choice([1e300, -1e300, math.inf, 0.1, 3.0]) for _ in range(50)])
    found = fold((values,), (-0.0,), added, frames)[0]
    for value, rows in zip(found, members(frames), strict=True):
        numbers = [float(values[i]) for i in rows]
        if math.inf in numbers:
            assert value == math.inf
        else:
            scale = sum(map(abs, numbers))
            assert abs(value - math.fsum(numbers)) <= 1e-14 * scale


@pytest.mark.parametrize("seed", SEEDS)
def test_moments_do_not_cancel(seed: int) -> None:
    source, frames = drawn(seed, 50)
    values = np.array([1e9 + source.random() for _ in range(50)])
    everything = np.ones(50, dtype=np.bool_)
    found = fold(with_moments(values, everything), (0.0, 0.0, 0.0), moments, frames)
    for count, mean, squares, rows in zip(*found, members(frames), strict=True):
        numbers = [float(values[i]) for i in rows]
        assert count == len(numbers)
        if len(numbers) > 1:
            assert mean == pytest.approx(statistics.fmean(numbers), rel=1e-15)
            assert squares / count == pytest.approx(statistics.pvariance(numbers), rel=1e-5)


def test_partitions_and_peers_follow_sql_equality() -> None:
    nan, null = math.nan, None
    keys = pl.Series([nan, 0.0, null, -0.0, nan, null, math.inf])
    layout = lay_out([keys], [], 7)
    assert len(layout.partition_heads) == 4
    spans = pl.Series(
        [
            {"months": 1, "days": 0, "microseconds": 0},
            {"months": 0, "days": 30, "microseconds": 0},
            {"months": 0, "days": 29, "microseconds": 86_400_000_001},
            None,
        ],
        dtype=pl.Struct({"months": pl.Int32, "days": pl.Int32, "microseconds": pl.Int64}),
    )
    layout = lay_out([], [Key(spans, INTERVAL, True, False)], 4)
    assert layout.rows is not None
    assert layout.rows.to_list() == [2, 0, 1, 3]
    assert layout.peer_heads.tolist() == [0, 1, 3]


def test_nan_is_the_greatest_number_and_ties_keep_their_order() -> None:
    keys = pl.Series([math.nan, 1.0, None, -0.0, 0.0, math.inf])
    layout = lay_out([], [Key(keys, DOUBLE, True, True)], 6)
    assert layout.rows is not None
    assert layout.rows.to_list() == [2, 0, 5, 1, 3, 4]
    second = pl.Series(["b", "a", "b", "a", "c", "a"])
    layout = lay_out([], [Key(second, TEXT, False, False), Key(keys, DOUBLE, False, False)], 6)
    assert layout.rows is not None
    assert layout.rows.to_list() == [3, 1, 5, 0, 2, 4]


def test_null_is_the_greatest_element_of_an_array() -> None:
    keys = pl.Series([[1, None], [1, 2], [], [1], None, [None]], dtype=pl.List(pl.Int64))
    layout = lay_out([], [Key(keys, ArrayType(INTEGER), False, False)], 6)
    assert layout.rows is not None
    assert layout.rows.to_list() == [2, 3, 1, 0, 5, 4]


def test_jsonb_values_that_are_equal_are_peers() -> None:
    keys = pl.Series(["[1]", "1.0", None, "[]", '"z"', "1"])
    layout = lay_out([], [Key(keys, JSONB, False, False)], 6)
    assert layout.rows is not None
    assert layout.rows.to_list() == [3, 4, 1, 5, 0, 2]
    assert layout.peer_heads.tolist() == [0, 1, 2, 4, 5]

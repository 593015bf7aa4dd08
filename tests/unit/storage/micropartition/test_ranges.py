"""Ranges: rows divided file by file are where one sort of all would have them."""

from __future__ import annotations

import math
import random

import numpy as np
import pyarrow as pa
import pytest

from storage.micropartition import clustering
from storage.micropartition.ranges import Ranges


def rows_of(rng: random.Random, count: int, values: int) -> pa.Table:
    def some() -> float | None:
        return rng.choice([None, math.nan, float(rng.randrange(values)), rng.random() * values])

    return pa.table(
        {
            "a": pa.array([rng.choice([None, rng.randrange(values)]) for _ in range(count)]),
            "b": pa.array([some() for _ in range(count)], pa.float64()),
            "c": pa.array([f"{rng.randrange(values)}" for _ in range(count)]),
        }
    )


@pytest.mark.parametrize("values", [2, 40, 100_000])
@pytest.mark.parametrize("seed", range(3))
def test_of_a_lexical_order(values: int, seed: int) -> None:
    rng = random.Random(f"ranges {values} {seed}")
    files = [rows_of(rng, rng.randrange(1, 3_000), values) for _ in range(4)]
    columns = rng.sample(["a", "b", "c"], 2)
    ranges = Ranges(pa.concat_tables(f.slice(0, 500) for f in files), columns, "lexical", 5)
    numbers = [ranges.of(file) for file in files]
    assert 1 <= ranges.count <= 5
    parts = []
    for number in range(ranges.count):
        pieces = [f.filter(pa.array(n == number)) for f, n in zip(files, numbers, strict=True)]
        parts.append(clustering.sort(pa.concat_tables(pieces), columns, "lexical"))
    whole = clustering.sort(pa.concat_tables(files), columns, "lexical").select(columns)
    assert repr(pa.concat_tables(parts).select(columns).to_pylist()) == repr(whole.to_pylist())
    if values == 100_000:
        assert max(p.num_rows for p in parts) <= 1.4 * whole.num_rows / 5


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c"], ["c", "a"]])
def test_of_a_z_order(names: list[str]) -> None:
    """Each range is small in every column, and a value of all columns is in one range."""
    rng = random.Random(f"zorder {names}")
    files = [rows_of(rng, 4_000, 100_000) for _ in range(3)]
    whole = pa.concat_tables(files)
    ranges = Ranges(whole.slice(0, 2_000), names, "zorder", 16)
    numbers = np.concatenate([ranges.of(file) for file in files])
    assert ranges.count in range(12, 17)
    assert np.array_equal(ranges.of(whole), numbers)
    counts = np.bincount(numbers)
    assert counts.max() <= 3 * counts.mean()
    twice = pa.concat_tables([whole, whole])
    assert np.array_equal(ranges.of(twice), np.concatenate([numbers, numbers]))
    widths = []
    for number in range(ranges.count):
        found = whole["a"].filter(pa.array(numbers == number)).drop_null().to_pylist()
        widths.append(max(found) - min(found) if found else 0)
    assert sum(widths) / ranges.count < 60_000  # of 100,000


def test_no_rows_and_one_range() -> None:
    rows = rows_of(random.Random(1), 50, 10)
    assert Ranges(rows.slice(0, 0), ["a"], "lexical", 4).of(rows).tolist() == [0] * 50
    assert Ranges(rows.slice(0, 0), ["a", "b"], "zorder", 4).of(rows).tolist() == [0] * 50
    assert Ranges(rows, ["a"], "lexical", 1).count == 1
    assert len(Ranges(rows, ["a"], "lexical", 4).of(rows.slice(0, 0))) == 0

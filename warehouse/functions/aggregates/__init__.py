"""The aggregate functions. Importing this package registers them."""

from warehouse.functions.aggregates import (
    collecting,
    collecting_json,
    counting,
    extremes,
    hypothetical,
    percentiles,
    statistics,
    sums,
)

__all__ = [
    "collecting",
    "collecting_json",
    "counting",
    "extremes",
    "hypothetical",
    "percentiles",
    "statistics",
    "sums",
]

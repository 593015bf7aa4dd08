"""The aggregate functions. Importing this package registers them."""

from warehouse.functions.aggregates import (
    collecting,
    counting,
    extremes,
    hypothetical,
    percentiles,
    statistics,
    sums,
)

__all__ = [
    "collecting",
    "counting",
    "extremes",
    "hypothetical",
    "percentiles",
    "statistics",
    "sums",
]

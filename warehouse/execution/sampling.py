"""TABLESAMPLE: rows (BERNOULLI) or blocks of rows (SYSTEM), each chosen by a hash of its number.

With REPEATABLE the hash has the given seed, so the same rows of the same table give the same
sample.
"""

from __future__ import annotations

import math
import secrets

import polars as pl

from storage.errors import InternalError, InvalidRequest
from warehouse.algebra.expressions import Expr
from warehouse.algebra.relations import Sample
from warehouse.execution.lowered import Context, Lowered, narrowed
from warehouse.execution.relations import lower_relation
from warehouse.execution.sorting import constant_of

__all__ = ["lower_sample"]

NUMBER = "number"
BLOCK_ROWS = 1024


def lower_sample(node: Sample, context: Context) -> Lowered:
    """About `percent` of the input's rows."""
    percent = _number(node.percent, context, "TABLESAMPLE parameter cannot be null", "2202H")
    if not 0 <= percent <= 100:
        raise InvalidRequest("sample percentage must be between 0 and 100", "2202H")
    seed = secrets.randbits(63) if node.seed is None else _seed(node.seed, context)
    below = lower_relation(node.input, context)
    if node.method not in ("bernoulli", "system"):
        raise InternalError(f"no sampling method {node.method}")
    unit = pl.col(NUMBER) if node.method == "bernoulli" else pl.col(NUMBER) // BLOCK_ROWS
    limit = math.floor(percent / 100 * 2**64)
    frame = below.frame.with_row_index(NUMBER)
    if limit < 2**64:
        frame = frame.filter(unit.hash(seed) < pl.lit(limit, dtype=pl.UInt64))
    return narrowed(frame, below.columns)


def _seed(expr: Expr, context: Context) -> int:
    given = _number(expr, context, "TABLESAMPLE REPEATABLE parameter cannot be null", "2202G")
    return hash(given) % 2**63


def _number(expr: Expr, context: Context, message: str, sqlstate: str) -> float:
    found = constant_of(expr, context)
    if found is None:
        raise InvalidRequest(message, sqlstate)
    assert isinstance(found, int | float)
    return float(found)

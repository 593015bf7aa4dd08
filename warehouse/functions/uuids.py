"""UUIDs."""

from __future__ import annotations

import typing

import numpy as np
import polars as pl

from warehouse.functions.mathematics import per_row
from warehouse.functions.registry import scalar

if typing.TYPE_CHECKING:
    from warehouse.execution.expressions import Environment

__all__: list[str] = []


@scalar("gen_random_uuid() -> uuid", "uuid_generate_v4() -> uuid", volatile=True)
def gen_random_uuid(*, environment: Environment) -> pl.Expr:
    """A random UUID (version 4), another one in every row."""
    generator = np.random.default_rng()

    def made(count: int) -> pl.Series:
        octets = generator.integers(0, 256, (count, 16), dtype=np.uint8)
        octets[:, 6] = octets[:, 6] & 0x0F | 0x40
        octets[:, 8] = octets[:, 8] & 0x3F | 0x80
        return pl.Series([row.tobytes() for row in octets], dtype=pl.Binary)

    return per_row(environment, made, pl.Binary())

"""Tables that travel between processes: inside the call, or as references to Ray's objects."""

from __future__ import annotations

import asyncio
from typing import Any

import pyarrow as pa
import ray

__all__ = ["fetch_rows", "resolve_rows", "share_rows"]

SHARE_BYTES_MIN = 64 << 10  # smaller tables travel inside the call


def share_rows(rows: pa.Table) -> Any:
    """A table as it goes to workers: see `DeltaStage`."""
    return rows if rows.nbytes < SHARE_BYTES_MIN else ray.put(rows)


def resolve_rows(rows: Any) -> pa.Table:
    """The table behind a reference, or itself."""
    return ray.get(rows) if isinstance(rows, ray.ObjectRef) else rows


async def fetch_rows(rows: Any) -> pa.Table:
    """The same without blocking."""
    if isinstance(rows, ray.ObjectRef):
        return await asyncio.wrap_future(rows.future())
    return rows

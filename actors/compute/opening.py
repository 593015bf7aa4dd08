"""`open_worker`: a worker with a store and a cache directory of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from actors.compute.worker import Worker
from actors.local_files import own_files, remove_left
from actors.settings import NodeSettings
from storage.clock import Clock
from storage.objects import CountingStore, open_store

__all__ = ["open_worker"]


def open_worker(
    node: NodeSettings,
    *,
    name: str,
    cache_bytes: int,
    clock: Clock,
    resolve_rows: Callable[[Any], pa.Table] = lambda rows: rows,
) -> Worker:
    """A worker with a store and a cache directory of its own."""
    remove_left(node.settings)
    return Worker(
        CountingStore(open_store(node.root, node.store, clock=clock)),
        clock,
        cache_directory=own_files(node.settings) / f"{node.database_id}-{name}",
        cache_bytes=cache_bytes,
        resolve_rows=resolve_rows,
    )

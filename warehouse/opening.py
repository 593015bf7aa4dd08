"""What `connect` does: from a root URL and options to the node's settings and an engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from actors.client import Engine
from actors.loop import LoopThread
from actors.settings import NodeSettings
from storage.clock import SystemClock
from storage.errors import InvalidRequest
from storage.format import open_or_create, read_format
from storage.ids import RandomIds
from storage.objects import StoreOptions, open_store
from warehouse.planning.planner import SqlPlanner

__all__ = ["database_id", "from_here", "make_engine", "store_options"]


def from_here(path: str) -> str:
    """A path made absolute: the processes of a cluster have other working directories. URLs, and
    what is wrong anyhow, stay."""
    return str(Path(path).absolute()) if path and "://" not in path else path


def store_options(store: StoreOptions | Mapping[str, Any] | None) -> StoreOptions:
    """How to reach S3: as said, else as the environment says. Raises InvalidRequest."""
    if store is None:
        return StoreOptions.from_environment()
    if isinstance(store, StoreOptions):
        return store
    try:
        return StoreOptions(**store)
    except TypeError as error:
        known = ", ".join(StoreOptions.__dataclass_fields__)
        raise InvalidRequest(f"store options: {error}; known are {known}") from error


def database_id(root: str, options: StoreOptions, *, create: bool) -> str:
    """The id of the database at a root; of a new one there, with `create`, if it is empty."""
    clock = SystemClock()

    async def find() -> str:
        store = open_store(root, options, clock=clock)
        try:
            found = await (
                open_or_create(store, RandomIds(), clock) if create else read_format(store)
            )
        finally:
            await store.close()
        return found.database_id

    loop = LoopThread("mobula-connect")  # a notebook has a loop of its own running here
    try:
        return loop.run(find())
    finally:
        loop.close()


def make_engine(engine: str, node: NodeSettings) -> Engine:
    """The engine of that name, "local" or "ray"."""
    make_planner = partial(SqlPlanner, store=node.store, root=node.root)
    if engine == "local":
        from actors.local_engine import LocalEngine

        return LocalEngine(node, make_planner)
    from actors.ray_engine import RayEngine

    return RayEngine(node, make_planner)

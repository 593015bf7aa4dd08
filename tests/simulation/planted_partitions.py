"""Mistakes made on purpose, about partitions (`planted.py`)."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from actors.primary import merge as merge_module
from actors.primary import partitions as partitions_module
from actors.primary.indexes import Indexes
from storage.snapshot import apply as apply_module
from tests.simulation.mistakes import bug, replaced

__all__: list[str] = []


@bug("a dropped partition leaves its rows of deltas")
def _(stack: ExitStack) -> None:
    replaced(stack, partitions_module, "_slices_deleted", lambda table, gone: ())


@bug("rows of a group stay in the order they came")
def _(stack: ExitStack) -> None:
    replaced(stack, merge_module, "_order", lambda part: np.arange(part.row_count))


@bug("files that come to another table are buried")
def _(stack: ExitStack) -> None:
    replaced(stack, apply_module, "moved_files", lambda tables, lsn: set())


@bug("runs that were merged are of no partition")
def _(stack: ExitStack) -> None:
    async def published(self: Indexes, *given: Any) -> Any:
        return await known(self, *given[:-1], 0)

    known = replaced(stack, Indexes, "published", published)

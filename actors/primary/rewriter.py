"""Where tables are rewritten: in this process, or elsewhere.

The maintainer decides what is rewritten and commits what came of it; a `Rewriter` does the work in
between. On Ray large ones are tasks of the cluster (`ray_rewriter.py`).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from storage.ids import Ids
from storage.ingest import Progress
from storage.objects import ObjectStore
from storage.rewrite import Rewritten
from storage.rewriting import Rewriting, rewrite

__all__ = ["OwnRewriter", "Rewriter"]


class Rewriter(Protocol):
    """Writes rows of a table anew; commits nothing, so that a failure leaves nothing visible."""

    @property
    def side_by_side(self) -> int:
        """Flushes that it does at a time, and as many compactions; more wait in it."""
        ...

    async def rewrite(self, work: Rewriting, progress: Progress) -> Rewritten:
        """Args: progress: called with the rows stored so far.

        Raises: CorruptData: names the object that is not what it was. OutOfMemory. Unavailable.
        """
        ...

    def status(self) -> dict[str, int]:
        """For that of the primary: where how many were done."""
        ...


class OwnRewriter:
    """In threads of this process."""

    def __init__(
        self, store: ObjectStore, ids: Ids, side_by_side: int, scratch: Path | None = None
    ) -> None:
        """Args: scratch: directory for temporary files; None: the system's."""
        self._store = store
        self._ids = ids
        self._scratch = scratch
        self._side_by_side = side_by_side
        self._room = {kind: asyncio.Semaphore(side_by_side) for kind in ("flush", "compact")}

    @property
    def side_by_side(self) -> int:
        """See `Rewriter.side_by_side`."""
        return self._side_by_side

    async def rewrite(self, work: Rewriting, progress: Progress) -> Rewritten:
        """See `Rewriter.rewrite`."""
        async with self._room[work.kind]:
            return await rewrite(
                self._store, work, ids=self._ids, scratch=self._scratch, progress=progress
            )

    def status(self) -> dict[str, int]:
        """See `Rewriter.status`."""
        return {}

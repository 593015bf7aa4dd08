"""Checkpoints of a primary: when one is due, and what of the earlier ones it uses again.

An unchanged table's part is not written again. Checkpoints take turns: each uses parts of the last
but one, never of the last, so that one damaged object never spoils the two newest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from actors.primary.limits import CheckpointPolicy
from storage.errors import MobulaError
from storage.ids import Ids
from storage.objects import ObjectStore
from storage.snapshot.checkpoint import CheckpointInfo, Parts, write_checkpoint
from storage.snapshot.model import Snapshot

__all__ = ["Checkpoints"]


class Checkpoints:
    """Of one primary; one event loop."""

    def __init__(
        self,
        store: ObjectStore,
        ids: Ids,
        policy: CheckpointPolicy,
        newest: Callable[[], Snapshot],
        tail_groups: int,
        *,
        written: Callable[[int], None] = lambda size_bytes: None,
    ) -> None:
        """Args:
        newest: the newest durable snapshot.
        tail_groups: behind the newest checkpoint when we began; their bytes are not known.
        written: hears of bytes that were written.
        """
        self._store = store
        self._ids = ids
        self._policy = policy
        self._newest = newest
        self._written = written
        self._tail_bytes = 0
        self._tail_groups = tail_groups
        self._last: CheckpointInfo | None = None
        self._before: Parts = {}  # of the last but one
        self._busy = asyncio.Lock()
        self._due = asyncio.Event()
        self.last_error: MobulaError | None = None

    def committed(self, size_bytes: int) -> None:
        """One more group is behind the newest checkpoint."""
        self._tail_bytes += size_bytes
        self._tail_groups += 1
        self.wake()

    def wake(self) -> None:
        """Write one if it is due: several short reigns may have left a long tail."""
        if self._is_due():
            self._due.set()

    async def write(self) -> CheckpointInfo:
        """One of the newest durable snapshot, now. Raises what the store raises."""
        async with self._busy:
            tail_bytes, tail_groups = self._tail_bytes, self._tail_groups
            made = await write_checkpoint(self._store, self._newest(), self._ids, self._before)
            self._tail_bytes -= tail_bytes
            self._tail_groups -= tail_groups
            self._before = {} if self._last is None else self._last.parts
            self._last = made
            self._written(made.written_bytes)
            return made

    def none_is_written(self) -> AbstractAsyncContextManager[None]:
        """Around the deletion of others: none is written meanwhile."""
        return self._busy

    def parts_to_reuse(self) -> frozenset[str]:
        """Names of the parts that the next checkpoints may name."""
        last = {} if self._last is None else self._last.parts
        return frozenset(part.name for _, part in (*last.values(), *self._before.values()))

    def parts_to_reuse_after(self, snapshot: Snapshot) -> frozenset[str]:
        """The same once a checkpoint of `snapshot` would be written, but for its own new parts."""
        last = {} if self._last is None else self._last.parts
        used = ((t, part) for t, part in self._before.values() if snapshot.tables.get(t.id) is t)
        return frozenset(part.name for _, part in (*last.values(), *used))

    async def run(self) -> None:
        """Until cancelled. What fails is tried again after the next commit: readers replay a longer
        tail until then."""
        while True:
            await self._due.wait()
            self._due.clear()
            if not self._is_due():
                continue  # the one that was under way has covered it
            try:
                await self.write()
            except MobulaError as error:
                self.last_error = error

    def _is_due(self) -> bool:
        return self._policy.is_due(
            tail_bytes=self._tail_bytes,
            tail_groups=self._tail_groups,
            last_bytes=self._last.size_bytes if self._last else 0,
        )

    def status(self) -> dict[str, Any]:
        """For that of the primary."""
        return {
            "tail_groups": self._tail_groups,
            "tail_bytes": self._tail_bytes,
            "checkpoint_lsn": self._last.lsn if self._last else None,
        }

"""A worker as those who send it fragments see it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

from actors.fragments import Fragment, FragmentResult, HotFile, Warmed

__all__ = ["WorkerHandle", "WorkerLost"]


class WorkerLost(Exception):
    """The process behind a handle is gone."""


class WorkerHandle(Protocol):
    """A worker, here or in another process. It takes one fragment at a time."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    async def execute(self, fragment: Fragment) -> FragmentResult:
        """Raises WorkerLost when the process died; WorkerExhausted when it is about to, because of
        the fragment; or the fragment's own error."""
        ...

    def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        """The rows batch by batch: pa.RecordBatch, or references to them; after the last of them
        it may say what they cost, as `messages.QueryStats`. Raises as `execute`.
        Closing it raises WorkerLost if the worker does not get free at once."""
        ...

    async def warm(self, files: Sequence[HotFile]) -> Warmed:
        """Fetch files into the cache. Raises WorkerLost."""
        ...

    async def busy(self) -> bool:
        """Whether it works on a fragment. Raises WorkerLost."""
        ...

    def forget(self) -> None:
        """It goes back to whom it came from: let go of what was held of it."""
        ...

    def kill(self) -> None:
        """End the process at once, whatever it does. Where the worker is no process of its own,
        what it does goes on unheard."""
        ...

    async def close(self) -> None:
        """End the worker, its cache removed."""
        ...

"""What the rest of Mobula asks of an object store, and nothing more.

One conditional primitive, `create`: make an object if no object of that name exists. It is the same
on every store, and the commit protocol rests on it alone (`docs/formats/objects.md`).

Names are relative to the database's root: `/`-separated, no empty part, no `.` or `..` part, and no
`tmp` as the first part (`names.py` has the rules, the same on every store). A call with another
name raises `InvalidRequest`.

Outcomes. A call that returns has happened. A call that raises `ObjectMissing` (get, get_range,
fetch) or `ObjectExists` (create) is the store's answer, except that `ObjectExists` may also mean
"an earlier attempt of this very call, whose reply was lost, succeeded"; any other error says
nothing about whether it happened. `settle.create_settled` makes it certain by reading back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

__all__ = ["HeldLock", "LockingStore", "ObjectInfo", "ObjectStore", "StagingStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One entry of a listing."""

    name: str
    size_bytes: int


class ObjectStore(Protocol):
    """A flat namespace of immutable-by-convention objects under one root URL."""

    @property
    def url(self) -> str:
        """The root, as the user wrote it, without credentials."""
        ...

    async def create(self, name: str, data: bytes) -> None:
        """Make the object if absent, durably, in one request.

        Raises:
            ObjectExists: an object of that name exists (maybe from a lost reply of our own).
            Unavailable: unknown outcome.
        """
        ...

    async def put(self, name: str, data: bytes) -> None:
        """Make or replace the object, durably. Only for what nobody's safety rests on."""
        ...

    async def get(self, name: str) -> bytes:
        """The whole object. Raises ObjectMissing."""
        ...

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        """Bytes [start, start + length) of the object, fewer where it ends before.

        A negative `start` counts from the end (a suffix range), or from the first byte where the
        object is shorter; `length` is then at most -start. Past the end, and in an empty object,
        there are no bytes; a `length` of 0 may be answered without asking for the object.
        Raises ObjectMissing.
        """
        ...

    async def put_file(self, name: str, path: Path) -> None:
        """Make or replace the object from a local file (multipart where the store wants it)."""
        ...

    async def fetch(self, name: str, path: Path) -> int:
        """Bring the object to a new local file at `path`; returns its size in bytes.

        A directory store may link instead of copying: do not write into the file. What fails
        leaves no file. Raises ObjectMissing; InvalidRequest if there is a file at `path`.
        """
        ...

    def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        """Objects whose name starts with `prefix`, in byte order of names, after `start_after`.

        Never from a cache. One request per `page_size` objects (1..1000); stop iterating to stop
        asking. An object made while the listing runs may or may not be in it.
        """
        ...

    async def delete(self, name: str) -> None:
        """Remove the object; absent is fine. A power loss may bring it back on a directory."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class HeldLock(Protocol):
    """A lock that this process holds."""

    def release(self) -> None:
        """Give the lock up; again is fine."""
        ...


@runtime_checkable
class LockingStore(Protocol):
    """A store whose processes share an operating system, which knows who is alive."""

    def try_lock(self, name: str) -> HeldLock | None:
        """Take the lock of that name, or None while another process (or lock) has it."""
        ...


@runtime_checkable
class StagingStore(Protocol):
    """A store in which writers put together what becomes an object, where no listing shows it: who
    dies meanwhile leaves it there."""

    async def abandoned(self, *, before_ms: int) -> Sequence[ObjectInfo]:
        """What was last written before that wall time, in the order of names.

        Keep an hour: what is younger may be a write in progress, which would fail.
        """
        ...

    async def discard(self, name: str) -> None:
        """Remove what `abandoned` has named; absent is fine."""
        ...

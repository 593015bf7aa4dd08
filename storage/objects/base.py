"""What the rest of Mobula asks of an object store, and nothing more.

One conditional primitive, `create`: make an object if no object of that name exists. It is the same
on every store, and the commit protocol rests on it alone (`docs/formats/objects.md`).

Names are relative to the database's root: `/`-separated, no empty part, no `.` or `..` part.

Outcomes. A call that returns has happened. A call that raises `ObjectMissing` (get, get_range,
fetch) or `ObjectExists` (create) is the store's answer, except that `ObjectExists` may also mean
"an earlier attempt of this very call, whose reply was lost, succeeded"; any other error says nothing
about whether it happened. `settle.create_settled` turns that into certainty by reading back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["ObjectInfo", "ObjectStore"]


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

        A negative `start` counts from the end (a suffix range); `length` is then at most -start.
        Raises ObjectMissing.
        """
        ...

    async def put_file(self, name: str, path: Path) -> None:
        """Make or replace the object from a local file (multipart where the store wants it)."""
        ...

    async def fetch(self, name: str, path: Path) -> int:
        """Bring the object to a new local file at `path`; returns its size in bytes.

        A directory store may link instead of copying. Raises ObjectMissing.
        """
        ...

    def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        """Objects whose name starts with `prefix`, in byte order of names, after `start_after`.

        Never from a cache. One request per `page_size` objects; stop iterating to stop asking.
        """
        ...

    async def delete(self, name: str) -> None:
        """Remove the object; absent is fine."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...

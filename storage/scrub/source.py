"""Reading objects for a check: few at a time, counted, with what goes wrong as text.

An object that is not there, or does not decode, is a finding. A store that does not answer is not:
what it raises ends the check, for nothing is known then.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from storage.container import PREAMBLE_BYTES, Section, header_length
from storage.errors import CorruptData, InvalidRequest, MobulaError, ObjectMissing, Unavailable
from storage.objects import ObjectStore
from storage.scrub.findings import Teller

__all__ = ["AT_ONCE", "NOT_THERE", "Source", "attempted", "side_by_side", "surplus"]

AT_ONCE = 16  # log objects and parts of checkpoints that are in memory at a time
NOT_THERE = "it is not there"

T = TypeVar("T")


class Source:
    """The store that is checked, and a directory for the objects that are looked at as files."""

    def __init__(self, store: ObjectStore, directory: Path, teller: Teller) -> None:
        self.store = store
        self.directory = directory
        self._teller = teller
        self._numbers = itertools.count()

    async def get(self, name: str) -> bytes | None:
        """A whole object, or None if it is not there."""
        try:
            data = await self.store.get(name)
        except ObjectMissing:
            return None
        self._teller.read(len(data))
        return data

    async def get_all(self, names: Iterable[str]) -> list[bytes | None]:
        """The same of several."""
        return await side_by_side(self.get(name) for name in names)

    async def fetch(self, name: str) -> Path | None:
        """An object as a file, which the caller removes; None if the object is not there."""
        path = self.path()
        try:
            size = await self.store.fetch(name, path)
        except ObjectMissing:
            return None
        self._teller.read(size)
        return path

    def path(self) -> Path:
        """For a new file."""
        return self.directory / str(next(self._numbers))


async def side_by_side(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all, in their order. The first error ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except* Exception as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def attempted(name: str, work: Callable[[], T]) -> T | str:
    """What `work` gives, or what is wrong with the object that it looks at.

    Bytes whose checksums are right may still be nonsense to any of the libraries that read them,
    and one object must not end the check of all others. What is no fault of the object is raised.
    """
    try:
        return work()
    except (Unavailable, InvalidRequest, MemoryError):
        raise
    except CorruptData as error:
        return error.message.removeprefix(f"{name}: ")
    except MobulaError as error:
        return error.message
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def surplus(data: bytes, magic: bytes, sections: Iterable[Section], name: str) -> int:
    """Bytes of an object of `container.py` that no checksum covers: behind its last section."""
    end = max((section.offset + section.length for section in sections), default=0)
    return len(data) - PREAMBLE_BYTES - header_length(data, magic, name) - end

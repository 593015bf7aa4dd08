"""The checkpoints that there are, as the collector sees them: when, which parts, what lies about.

A root is read once; what it says of time and parts is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from storage.errors import CorruptData
from storage.names import CHECKPOINT_PREFIX, checkpoint_lsn, is_checkpoint_directory
from storage.objects import ObjectInfo, ObjectStore
from storage.snapshot.apply import tso_ms
from storage.snapshot.checkpoint import ROOT, decode_root, read_checkpoint

__all__ = ["Checkpoints", "Root", "Roots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A complete checkpoint: its root's name, which version it is and of when, and its parts."""

    name: str
    lsn: int
    written_ms: int
    parts: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """What is listed.

    Attributes:
        roots: those that decode and whose parts are there, oldest first. A power loss may bring
            back a root whose parts were deleted behind it.
        bad: names of roots that do not.
        objects: all objects by name, roots and parts.
    """

    roots: tuple[Root, ...]
    bad: frozenset[str]
    objects: dict[str, ObjectInfo]


@dataclass(slots=True)
class Roots:
    """Lists checkpoints, and remembers what it has read."""

    store: ObjectStore
    _known: dict[str, Root | None] = field(default_factory=dict)

    async def listed(self) -> Checkpoints:
        """1 LIST for each 1000 objects, 1 GET for each root that is new."""
        objects: dict[str, ObjectInfo] = {}
        async for entry in self.store.list(CHECKPOINT_PREFIX):
            if is_checkpoint_directory(entry.name.rpartition("/")[0]):
                objects[entry.name] = entry
        names = [name for name in objects if name.endswith(f"/{ROOT}")]
        known = {name: self._known.get(name) or await self._read(name) for name in names}
        self._known = known
        whole = (root for root in known.values() if root is not None)
        roots = [root for root in whole if root.parts <= objects.keys()]
        return Checkpoints(
            roots=tuple(sorted(roots, key=lambda root: (root.lsn, root.name))),
            bad=frozenset(name for name, root in known.items() if root is None),
            objects=objects,
        )

    async def _read(self, name: str) -> Root | None:
        try:
            header, catalogue = decode_root(await self.store.get(name), name)
        except CorruptData:
            return None
        if header.lsn != checkpoint_lsn(name):
            return None
        return Root(
            name=name,
            lsn=header.lsn,
            written_ms=tso_ms(header.tso),
            parts=frozenset(entry.part.name for entry in catalogue.tables),
        )

    async def is_whole(self, root: Root) -> bool:
        """Whether it can be read back now, all of it. 1 GET, and 1 for each table."""
        try:
            await read_checkpoint(self.store, root.name)
        except CorruptData:
            return False
        return True

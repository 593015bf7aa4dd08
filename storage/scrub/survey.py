"""What there is under a root: every name and size, listed once before anything is read.

The listing comes first because what appears later belongs to later versions. It is in byte order,
so checkpoints are listed before the log: no checkpoint is past the log's end. Epochs are listed
once more behind the log: whoever wrote its newest group has an owner by then.

A name of a log object is kept as 8 bytes, one of data or an index as 16 (hash and size).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import xxhash

from storage.errors import CorruptData
from storage.names import (
    CHECKPOINT_PREFIX,
    DATA_PREFIX,
    EPOCH_PREFIX,
    FORMAT,
    INDEX_PREFIX,
    LOG_PREFIX,
    alive_name,
    checkpoint_directory,
    checkpoint_lsn,
    epoch_of,
    log_lsn,
    log_name,
    owner_name,
)
from storage.objects import ObjectInfo, ObjectStore
from storage.scrub.findings import Finding, Part, Severity, Teller
from storage.snapshot.checkpoint import ROOT

__all__ = ["CheckpointNames", "Names", "Survey", "survey"]


@dataclass(slots=True, kw_only=True)
class CheckpointNames:
    """The objects of one checkpoint. `directory` without a slash at its end."""

    lsn: int
    directory: str
    has_root: bool = False
    parts: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        return f"{self.directory}/{ROOT}"


class Names:
    """A set of names that grows, as 64-bit hashes: to be counted by, never to delete by."""

    def __init__(self) -> None:
        self._hashes = array("Q")

    def add(self, names: Iterable[str]) -> None:
        """Add names."""
        self._hashes.extend(xxhash.xxh3_64_intdigest(name.encode()) for name in names)

    def hashes(self) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        """One for each `add`, in that order."""
        return np.array(self._hashes, dtype=np.uint64)


@dataclass(slots=True, kw_only=True)
class Survey:
    """What was listed.

    Attributes:
        lsns: of log objects, ascending.
        checkpoints: by their LSN, ascending.
        owners, alive: epochs with such an object.
        stored, stored_bytes: objects under data/ and index/.
        objects, size_bytes: of everything.
    """

    has_format: bool = False
    lsns: array[int] = field(default_factory=lambda: array("Q"))
    checkpoints: list[CheckpointNames] = field(default_factory=list)
    owners: set[int] = field(default_factory=set)
    alive: set[int] = field(default_factory=set)
    stored: Names = field(default_factory=Names)
    stored_bytes: array[int] = field(default_factory=lambda: array("Q"))
    objects: int = 0
    size_bytes: int = 0

    @property
    def is_database(self) -> bool:
        """Whether there is anything that only a database has."""
        return self.has_format or bool(self.lsns or self.checkpoints or self.owners)

    def unreferenced(self, referenced: Names) -> tuple[int, int]:
        """How many objects under data/ and index/ are not among these names; their bytes."""
        lost = ~np.isin(self.stored.hashes(), referenced.hashes())
        return int(lost.sum()), int(np.array(self.stored_bytes, dtype=np.uint64)[lost].sum())


async def survey(store: ObjectStore, teller: Teller) -> Survey:
    """List everything. Tells of names that nobody but a stranger can have made."""
    found = Survey()
    listing = _Listing(found, teller)
    async for entry in store.list(""):
        listing.take(entry)
    async for entry in store.list(EPOCH_PREFIX):
        listing.owner(entry.name)
    found.checkpoints.sort(key=lambda names: (names.lsn, names.directory))
    listing.tell_of_strangers()
    teller.expect(found.objects, found.size_bytes)
    return found


class _Listing:
    """Sorts entries into a survey."""

    def __init__(self, found: Survey, teller: Teller) -> None:
        self._found = found
        self._teller = teller
        self._strangers: dict[str, tuple[str, int]] = {}  # first part -> first name, how many

    def take(self, entry: ObjectInfo) -> None:
        found, name = self._found, entry.name
        found.objects += 1
        found.size_bytes += entry.size_bytes
        if name == FORMAT:
            found.has_format = True
        elif name.startswith(LOG_PREFIX):
            self._log(name)
        elif name.startswith(CHECKPOINT_PREFIX):
            self._checkpoint(name)
        elif name.startswith(EPOCH_PREFIX):
            self._epoch(name)
        elif name.startswith((DATA_PREFIX, INDEX_PREFIX)):
            found.stored.add([name])
            found.stored_bytes.append(entry.size_bytes)
        else:
            self._stranger(name)

    def _log(self, name: str) -> None:
        try:
            lsn = log_lsn(name)
        except CorruptData:
            lsn = 0
        if 0 < lsn < 1 << 63 and log_name(lsn) == name:
            self._found.lsns.append(lsn)
        else:
            self._misnamed(Part.log, name, "nobody can open the database, which lists the log")

    def _checkpoint(self, name: str) -> None:
        directory, _, rest = name.rpartition("/")
        lsn = _checkpoint_lsn(directory)
        if lsn is None and rest == ROOT:
            self._misnamed(Part.checkpoint, name, "no primary can start, which lists these")
            return
        if lsn is None or (rest != ROOT and not rest.startswith("part-")):
            self._stranger(name)
            return
        known = self._found.checkpoints
        if not known or known[-1].directory != directory:
            known.append(CheckpointNames(lsn=lsn, directory=directory))
        if rest == ROOT:
            known[-1].has_root = True
        else:
            known[-1].parts.append(name)

    def _epoch(self, name: str) -> None:
        epoch = _epoch(name)
        if epoch is None and name.endswith("/owner"):
            self._misnamed(Part.epoch, name, "no primary can start, which lists these")
        elif epoch is not None and name == alive_name(epoch):
            self._found.alive.add(epoch)
        elif not self.owner(name):
            self._stranger(name)

    def owner(self, name: str) -> bool:
        """Whether it is the name of an epoch's owner, which is noted then; again is fine."""
        epoch = _epoch(name)
        if epoch is None or name != owner_name(epoch):
            return False
        self._found.owners.add(epoch)
        return True

    def _stranger(self, name: str) -> None:
        place = name.partition("/")[0]
        first, count = self._strangers.get(place, (name, 0))
        self._strangers[place] = first, count + 1

    def _misnamed(self, part: Part, name: str, why: str) -> None:
        self._teller.tell(
            Finding(
                severity=Severity.damage,
                part=part,
                object=name,
                expected="only names that Mobula writes",
                found=f"a name that it does not write: {why}",
                next_step="move the object away; nothing refers to it",
            )
        )

    def tell_of_strangers(self) -> None:
        """Objects that Mobula would not notice."""
        for name, count in self._strangers.values():
            self._teller.tell(
                Finding(
                    severity=Severity.note,
                    part=Part.other,
                    object=name,
                    expected="only names that Mobula writes",
                    found=f"{count} objects there with names that this version does not write",
                    next_step="none: nothing reads them; move them away if nobody needs them",
                )
            )


def _epoch(name: str) -> int | None:
    try:
        return epoch_of(name)
    except CorruptData:
        return None


def _checkpoint_lsn(directory: str) -> int | None:
    """The LSN in the name of a checkpoint's directory; None if it is not such a name."""
    try:
        lsn = checkpoint_lsn(directory)
    except CorruptData:
        return None
    unique_id = directory.partition("-")[2]
    return lsn if lsn >= 0 and checkpoint_directory(lsn, unique_id) == directory else None

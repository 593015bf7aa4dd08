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

from storage.log.packs import Pack
from storage.names import (
    ALIVE,
    CHECKPOINT_PREFIX,
    DATA_PREFIX,
    EPOCH_PREFIX,
    FORMAT,
    INDEX_PREFIX,
    PIN_PREFIX,
    checkpoint_lsn,
    epoch_of,
    is_checkpoint_directory,
    is_log_name,
    is_owner_name,
    log_lsn,
    pack_lsns,
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
        packs: of log objects, by their last LSN.
        checkpoints: by their LSN, ascending.
        owners, alive: epochs with such an object.
        stored, stored_bytes: objects under data/ and index/.
        objects, size_bytes: of everything.
    """

    has_format: bool = False
    lsns: array[int] = field(default_factory=lambda: array("Q"))
    packs: list[Pack] = field(default_factory=list)
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
        elif is_log_name(name):
            found.lsns.append(log_lsn(name))
        elif (lsns := pack_lsns(name)) is not None:
            pack = Pack(name=name, first_lsn=lsns[0], last_lsn=lsns[1], size_bytes=entry.size_bytes)
            found.packs.append(pack)
        elif name.startswith(PIN_PREFIX):
            pass  # a reader's, which comes and goes
        elif name.startswith(CHECKPOINT_PREFIX):
            self._checkpoint(name)
        elif name.startswith(EPOCH_PREFIX):
            self._epoch(name)
        elif name.startswith((DATA_PREFIX, INDEX_PREFIX)):
            found.stored.add([name])
            found.stored_bytes.append(entry.size_bytes)
        else:
            self._stranger(name)

    def _checkpoint(self, name: str) -> None:
        directory, _, rest = name.rpartition("/")
        is_part = rest == ROOT or rest.startswith("part-")
        if not (is_part and is_checkpoint_directory(directory)):
            self._stranger(name)
            return
        known = self._found.checkpoints
        if not known or known[-1].directory != directory:
            known.append(CheckpointNames(lsn=checkpoint_lsn(directory), directory=directory))
        if rest == ROOT:
            known[-1].has_root = True
        else:
            known[-1].parts.append(name)

    def _epoch(self, name: str) -> None:
        if name.endswith(f"/{ALIVE}") and is_owner_name(name.removesuffix(ALIVE) + "owner"):
            self._found.alive.add(epoch_of(name))
        elif not self.owner(name):
            self._stranger(name)

    def owner(self, name: str) -> bool:
        """Whether it is the name of an epoch's owner, which is noted then; again is fine."""
        if not is_owner_name(name):
            return False
        self._found.owners.add(epoch_of(name))
        return True

    def _stranger(self, name: str) -> None:
        place = name.partition("/")[0]
        first, count = self._strangers.get(place, (name, 0))
        self._strangers[place] = first, count + 1

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

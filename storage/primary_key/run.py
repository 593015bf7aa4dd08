"""A run: an immutable object of sorted entries, mapped into memory to be searched.

    offset  bytes               content
    0       16                  header: magic, kind, 4 bytes 0
    16      8 * n * width       n entries of `width` words, in the order of their keys
    ...     8                   a word of ones
    ...     4 * (2^bits + 1)    the directory
    ...     4                   0
    ...     48                  trailer: n, bits, bucket_max, file ids, checksum of header, trailer

All numbers are little-endian; `entries.py` says what the parts mean, and `docs/formats/index.md`
has every byte. Entries come first and all that is known only at the end last, so that a run of any
size is written in one pass.

Opening checks header, trailer and size. The checksum of the whole object, which the catalogue has,
is checked by `verify`, which reads everything: once, when the object has been fetched.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import xxhash

from storage.errors import CorruptData, InternalError, NewerFormat
from storage.objects.os_errors import os_errors
from storage.primary_key.arena import Arena
from storage.primary_key.entries import BITS_MAX, NO_FILES, Entries, width_of
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, ROW_BITS
from storage.primary_key.words import Words

__all__ = ["HEADER_BYTES", "PADDING", "Run", "Trailer", "header", "mapped_run", "open_run"]

MAGIC = b"MOBIDX01"
PADDING = bytes(4)  # the directory has an odd number of 4-byte numbers
HEADER_BYTES = 16
_HEADER = struct.Struct("<8sII")
_TRAILER = struct.Struct("<QIIqq16s")
_WORD_BYTES = 8
_HASH_BYTES = 8 << 20


class Trailer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run at its end.

    Attributes:
        count: entries.
        bits, bucket_max, file_ids: as in `Entries`.
    """

    count: int
    bits: int
    bucket_max: int
    file_ids: tuple[int, int]

    def encode(self, exact: bool) -> bytes:
        """The trailer's bytes; its checksum covers the run's header too."""
        plain = _TRAILER.pack(self.count, self.bits, self.bucket_max, *self.file_ids, bytes(16))
        return plain[:-16] + xxhash.xxh3_128_digest(header(exact) + plain[:-16])

    def size_bytes(self, exact: bool) -> int:
        """The size of the whole run."""
        words = self.count * width_of(exact) + 1
        directory = 4 * ((1 << self.bits) + 1) + len(PADDING)
        return HEADER_BYTES + _WORD_BYTES * words + directory + _TRAILER.size


def header(exact: bool) -> bytes:
    """The first bytes of a run."""
    return _HEADER.pack(MAGIC, 0 if exact else 1, 0)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Run:
    """A run that is open.

    Attributes:
        name: of the object, for messages.
        first_file_id: added to the file ids of its entries.
        mapping: the file in memory; None if the entries are in memory of their own. It is closed
            when the run and all arrays of its entries are gone.
        start, length: where the run is in the mapping, in bytes; it begins with a page.
        arena, slot: where it lies side by side with others, and which of these it is (`arena.py`).
    """

    name: str
    entries: Entries
    first_file_id: int = 0
    mapping: mmap.mmap | None = None
    start: int = 0
    length: int = 0
    arena: Arena | None = None
    slot: int = 0

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def size_bytes(self) -> int:
        return self.entries.words.nbytes + self.entries.directory.nbytes

    @property
    def file_ids(self) -> tuple[int, int]:
        """The least and the greatest file id of its locations; NO_FILES if it is empty."""
        least, most = self.entries.file_ids
        if (least, most) == NO_FILES:
            return NO_FILES
        return least + self.first_file_id, most + self.first_file_id

    def find(self, keys: Keys) -> Words:
        """The locations of keys, MISSING where it has none; shape (len(keys),)."""
        return self.moved(self.entries.find(keys))

    def moved(self, locations: Words) -> Words:
        """Locations as the entries have them, with `first_file_id` added; MISSING stays."""
        if not self.first_file_id:
            return locations
        offset = np.uint64(self.first_file_id << ROW_BITS)
        return np.where(locations == MISSING, MISSING, locations + offset)

    def release(self, entry_count: int | None = None) -> None:
        """Let the process forget the pages of the first entries, or of the whole run.

        They stay in the cache of the operating system, and come back when they are read.
        """
        if self.mapping is None:
            return
        if entry_count is None:
            self.mapping.madvise(mmap.MADV_DONTNEED, self.start, self.length)
            return
        end = HEADER_BYTES + entry_count * self.entries.width * _WORD_BYTES
        if whole_pages := end // mmap.PAGESIZE * mmap.PAGESIZE:
            self.mapping.madvise(mmap.MADV_DONTNEED, self.start, whole_pages)

    def content(self) -> memoryview:
        """All bytes of its object. Raises InternalError: it is not mapped."""
        if self.mapping is None:
            raise InternalError(f"{self.name}: not a file")
        return memoryview(self.mapping)[self.start : self.start + self.length]

    def verify(self, checksum: str) -> None:
        """Check all bytes. Raises CorruptData, naming the run, if this is not their checksum."""
        digest = xxhash.xxh3_128()
        with self.content() as data:
            for start in range(0, len(data), _HASH_BYTES):
                with data[start : start + _HASH_BYTES] as part:
                    digest.update(part)
        self.release()
        if digest.hexdigest() != checksum:
            raise CorruptData(
                f"{self.name}: has checksum {digest.hexdigest()}, expected {checksum}"
            )


def open_run(path: Path, name: str | None = None, *, first_file_id: int = 0) -> Run:
    """Map a run into memory; the file may be removed as soon as it is open.

    Args:
        name: of the object, for messages; the path if None.
        first_file_id: added to the file ids of its entries.
    Raises:
        CorruptData: header, trailer or size are not those of a run; names it.
        InvalidRequest, Unavailable: the file cannot be read.
    """
    source = name or str(path)
    with os_errors(f"index run {source}"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(descriptor).st_size
            if size < HEADER_BYTES + _TRAILER.size:
                raise CorruptData(f"{source}: {size} bytes are too few; the run is truncated")
            mapping = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
    exact = _exact(mapping[:HEADER_BYTES], source)
    trailer = _trailer(mapping[-_TRAILER.size :], exact, source)
    if size != trailer.size_bytes(exact):
        expected = trailer.size_bytes(exact)
        raise CorruptData(f"{source}: {size} bytes, expected {expected} for {trailer.count} keys")
    entries = _entries(mapping, trailer, exact, source)
    return Run(source, entries, first_file_id, mapping, length=size)


def mapped_run(mapping: mmap.mmap, run: Run, *, start: int, arena: Arena, slot: int) -> Run:
    """The same run, where its bytes are also. Args: as in `Run`."""
    known = run.entries
    trailer = Trailer(
        count=len(known), bits=known.bits, bucket_max=known.bucket_max, file_ids=known.file_ids
    )
    entries = _entries(mapping, trailer, known.exact, run.name, start)
    return Run(
        run.name, entries, run.first_file_id, mapping, start, run.length, arena=arena, slot=slot
    )


def _exact(data: bytes, source: str) -> bool:
    magic, kind, reserved = _HEADER.unpack(data)
    if magic[:6] == MAGIC[:6] and magic != MAGIC:
        raise NewerFormat(
            f"{source}: format {magic[6:].decode('ascii', 'replace')} is newer than this version's "
            f"{MAGIC[6:].decode()}"
        )
    if magic != MAGIC or kind not in (0, 1) or reserved:
        raise CorruptData(f"{source}: starts with {data!r}, which is not the header of a run")
    return bool(kind == 0)


def _trailer(data: bytes, exact: bool, source: str) -> Trailer:
    count, bits, bucket_max, least, most, digest = _TRAILER.unpack(data)
    found = xxhash.xxh3_128_digest(header(exact) + data[:-16])
    if found != digest:
        raise CorruptData(
            f"{source}: the trailer's checksum is {found.hex()}, expected {digest.hex()}"
        )
    if not 1 <= bits <= BITS_MAX:
        raise CorruptData(f"{source}: a directory of {bits} bits, expected 1 to {BITS_MAX}")
    return Trailer(count=count, bits=bits, bucket_max=bucket_max, file_ids=(least, most))


def _entries(
    mapping: mmap.mmap, trailer: Trailer, exact: bool, source: str, start: int = 0
) -> Entries:
    width = width_of(exact)
    word_count = trailer.count * width + 1
    words = np.frombuffer(mapping, "<u8", word_count, start + HEADER_BYTES)
    at = start + HEADER_BYTES + word_count * _WORD_BYTES
    directory = np.frombuffer(mapping, "<u4", (1 << trailer.bits) + 1, at)
    if words[-1] != MISSING or directory[0] != 0 or directory[-1] != trailer.count:
        raise CorruptData(f"{source}: the directory does not speak of {trailer.count} keys")
    return Entries(words, width, directory, trailer.bucket_max, trailer.file_ids)

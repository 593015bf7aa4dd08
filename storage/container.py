"""The envelope of every binary object of ours: a checked header, then checked sections.

    offset  bytes  content
    0       8      magic, names the kind of object and its format version
    8       4      length n of the header, unsigned little-endian
    12      16     xxh3-128 of the header bytes, big-endian
    28      n      header, MessagePack
    28+n    ...    sections, back to back

The header lists its sections with offset (from 28+n), length and xxh3-128, so the header's checksum
covers the whole object, and a reader may fetch and verify the header and single sections alone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec
import xxhash
import zstandard

from storage.errors import CorruptData, NewerFormat

__all__ = [
    "PREAMBLE_BYTES",
    "Section",
    "checksum",
    "header_length",
    "open_header",
    "pack",
    "read_section",
]

_PREAMBLE = struct.Struct("<8sI16s")
PREAMBLE_BYTES = _PREAMBLE.size
_COMPRESSION_LEVEL = 1  # groups wait for this on the commit path
_SECTION_BYTES_MAX = 2**31  # no section decompresses to more


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a section lies, behind the header. `key` is what the header's kind says it is."""

    key: int
    offset: int
    length: int
    checksum: str


class Header(Protocol):
    """A header type lists its sections."""

    @property
    def sections(self) -> tuple[Section, ...]: ...


H = TypeVar("H", bound=Header)


def checksum(data: bytes | memoryview) -> str:
    """xxh3-128 as 32 hexadecimal characters."""
    return xxhash.xxh3_128_hexdigest(data)


def pack(
    magic: bytes,
    sections: Sequence[tuple[int, bytes]],
    make_header: Callable[[tuple[Section, ...]], Header],
) -> tuple[bytes, str]:
    """Build an object; sections are compressed here.

    Args:
        magic: 8 bytes.
        sections: (key, plain bytes).
        make_header: called with the finished section table.
    Returns:
        the object's bytes and the checksum of its header.
    """
    compressor = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL)
    entries, bodies, offset = [], [], 0
    for key, plain in sections:
        body = compressor.compress(plain)
        entries.append(Section(key=key, offset=offset, length=len(body), checksum=checksum(body)))
        bodies.append(body)
        offset += len(body)
    header = msgspec.msgpack.encode(make_header(tuple(entries)))
    digest = checksum(header)
    preamble = _PREAMBLE.pack(magic, len(header), bytes.fromhex(digest))
    return b"".join([preamble, header, *bodies]), digest


def header_length(data: bytes, magic: bytes, name: str) -> int:
    """Bytes of the header, from an object's first 28. Raises CorruptData naming the object."""
    if len(data) < PREAMBLE_BYTES:
        raise CorruptData(f"{name}: {len(data)} bytes are too few; the object is truncated")
    found, length, _ = _PREAMBLE.unpack_from(data)
    if found[:6] == magic[:6] and found != magic:
        raise NewerFormat(
            f"{name}: format {found[6:].decode('ascii', 'replace')} is newer than this version's "
            f"{magic[6:].decode()}"
        )
    if found != magic:
        raise CorruptData(f"{name}: starts with {found!r}, expected {magic!r}")
    return int(length)


def open_header(data: bytes, magic: bytes, kind: type[H], name: str) -> tuple[H, str]:
    """Check and decode the header of an object, or of its beginning.

    Returns:
        the header and its checksum.
    Raises:
        CorruptData: naming the object: wrong magic, truncated, wrong checksum, does not decode.
    """
    length = header_length(data, magic, name)
    raw = data[PREAMBLE_BYTES : PREAMBLE_BYTES + length]
    digest = checksum(raw)
    expected = _PREAMBLE.unpack_from(data)[2].hex()
    if len(raw) < length or digest != expected:
        raise CorruptData(f"{name}: the header's checksum is {digest}, expected {expected}")
    try:
        return msgspec.msgpack.decode(raw, type=kind), digest
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptData(f"{name}: the header does not decode: {error}") from error


def read_section(data: bytes, magic: bytes, section: Section, name: str) -> bytes:
    """Check and decompress one section of a whole object. Raises CorruptData."""
    start = PREAMBLE_BYTES + header_length(data, magic, name) + section.offset
    body = memoryview(data)[start : start + section.length]
    digest = checksum(body)
    if digest != section.checksum:
        raise CorruptData(
            f"{name}: section {section.key} has checksum {digest}, expected {section.checksum}"
        )
    try:
        size = zstandard.frame_content_size(body)
        if not 0 <= size <= _SECTION_BYTES_MAX:
            raise CorruptData(f"{name}: section {section.key} claims a size of {size} bytes")
        return zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise CorruptData(f"{name}: section {section.key} does not decompress: {error}") from error

"""A group as one log object, and back (`docs/formats/log.md`).

The header says who wrote it, where it stands in the chain, and which transactions it holds; the
body has one section per changed table and one (key 0) for the catalogue. Each object names the
checksum of the one before it, so a reader notices a missing, foreign or altered object.

Within a group the catalogue's changes come first, then the tables'. A table that is dropped in the
same group has no section.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from storage.container import Section, open_header, pack, read_section
from storage.errors import CorruptData
from storage.snapshot.changes import (
    CatalogueChange,
    TableChange,
    decode_catalogue_changes,
    decode_table_changes,
    encode_changes,
)

__all__ = [
    "CATALOGUE_KEY",
    "MAGIC",
    "Group",
    "GroupHeader",
    "OperationRecord",
    "TransactionRecord",
    "decode",
    "decode_header",
    "encode",
]

MAGIC = b"MOBLOG01"
CATALOGUE_KEY = 0  # the section key of the catalogue; tables use their id, from 2


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the header."""


class OperationRecord(_Value, frozen=True):
    """What one operation of a transaction did. `table_id` 0: the catalogue."""

    kind: str
    table_id: int
    row_count: int


class TransactionRecord(_Value, frozen=True):
    """Who did what; the token's writer and sequence where the client gave one."""

    user: str
    operations: tuple[OperationRecord, ...]
    token_writer: str | None = None
    token_sequence: int | None = None


class GroupHeader(_Value, frozen=True):
    """Everything about a group but its changes. `previous` is the checksum of group `lsn` - 1,
    empty for the first. A fence is a group without transactions."""

    database_id: str
    branch_id: str
    lsn: int
    tso: int
    epoch: int
    writer_id: str
    nonce: str
    previous: str
    transactions: tuple[TransactionRecord, ...]
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A decoded log object; `checksum` is what the next group must name."""

    header: GroupHeader
    catalogue: tuple[CatalogueChange, ...] = ()
    tables: Mapping[int, tuple[TableChange, ...]] = field(default_factory=dict)
    checksum: str = ""
    size_bytes: int = 0


def encode(group: Group) -> bytes:
    """The exact bytes of a group; `header.sections`, `checksum` and `size_bytes` are derived."""
    sections = []
    if group.catalogue:
        sections.append((CATALOGUE_KEY, encode_changes(group.catalogue)))
    sections += [(table_id, encode_changes(c)) for table_id, c in sorted(group.tables.items())]
    data, _ = pack(
        MAGIC,
        sections,
        lambda table: msgspec.structs.replace(group.header, sections=table),
    )
    return data


def decode_header(data: bytes, name: str) -> GroupHeader:
    """The header alone, from an object or a beginning of it that holds all of the header."""
    return open_header(data, MAGIC, GroupHeader, name)[0]


def decode(data: bytes, name: str) -> Group:
    """A whole log object. Raises CorruptData naming it."""
    header, digest = open_header(data, MAGIC, GroupHeader, name)
    catalogue: tuple[CatalogueChange, ...] = ()
    tables: dict[int, tuple[TableChange, ...]] = {}
    for section in header.sections:
        plain = read_section(data, MAGIC, section, name)
        if section.key in tables or (section.key == CATALOGUE_KEY and catalogue):
            raise CorruptData(f"{name}: there are two sections of key {section.key}")
        if section.key == CATALOGUE_KEY:
            catalogue = decode_catalogue_changes(plain, name)
        else:
            tables[section.key] = decode_table_changes(plain, name)
    return Group(
        header=header, catalogue=catalogue, tables=tables, checksum=digest, size_bytes=len(data)
    )

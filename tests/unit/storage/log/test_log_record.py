"""Log objects: bytes that round-trip, and damage that is always noticed and named."""

from __future__ import annotations

import dataclasses
import random

import msgspec
import pytest

from storage.errors import CorruptData
from storage.log.record import (
    MAGIC,
    Group,
    GroupHeader,
    OperationRecord,
    TransactionRecord,
    decode,
    decode_header,
    encode,
)
from storage.names import log_name
from storage.schema import Column, DecimalType
from storage.snapshot import changes as c
from storage.snapshot.apply import apply
from storage.snapshot.model import Snapshot

NAME = log_name(1)


def group(**header: object) -> Group:
    fields: dict[str, object] = {
        "database_id": "d",
        "branch_id": "main",
        "lsn": 1,
        "tso": 7 << 18,
        "epoch": 1,
        "writer_id": "w",
        "nonce": "n",
        "previous": "",
        "transactions": (
            TransactionRecord(
                user="u",
                operations=(OperationRecord(kind="append", table_id=2, row_count=3),),
                token_writer="t",
                token_sequence=9,
            ),
        ),
    }
    return Group(
        header=GroupHeader(**(fields | header)),  # type: ignore[arg-type]
        catalogue=(
            c.ChangeSetting(name="a", value="b"),
            c.CreateSchema(id=2, name="s"),
        ),
        tables={
            5: (c.AddRows(delta_id=1, schema_version=1, row_count=3, rows=b"rows" * 100),),
            9: (c.RemoveFiles(file_ids=(1, 2)),),
        },
    )


def test_group_round_trips() -> None:
    original = group()
    found = decode(encode(original), NAME)
    assert found.catalogue == original.catalogue
    assert found.tables == original.tables
    assert found.header.transactions == original.header.transactions
    assert [s.key for s in found.header.sections] == [0, 5, 9]
    assert found.size_bytes == len(encode(original))


def test_encoding_is_deterministic() -> None:
    assert encode(group()) == encode(group())


def test_header_is_read_without_the_body() -> None:
    data = encode(group())
    assert decode_header(data[:700], NAME).lsn == 1


def test_every_flipped_bit_is_noticed() -> None:
    data = encode(group())
    source = random.Random(7)
    for _ in range(300):
        position, bit = source.randrange(len(data)), 1 << source.randrange(8)
        damaged = bytearray(data)
        damaged[position] ^= bit
        with pytest.raises(CorruptData, match=NAME):
            decode(bytes(damaged), NAME)


@pytest.mark.parametrize("length", [0, 1, 27, 28, 100, -1])
def test_every_truncation_is_noticed(length: int) -> None:
    with pytest.raises(CorruptData, match=NAME):
        decode(encode(group())[:length], NAME)


def test_newer_format_says_upgrade() -> None:
    data = b"MOBLOG02" + encode(group())[8:]
    with pytest.raises(CorruptData, match="upgrade"):
        decode(data, NAME)


def test_foreign_object_is_refused() -> None:
    with pytest.raises(CorruptData, match="expected b'MOBLOG01'"):
        decode(b"PAR1" + b"x" * 100, NAME)
    assert len(MAGIC) == 8


def test_unknown_record_is_refused_never_skipped() -> None:
    unknown = msgspec.msgpack.encode([{"type": "drop_everything.1", "id": 1}])
    with pytest.raises(CorruptData, match=NAME):
        c.decode_table_changes(unknown, NAME)
    with pytest.raises(CorruptData, match=NAME):
        c.decode_catalogue_changes(unknown, NAME)


def test_unknown_field_of_a_record_is_refused() -> None:
    more = msgspec.msgpack.encode([{"type": "remove_files.1", "file_ids": [1], "when": 3}])
    with pytest.raises(CorruptData, match="when"):
        c.decode_table_changes(more, NAME)


def test_every_record_has_its_own_versioned_tag() -> None:
    records = (*c.CatalogueChange.__args__, *c.TableChange.__args__)  # type: ignore[attr-defined]
    tags = [record.__struct_config__.tag for record in records]
    assert len(set(tags)) == len(tags)
    assert all(tag.rpartition(".")[2].isdigit() for tag in tags)


def test_a_value_of_an_older_version_lacks_what_came_later() -> None:
    column = {"id": 1, "name": "a", "type": {"type": "scalar", "kind": "BIGINT"}, "nullable": True}
    table = {
        "id": 2,
        "schema_id": 1,
        "name": "t",
        "schema": {"version": 1, "columns": [column]},
        "cluster_by": None,
        "options": {},
    }
    sequence = {"id": 3, "schema_id": 1, "name": "q", "start": 1, "increment": 1}
    older = [
        {"type": "create_table.1", "table": table},
        {"type": "create_sequence.1", **sequence},
    ]
    made, numbered = c.decode_catalogue_changes(msgspec.msgpack.encode(older), NAME)
    assert isinstance(made, c.CreateTable)
    assert (made.table.checks, made.table.comment, made.table.column_comments) == ((), None, {})
    found = made.table.schema.columns[0]
    assert (found.default, found.identity) == (None, None)
    assert isinstance(numbered, c.CreateSequence)
    assert (numbered.low, numbered.high) == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("database_id", "other", "database"),
        ("branch_id", "other", "branch"),
        ("lsn", 2, "LSN"),
        ("previous", "x", "checksum of the group before"),
        ("tso", 0, "TSO"),
        ("epoch", -1, "epoch"),
    ],
)
def test_group_that_does_not_continue_the_chain_is_refused(
    field: str, value: object, named: str
) -> None:
    wrong = dataclasses.replace(group(**{field: value}), catalogue=(), tables={})
    with pytest.raises(CorruptData, match=named):
        apply(Snapshot(database_id="d", branch_id="main"), decode(encode(wrong), NAME))


def test_change_of_an_unknown_table_is_corrupt_and_names_the_object() -> None:
    lost = dataclasses.replace(
        group(),
        catalogue=(
            c.AddColumn(table_id=77, column=Column(id=1, name="x", type=DecimalType(5, 2))),
        ),
        tables={},
    )
    with pytest.raises(CorruptData, match=NAME):
        apply(Snapshot(database_id="d", branch_id="main"), decode(encode(lost), NAME))

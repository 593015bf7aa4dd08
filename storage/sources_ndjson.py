"""NDJSON files, one JSON object per line, as columns of strings.

A value becomes the text that SQL's input functions read: a string its characters, a number and a
Boolean what is written, an object or array its JSON, null and an absent key NULL. Numbers are never
read as floats on the way, so DECIMAL stays exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.sources_infer import SAMPLE_BYTES
from storage.sources_text import BLOCK_BYTES, TextBatch, bad_file, blocks

__all__ = ["ndjson_batches", "ndjson_count", "ndjson_kinds"]

_BLOCK = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ABSENT = msgspec.Raw(b"null")


def ndjson_batches(
    stream: BinaryIO,
    url: str,
    names: Sequence[str],
    known: frozenset[str] | None,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[TextBatch]:
    """The rows of a file.

    Args:
        names: the keys to return, as columns.
        known: all keys that may occur; None: any.
    Raises:
        InvalidRequest: a line is no JSON object (22P02), or has another key (22P04).
    """
    rows_before, line = 0, 1
    for block, _ in blocks(stream, url, _end, block_bytes):
        rows = _objects(block, url, line)
        if known is not None:
            _check_keys(rows, known, block, url, line)
        arrays = [_texts([row.get(name, _ABSENT) for row in rows]) for name in names]
        table = pa.Table.from_arrays(arrays, names=list(names))
        yield TextBatch(rows=table, first_row=rows_before, line_of=_Lines(block, line))
        rows_before += len(rows)
        line += block.count(b"\n")


def ndjson_count(stream: BinaryIO, url: str) -> int:
    """The rows of a file: its lines that are not blank."""
    return sum(
        sum(1 for line in block.split(b"\n") if line.strip())
        for block, _ in blocks(stream, url, _end)
    )


def ndjson_kinds(stream: BinaryIO, url: str) -> dict[str, tuple[set[str], list[str]]]:
    """What the file's first rows hold: per key, in order of appearance, the kinds of its values
    ("string", "number", "boolean", "nested") and the texts of its strings and numbers.

    Raises InvalidRequest (22P02) as `ndjson_batches`.
    """
    found: dict[str, tuple[set[str], list[str]]] = {}
    for block, _ in blocks(stream, url, _end, SAMPLE_BYTES):
        for row in _objects(block, url, 1):
            for key, raw in row.items():
                kinds, texts = found.setdefault(key, (set(), []))
                value = bytes(raw)
                if value == b"null":
                    continue
                kind = _kind(value[:1])
                kinds.add(kind)
                if kind == "string":
                    texts.append(msgspec.json.decode(value))
                elif kind == "number":
                    texts.append(value.decode())
        break
    return found


def _kind(start: bytes) -> str:
    match start:
        case b'"':
            return "string"
        case b"{" | b"[":
            return "nested"
        case b"t" | b"f":
            return "boolean"
        case _:
            return "number"


class _Lines:
    """Where the rows of a block begin."""

    def __init__(self, block: bytes, first_line: int) -> None:
        self._block = block
        self._first_line = first_line

    def __call__(self, row: int) -> int:
        lines = enumerate(self._block.split(b"\n"), self._first_line)
        numbers = [number for number, line in lines if line.strip()]
        return numbers[min(row, len(numbers) - 1)]


def _end(data: bytes, final: bool) -> int:
    return data.rfind(b"\n") + 1


def _objects(block: bytes, url: str, first_line: int) -> list[dict[str, msgspec.Raw]]:
    """The objects of a block; exactly one in every line that is not blank."""
    try:
        rows = _BLOCK.decode_lines(block)
    except msgspec.MsgspecError:
        rows = []
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    if rows and len(rows) == lines:
        return rows
    rows = []
    for number, line in enumerate(block.split(b"\n"), first_line):
        if not line.strip():
            continue
        try:
            rows.append(_BLOCK.decode(line))
        except msgspec.MsgspecError as error:
            message = f"invalid input syntax for type json: {error}; each line holds one object"
            raise bad_file(url, number, message, "22P02") from None
    return rows


def _check_keys(
    rows: list[dict[str, msgspec.Raw]],
    known: frozenset[str],
    block: bytes,
    url: str,
    first_line: int,
) -> None:
    if all(row.keys() <= known for row in rows):
        return
    position, row = next((i, row) for i, row in enumerate(rows) if not row.keys() <= known)
    key = next(key for key in row if key not in known)
    line = _Lines(block, first_line)(position)
    raise bad_file(url, line, f'the key "{key}" is none of the columns {", ".join(sorted(known))}')


def _texts(values: list[msgspec.Raw]) -> pa.Array:
    """JSON values as texts."""
    views = [memoryview(value) for value in values]
    lengths = np.fromiter((view.nbytes for view in views), np.int64, len(views))
    offsets = np.zeros(len(views) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    written = pa.LargeStringArray.from_buffers(
        len(views), pa.py_buffer(offsets), pa.py_buffer(b"".join(views))
    )
    written = pc.if_else(pc.equal(written, "null"), None, written)
    quoted = pc.starts_with(written, '"')
    if not pc.any(quoted).as_py():
        return written
    plain = pc.utf8_slice_codeunits(written, 1, -1)
    found = pc.if_else(quoted, plain, written)
    escaped = pc.and_(quoted, pc.match_substring(written, "\\"))
    if not pc.any(escaped).as_py():
        return found
    decoded = [msgspec.json.decode(text) for text in pc.filter(written, escaped).to_pylist()]
    return pc.replace_with_mask(found, pc.fill_null(escaped, False), pa.array(decoded, found.type))

"""CSV as PostgreSQL reads it. The expected rows and SQLSTATEs are PostgreSQL 16's own answers to
`COPY t FROM STDIN (FORMAT csv, …)`; differences on purpose stand apart below."""

from __future__ import annotations

import csv
import io
import random
from typing import Any

import pytest

from storage.errors import InvalidRequest
from storage.sources_csv import csv_batches, csv_count, csv_names
from storage.sources_format import SourceFormat
from storage.sources_text import first_failure

Rows = list[list[str | None]]
OK: list[tuple[bytes, int, dict[str, Any], Rows]] = [
    (b"1\n\n3\n", 1, {}, [["1"], [None], ["3"]]),
    (b'a"b,c"d,2\n', 2, {}, [["ab,cd", "2"]]),
    (b'"a"b,2\n', 2, {}, [["ab", "2"]]),
    (b'"a""b",2\n', 2, {}, [['a"b', "2"]]),
    (b'""""\n', 1, {}, [['"']]),
    (b"1,2\r\n3,4\r\n", 2, {}, [["1", "2"], ["3", "4"]]),
    (b"1,2\r3,4\r", 2, {}, [["1", "2"], ["3", "4"]]),
    (b'"a\\"b",1\n', 2, {"escape": "\\"}, [['a"b', "1"]]),
    (b'"a\\\\b\\n",1\n', 2, {"escape": "\\"}, [["a\\b\\n", "1"]]),
    (b'"a""b",1\n', 2, {"escape": "\\"}, [["ab", "1"]]),
    (b'NA,"NA"\n', 2, {"null": "NA"}, [[None, "NA"]]),
    (b'"",\n', 2, {}, [["", None]]),
    (b' "a" , b \n', 2, {}, [[" a ", " b "]]),
    (b"1,2", 2, {}, [["1", "2"]]),
    (b"", 2, {}, []),
    (b"a,b\n1,2\n", 2, {"header": True, "match": True}, [["1", "2"]]),
    (b'a,"b"\n1,2\n', 2, {"header": True}, [["1", "2"]]),
    (b'"x\r\ny",2\n3,4\n', 2, {}, [["x\r\ny", "2"], ["3", "4"]]),
]
BAD: list[tuple[bytes, int, dict[str, Any], str, str]] = [
    (b"1,2\n\n3,4\n", 2, {}, "22P04", 'line 2: missing data for column "b"'),
    (b"1,2\n3,4\n\n", 2, {}, "22P04", 'line 3: missing data for column "b"'),
    (b"1,2\n3\r,4\n", 2, {}, "22P04", "line 2: unquoted carriage return found in data"),
    (b"1,2\r3\n,4\r", 2, {}, "22P04", "line 2: unquoted newline found in data"),
    (b'1,"2\n', 2, {}, "22P04", "line 1: unterminated CSV quoted field"),
    (b"1\n", 2, {}, "22P04", 'line 1: missing data for column "b"'),
    (b"1,2,3\n", 2, {}, "22P04", "line 1: extra data after last expected column"),
    (b'"a\nb",1\nx,y,z\n', 2, {}, "22P04", "line 3: extra data after last expected column"),
    (b'\\"a,1\n', 2, {"escape": "\\"}, "22P04", "line 1: unterminated CSV quoted field"),
    (b"1,2\n\xff,2\n", 2, {}, "22021", 'line 2: invalid byte sequence for encoding "UTF8": 0xff'),
    (b"a\0b,2\n", 2, {}, "22021", 'line 1: invalid byte sequence for encoding "UTF8": 0x00'),
    (
        b"a,x\n1,2\n",
        2,
        {"header": True, "match": True},
        "22P04",
        "column name mismatch in header line field 2",
    ),
    (
        b"a\n1,2\n",
        2,
        {"header": True, "match": True},
        "22P04",
        "wrong number of fields in header line: got 1, expected 2",
    ),
]
NAMES = ["a", "b"]


def read(data: bytes, width: int, options: dict[str, Any], block_bytes: int) -> Rows:
    form = SourceFormat(kind="csv", skip_blank=options.pop("skip_blank", False), **options)
    found: Rows = []
    for batch in csv_batches(io.BytesIO(data), "f", form, NAMES[:width], block_bytes=block_bytes):
        assert batch.first_row == len(found)
        found += [list(row.values()) for row in batch.rows.to_pylist()]
    return found


@pytest.mark.parametrize("block_bytes", [3, 1 << 20])
@pytest.mark.parametrize(("data", "width", "options", "expected"), OK)
def test_rows_are_postgresqls(
    data: bytes, width: int, options: dict[str, Any], expected: Rows, block_bytes: int
) -> None:
    assert read(data, width, dict(options), block_bytes) == expected


@pytest.mark.parametrize("block_bytes", [3, 1 << 20])
@pytest.mark.parametrize("case", BAD)
def test_errors_are_postgresqls_with_file_and_line(
    case: tuple[bytes, int, dict[str, Any], str, str], block_bytes: int
) -> None:
    data, width, options, sqlstate, message = case
    with pytest.raises(InvalidRequest) as caught:
        read(data, width, dict(options), block_bytes)
    assert caught.value.sqlstate == sqlstate
    assert str(caught.value).startswith("f, line ")
    assert message in str(caught.value)


def test_differences_on_purpose() -> None:
    """Line ends may be mixed, a byte order mark is no text, and `\\.` ends nothing."""
    assert read(b"1,2\n3,4\r\n", 2, {}, 64) == [["1", "2"], ["3", "4"]]
    assert read(b"\xef\xbb\xbf1,2\n", 2, {}, 64) == [["1", "2"]]
    assert read(b"\\.\n1\n", 1, {}, 64) == [["\\."], ["1"]]


def test_blank_lines_are_skipped_where_that_is_asked_for() -> None:
    data = b'\n1,2\n\n\n3,"\n4"\n\n'
    for block_bytes in (3, 1 << 20):
        expected = [["1", "2"], ["3", "\n4"]]
        assert read(data, 2, {"skip_blank": True}, block_bytes) == expected
    assert read(b"1\n\n2\n", 1, {"skip_blank": True}, 64) == [["1"], [None], ["2"]]


def test_names_counts_lines_and_chosen_columns() -> None:
    data = b'x,"y\nz"\n1,2\n"3\n",4\n5,6\n'
    header = SourceFormat(kind="csv", header=True)
    plain = SourceFormat(kind="csv")
    assert csv_names(io.BytesIO(data), "f", header) == ["x", "y\nz"]
    assert csv_names(io.BytesIO(data), "f", plain) == ["column1", "column2"]
    assert csv_names(io.BytesIO(b""), "f", plain) == []
    assert csv_count(io.BytesIO(data), "f", header) == 3
    (batch,) = csv_batches(io.BytesIO(data), "f", header, None, wanted=[1])
    assert batch.rows.to_pydict() == {"y\nz": ["2", "4", "6"]}
    assert [batch.line_of(row) for row in range(3)] == [3, 4, 6]


@pytest.mark.parametrize("seed", [20261120])
def test_random_files_read_as_they_were_written(seed: int) -> None:
    choice = random.Random(seed)
    alphabet = ["a", "é", '"', ",", "\n", "\r\n", " ", "", "\\"]
    for _ in range(60):
        width = choice.randint(1, 2)
        rows = [
            ["".join(choice.choices(alphabet, k=choice.randint(0, 6))) for _ in range(width)]
            for _ in range(choice.randint(0, 12))
        ]
        written = io.StringIO(newline="")
        csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        data = written.getvalue().encode()
        for block_bytes in (1, 7, 1 << 20):
            assert read(data, width, {}, block_bytes) == rows


def test_options_that_make_no_sense_are_refused_as_postgresql_does() -> None:
    for options, message in (
        ({"delimiter": ";;"}, "delimiter must be a single one-byte character"),
        ({"quote": "é"}, "quote must be a single one-byte character"),
        ({"delimiter": '"'}, "delimiter and quote must be different"),
        ({"delimiter": "\n"}, "delimiter cannot be newline"),
        ({"null": "a,b"}, "must not appear in the NULL specification"),
        ({"null": 'a"b'}, "must not appear in the NULL specification"),
        ({"null": "\n"}, "null representation cannot use newline"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            SourceFormat(kind="csv", **options)
    with pytest.raises(InvalidRequest, match='format "xml" not recognized'):
        SourceFormat(kind="xml")


def test_the_first_failure_is_found_in_few_attempts() -> None:
    attempts = 0

    def attempt(start: int, length: int) -> None:
        nonlocal attempts
        attempts += 1
        if start <= 700 < start + length:
            raise InvalidRequest("here")

    found = first_failure(1000, attempt)
    assert found is not None
    assert found[0] == 700
    assert attempts < 15
    assert first_failure(700, attempt) is None

"""NDJSON as texts, and types guessed from first rows."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

from storage.errors import InvalidRequest
from storage.schema import Kind
from storage.sources_infer import joined, kind_of_texts
from storage.sources_ndjson import ndjson_batches, ndjson_count, ndjson_kinds


def test_values_become_the_texts_that_sql_reads() -> None:
    data = (
        b'{"a":1,"b":"x\\n\xc3\xa9"}\n\n{"a":null,"c":[1, 2]}\r\n'
        b'{"a":12345678901234567890.10,"b":""}\n{"b":"null","a":true}'
    )
    for block_bytes in (3, 1 << 20):
        batches = list(
            ndjson_batches(io.BytesIO(data), "f", ["a", "b", "c"], None, block_bytes=block_bytes)
        )
        rows = [row for batch in batches for row in batch.rows.to_pylist()]
        assert rows == [
            {"a": "1", "b": "x\né", "c": None},
            {"a": None, "b": None, "c": "[1, 2]"},
            {"a": "12345678901234567890.10", "b": "", "c": None},
            {"a": "true", "b": "null", "c": None},
        ]
        lines = [b.line_of(row) for b in batches for row in range(b.rows.num_rows)]
        assert lines == [1, 3, 4, 5]
    assert ndjson_count(io.BytesIO(data), "f") == 4


def test_what_is_wrong_is_named_with_its_line() -> None:
    for data, sqlstate, message in (
        (b'{"a":1}\n[1]\n', "22P02", "f, line 2: invalid input syntax for type json"),
        (b'{"a":1} {"a":2}\n{"a":3}\n', "22P02", "f, line 1: invalid input syntax"),
        (b'{"a":\n1}\n', "22P02", "f, line 1"),
        (b'\n{"a":1}\n{"d":3}\n', "22P04", 'f, line 3: the key "d" is none of the columns a'),
    ):
        with pytest.raises(InvalidRequest) as caught:
            list(ndjson_batches(io.BytesIO(data), "f", ["a"], frozenset("a")))
        assert caught.value.sqlstate == sqlstate
        assert message in str(caught.value)


def test_kinds_of_first_values() -> None:
    data = b'{"a":1,"b":"x"}\n{"b":null,"c":{"k":[]},"a":2.5}\n'
    assert ndjson_kinds(io.BytesIO(data), "f") == {
        "a": ({"number"}, ["1", "2.5"]),
        "b": ({"string"}, ["x"]),
        "c": ({"nested"}, []),
    }


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-2", None], Kind.BIGINT),
        (["9223372036854775807"], Kind.BIGINT),
        (["9223372036854775808"], Kind.TEXT),
        (["007"], Kind.TEXT),
        (["0"], Kind.BIGINT),
        (["1", "2.5"], Kind.DOUBLE),
        (["-.5", "1e300"], Kind.DOUBLE),
        (["nan"], Kind.TEXT),
        (["true", "FALSE"], Kind.BOOLEAN),
        (["t"], Kind.TEXT),
        (["2024-01-01"], Kind.DATE),
        (["2024-13-01"], Kind.TEXT),
        (["2024-01-01", "2024-02-03 10:00"], Kind.TIMESTAMP),
        (["2024-01-01T10:00:00Z", "2024-01-01 10:00+02"], Kind.TIMESTAMPTZ),
        (["x"], Kind.TEXT),
        (["1\n"], Kind.TEXT),
        ([None], None),
        ([], None),
    ],
)
def test_the_narrowest_type_of_all_values(texts: list[str | None], kind: Kind | None) -> None:
    assert kind_of_texts(pa.array(texts, pa.large_string())) is kind


def test_types_of_several_files_join() -> None:
    assert joined([]) is None
    assert joined([None, Kind.DATE]) is Kind.DATE
    assert joined([Kind.BIGINT, Kind.DOUBLE]) is Kind.DOUBLE
    assert joined([Kind.TIMESTAMP, Kind.DATE]) is Kind.TIMESTAMP
    assert joined([Kind.BIGINT, Kind.DATE]) is Kind.TEXT

"""Types as bytes: what is new in them is written only where it is used."""

from __future__ import annotations

import msgspec

from storage.schema import Kind, ScalarType, SqlType, plain_type, type_name


def test_a_type_without_precision_is_written_as_before_there_was_one() -> None:
    plain = ScalarType(kind=Kind.TIMESTAMP)
    assert msgspec.json.decode(msgspec.json.encode(plain)) == {
        "type": "scalar",
        "kind": "TIMESTAMP",
    }
    assert msgspec.json.decode(b'{"type":"scalar","kind":"TIMESTAMP"}', type=SqlType) == plain


def test_precision_is_written_and_read() -> None:
    precise = ScalarType(kind=Kind.TIMESTAMPTZ, precision=0)
    assert msgspec.json.decode(msgspec.json.encode(precise), type=SqlType) == precise
    assert type_name(precise) == "TIMESTAMP(0) WITH TIME ZONE"
    assert plain_type(precise) == ScalarType(kind=Kind.TIMESTAMPTZ)

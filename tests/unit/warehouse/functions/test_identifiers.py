"""Names in texts."""

from __future__ import annotations

import pytest

from storage.errors import InvalidRequest
from warehouse.functions.identifiers import canonical_name, name_parts


@pytest.mark.parametrize(
    ("text", "parts", "canonical"),
    [
        ("orders", ("orders",), "orders"),
        (" Shop . Orders ", ("shop", "orders"), "shop.orders"),
        ('"Shop"."My table"', ("Shop", "My table"), '"Shop"."My table"'),
        ('"a""b"', ('a"b',), '"a""b"'),
        ('"plain"', ("plain",), "plain"),
        ('"select"', ("select",), '"select"'),
    ],
)
def test_names_are_taken_apart(text: str, parts: tuple[str, ...], canonical: str) -> None:
    assert name_parts(text) == parts
    assert canonical_name(text) == canonical


@pytest.mark.parametrize("text", ["", "a.", ".a", '"a', "a b", "a..b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="invalid name syntax"):
        name_parts(text)

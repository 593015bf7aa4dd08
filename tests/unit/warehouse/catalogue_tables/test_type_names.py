"""Types as pg_type and format_type have them; the answers are PostgreSQL 16's."""

from __future__ import annotations

import pytest

from warehouse.catalogue_tables.type_names import by_name, by_oid, formatted, type_rows


@pytest.mark.parametrize(
    ("oid", "modifier", "shown"),
    [
        (23, None, "integer"),
        (1042, None, "character"),
        (1042, -1, "bpchar"),
        (1042, 7, "character(3)"),
        (1043, 9, "character varying(5)"),
        (1700, 655366, "numeric(10,2)"),
        (1231, 655366, "numeric(10,2)[]"),
        (1015, 9, "character varying(5)[]"),
        (1007, None, "integer[]"),
        (1114, 3, "timestamp(3) without time zone"),
        (1186, -1, "interval"),
        (25, 5, "text(5)"),
        (18, -1, '"char"'),
        (16387, -1, "mood"),
        (99999, None, "???"),
        (0, None, "-"),
        (None, 3, None),
    ],
)
def test_types_are_shown_as_postgresql_does(
    oid: int | None, modifier: int | None, shown: str | None
) -> None:
    assert formatted(oid, modifier, {16387: "mood"}) == shown


def test_arrays_follow_from_their_elements() -> None:
    row = by_name()["_timestamptz"]
    assert (row.oid, row.element, row.alignment, row.category) == (1185, 1184, "d", "A")
    assert by_oid()[1184].array == 1185
    assert by_name()["_int4"].display == "integer[]"


def test_oids_and_names_are_distinct() -> None:
    assert len(by_oid()) == len(by_name()) == len(type_rows())

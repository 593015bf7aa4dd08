"""What a partitioning may not be."""

from __future__ import annotations

from typing import Any

import pytest

from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.partitions.checks import check_keys, check_partitioning, known_partition
from storage.partitions.scheme import Bound, Partition, Partitioning, PartitionKind
from storage.schema import ArrayType, Column, EnumType, Key, Kind, ScalarType, SqlType, TableSchema


def _schema(*types: SqlType) -> TableSchema:
    columns = tuple(Column(id=i, name=f"c{i}", type=t) for i, t in enumerate(types, 1))
    return TableSchema(version=1, columns=columns)


INTEGERS = _schema(ScalarType(Kind.INTEGER), ScalarType(Kind.INTEGER))


def _scheme(kind: PartitionKind, *parts: dict[str, Any], columns: int = 1) -> Partitioning:
    made = tuple(
        Partition(id=i, name=part.pop("name", f"p{i}"), **part) for i, part in enumerate(parts, 1)
    )
    ids = tuple(range(1, columns + 1))
    return Partitioning(kind=kind, column_ids=ids, parts=made, next_id=99)


def _range(low: int | None, high: int | None) -> dict[str, Any]:
    ends = (Bound(side=-1) if low is None else Bound(value=low),)
    return {"low": ends, "high": (Bound(side=1) if high is None else Bound(value=high),)}


def _list(*values: int | None) -> dict[str, Any]:
    return {"values": tuple((value,) for value in values)}


@pytest.mark.parametrize(
    ("scheme", "message", "code"),
    [
        (
            _scheme("range", _range(1, 5), _range(4, 9)),
            '"p2" would overlap partition "p1"',
            "42P17",
        ),
        (
            _scheme("range", _range(4, 9), _range(None, 5)),
            '"p2" would overlap partition "p1"',
            "42P17",
        ),
        (_scheme("range", _range(5, 5)), "empty range bound", "42P17"),
        (_scheme("range", _range(9, 5)), "empty range bound", "42P17"),
        (_scheme("list", _list(1, 2), _list(3, 2)), '"p2" would overlap', "42P17"),
        (_scheme("list", _list(None), _list(None)), '"p2" would overlap', "42P17"),
        (
            _scheme("list", {"default": True}, {"default": True}),
            "existing default partition",
            "42P17",
        ),
        (
            _scheme("list", {**_list(1), "name": "a"}, {**_list(2), "name": "a"}),
            "exists already",
            "42710",
        ),
        (_scheme("hash"), "must be 1 or more", "22023"),
    ],
)
def test_bad_partitions_are_refused(scheme: Partitioning, message: str, code: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        check_partitioning(scheme, INTEGERS, "t")
    assert caught.value.sqlstate == code


@pytest.mark.parametrize(
    "scheme",
    [
        _scheme("range", _range(5, 9), _range(None, 5), _range(20, None), {"default": True}),
        _scheme("range"),
        _scheme("list", _list(1, 1, None), _list(2), {"default": True}),
    ],
)
def test_gaps_and_repeated_values_are_fine(scheme: Partitioning) -> None:
    check_partitioning(scheme, INTEGERS, "t")


def test_types_must_have_an_order_or_at_least_be_hashable() -> None:
    enum = EnumType(name="mood", labels=("sad",))
    with pytest.raises(NotYet, match="use LIST"):
        check_partitioning(_scheme("range"), _schema(enum), "t")
    check_partitioning(_scheme("list"), _schema(enum), "t")
    with pytest.raises(NotYet):
        check_partitioning(_scheme("list"), _schema(ArrayType(element=enum)), "t")
    with pytest.raises(InvalidRequest):
        check_partitioning(_scheme("hash", {}), _schema(ScalarType(Kind.JSON)), "t")


def test_keys_have_all_columns_that_decide() -> None:
    scheme = _scheme("hash", {}, columns=2)
    whole = Key(id=1, name="t_pkey", column_ids=(2, 1), primary=True)
    check_keys(scheme, [whole], INTEGERS)
    part = Key(id=2, name="t_c2_key", column_ids=(2,), primary=False)
    with pytest.raises(NotYet, match='UNIQUE constraint "t_c2_key" lacks column "c1"') as caught:
        check_keys(scheme, [whole, part], INTEGERS)
    assert caught.value.sqlstate == "0A000"


def test_names_of_partitions_are_looked_up_with_a_hint() -> None:
    scheme = _scheme("list", {**_list(1), "name": "north"})
    assert known_partition(scheme, "north", "t").id == 1
    with pytest.raises(UnknownObject, match="north"):
        known_partition(scheme, "norht", "t")
    with pytest.raises(InvalidRequest, match="not partitioned"):
        known_partition(None, "north", "t")

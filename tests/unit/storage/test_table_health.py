"""How tables lie in their files, as numbers."""

from __future__ import annotations

import dataclasses

from storage.schema import Key
from storage.snapshot.changes import IndexRun
from storage.snapshot.model import Delta
from storage.table_health import Amplification, Space, amplification, space_of, table_health
from tests.unit.storage.test_compaction_plan import LEXICAL, ZORDER, table_of


def test_levels_holes_and_overlap() -> None:
    files = [
        (1, list(range(100)), 1),
        (2, list(range(100, 200)), 1),
        (3, list(range(50, 150)), 0),
        (4, list(range(120, 130)), 0),
        (5, [500] * 7, 0),
    ]
    found = table_health(table_of(files, deleted={1: 30, 3: 10}))
    assert (found.rows, found.deleted_rows, found.level_0, found.level_1) == (277, 40, 3, 2)
    assert (found.order, found.depth_max) == ("(c1)", 3)
    assert found.depth_mean == round((100 * 2 + 100 * 3 + 100 * 3 + 10 * 3 + 7) / 317, 2)
    assert round(found.read_amplification, 4) == round(317 / 277, 4)
    assert round(found.space_amplification, 4) == round(317 / 277, 4)  # a byte for each row
    assert found.size_bytes == 317


def test_files_of_another_order_are_level_0_and_anywhere() -> None:
    files = [(1, [1, 2], 1), (2, [5, 6], 1)]
    found = table_health(table_of(files, order=LEXICAL, sort=None))
    assert (found.level_0, found.level_1, found.depth_max, found.depth_mean) == (2, 0, 2, 2.0)


def test_without_an_order_and_without_rows() -> None:
    found = table_health(table_of([(1, [1, 2], 0)], None, None))
    assert (found.order, found.depth_max, found.depth_mean) == (None, None, None)
    found = table_health(table_of([(1, [1, 2], 1)], ZORDER, ZORDER))
    assert (found.order, found.depth_max, found.level_1) == ("ZORDER (c1, c2)", None, 1)
    empty = table_health(dataclasses.replace(table_of([(1, [1], 0)], deleted={1: 1})))
    assert (empty.rows, empty.deleted_rows, empty.space_amplification) == (0, 1, 1.0)


def test_amplification_of_space_is_in_bytes_and_of_all_tables_together() -> None:
    files = [(1, list(range(100)), 1), (2, list(range(100, 200)), 1)]
    one = table_of(files, deleted={1: 50})
    delta = Delta(id=9, lsn=1, schema_version=1, row_count=4, rows=b"x" * 40)
    one = dataclasses.replace(one, deltas=(delta,))
    assert space_of(one) == Space(240.0, 190.0)
    key = Key(id=1, name="k", column_ids=(1,), primary=True)
    runs = tuple(
        IndexRun(name=n, checksum="", size_bytes=616, key_count=154, generation=1) for n in "ab"
    )
    keyed = dataclasses.replace(one, keys=(key,), index_runs=runs)
    assert space_of(keyed) == Space(240.0 + 1232, 190.0 + 616)  # each key is in two runs
    other = table_of([(1, list(range(60)), 1)])
    found = amplification([one, other])
    assert (found.read, found.space) == (264 / 214, 300 / 250)
    assert amplification([]) == Amplification(1.0, 1.0)

"""How tables lie in their files, as numbers."""

from __future__ import annotations

import dataclasses

from storage.table_health import table_health
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
    assert round(found.space_amplification, 4) == round(317 / 277, 4)
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

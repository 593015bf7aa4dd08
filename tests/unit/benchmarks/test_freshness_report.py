"""When a commit counts as seen: the first answer at its LSN or later, from the receipt on."""

from __future__ import annotations

import pytest

from benchmarks.freshness_report import (
    FreshnessReport,
    Sighting,
    Written,
    markdown,
    visible_ms,
    way,
)


def written(lsn: int, received: float) -> Written:
    return Written(lsn=lsn, begun=received - 0.010, received=received)


def seen(lsn: int, answered: float) -> Sighting:
    return Sighting(asked=answered - 0.002, answered=answered, lsn=lsn)


def test_a_commit_is_visible_when_an_answer_has_its_lsn_or_a_later_one() -> None:
    looks = [seen(4, 1.000), seen(5, 1.010), seen(7, 1.030), seen(7, 1.040)]
    found = visible_ms([written(5, 1.005), written(6, 1.015), written(7, 1.020)], looks)
    assert found == [pytest.approx(5.0), pytest.approx(15.0), pytest.approx(10.0)]


def test_an_answer_before_the_receipt_is_no_delay() -> None:
    assert visible_ms([written(5, 1.0)], [seen(5, 0.999)]) == [0.0]


def test_a_commit_that_no_answer_shows_is_unseen() -> None:
    found = way("push", "query", [written(5, 1.0), written(6, 2.0)], [seen(5, 1.001)])
    assert found.unseen == 1
    assert found.visible_ms == [pytest.approx(1.0)]
    assert found.commits_per_second == pytest.approx(2 / 1.01)


def test_a_row_for_each_way() -> None:
    report = FreshnessReport(
        write="upsert",
        table_rows=10,
        batch_rows=2,
        rate=10,
        seconds=1,
        poll_ms=1000,
        seed=1,
        machine={},
        ways=[
            way("push", "query", [written(5, 1.0), written(6, 2.0)], [seen(6, 2.004)]),
            way("poll", "status", [], []),
        ],
    )
    lines = markdown(report).splitlines()
    assert lines[2] == (
        "| push | query | 2 | 2.0 | 10.0 | 10.0 | 4.0 | 1004.0 | 1004.0 | 2.0 | 0 |"
    )
    assert lines[3] == "| poll | status | 0 | 0.0 | – | – | – | – | – | – | 0 |"

"""What goes with every statement: timeouts and priority of the call and of the session."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import Session
from storage.errors import InvalidRequest
from tests.fakes import CountedIds
from warehouse.requests import Requests
from warehouse.session import SqlSession


def session(*settings: str) -> Session:
    made = SqlSession()
    for setting in settings:
        made.take(f"SET {setting}", ())
    return made.current


@pytest.mark.parametrize(
    ("setting", "timeout_s", "expected"),
    [
        (None, None, 600_000),
        (None, 0.2, 200),
        (None, 7200, 7_200_000),
        ("statement_timeout = 250", None, 250),
        ("statement_timeout = '30s'", None, 30_000),
        ("statement_timeout = '30s'", 5, 5_000),
        ("statement_timeout = '30s'", 50, 30_000),
        ("statement_timeout = '2h'", None, 7_200_000),
        ("statement_timeout = 0", None, 2_147_483_647),
        ("statement_timeout = 0", 5, 5_000),
    ],
)
def test_the_smaller_timeout_holds(
    setting: str | None, timeout_s: float | None, expected: int
) -> None:
    of = session(*([setting] if setting else []))
    assert Requests().statement(of, "SELECT 1", timeout_s=timeout_s).timeout_ms == expected
    assert Requests().lookup(of, ("s", "t"), [1], timeout_s=timeout_s).timeout_ms == expected


@pytest.mark.parametrize(
    ("setting", "priority", "expected"),
    [
        (None, None, 0),
        (None, -1000, -1000),
        ("query_priority = high", None, 100),
        ("query_priority = 'Low'", None, -100),
        ("query_priority = normal", None, 0),
        ("query_priority = -7", None, -7),
        ("query_priority = 7", 3, 3),
        ("query_priority = 7", 0, 0),
    ],
)
def test_the_calls_priority_goes_before_the_sessions(
    setting: str | None, priority: int | None, expected: int
) -> None:
    of = session(*([setting] if setting else []))
    assert Requests().statement(of, "SELECT 1", priority=priority).priority == expected
    assert Requests().lookup(of, ("s", "t"), [1], priority=priority).priority == expected


@pytest.mark.parametrize("priority", [1001, -1001, 1.5, True])
def test_a_priority_out_of_range_is_refused(priority: Any) -> None:
    with pytest.raises(InvalidRequest, match="from -1000 to 1000"):
        Requests().statement(Session(), "SELECT 1", priority=priority)


def test_the_queue_timeout_is_the_sessions_or_nobodys() -> None:
    assert Requests().statement(session(), "SELECT 1").queue_timeout_ms is None
    assert Requests().statement(session("queue_timeout = 0"), "").queue_timeout_ms is None
    of = session("queue_timeout = '1.5s'")
    assert Requests().statement(of, "SELECT 1").queue_timeout_ms == 1500
    assert Requests().lookup(of, ("s", "t"), [1]).queue_timeout_ms == 1500


def test_ids_come_from_outside() -> None:
    requests, ids = Requests(CountedIds()), CountedIds()
    assert requests.statement(Session(), "SELECT 1").query_id == ids.new()
    assert requests.lookup(Session(), ("s", "t"), [1]).query_id == ids.new()


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("statement_timeout = 0", "0"),
        ("statement_timeout = 90000", "90s"),
        ("statement_timeout = '5min'", "5min"),
        ("statement_timeout = '300 s'", "5min"),
        ("statement_timeout = '1d'", "1d"),
        ("statement_timeout = '100us'", "1ms"),
        ("statement_timeout = 1500", "1500ms"),
        ("queue_timeout TO '2 h'", "2h"),
        ("query_priority = high", "100"),
    ],
)
def test_settings_are_kept_as_they_are_shown(setting: str, shown: str) -> None:
    assert list(session(setting).settings.values()) == [shown]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("statement_timeout = abc", 'parameter "statement_timeout": "abc"; expected milliseconds'),
        ("statement_timeout = '5 weeks'", "units are us, ms, s, min, h and d"),
        ("statement_timeout = -1", "expected 0 (none) to 2147483647 ms"),
        ("statement_timeout = '25d'", "expected 0 (none) to 2147483647 ms"),
        ("statement_timeout = 1, 2", "expected one value"),
        ("queue_timeout = soon", 'parameter "queue_timeout"'),
        ("query_priority = 1001", "from -1000 to 1000, or low, normal or high"),
        ("query_priority = urgent", "low, normal or high, found 'urgent'"),
        ("query_priority = 1.5", "found '1.5'"),
    ],
)
def test_settings_that_are_refused(setting: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        session(setting)
    assert message in str(caught.value)
    assert caught.value.sqlstate == "22023"

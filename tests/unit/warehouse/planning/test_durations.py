"""How long something is kept: intervals and their texts, in ms and back."""

from __future__ import annotations

from typing import Any

import pytest

from storage.collection.policy import DAY_MS, HOUR_MS
from storage.errors import InvalidRequest
from warehouse.planning.durations import duration_ms, duration_text


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("7 days", 7 * DAY_MS),
        ("1 month", 30 * DAY_MS),
        ("1 year", 360 * DAY_MS),
        ("-1 day 25 hours", HOUR_MS),
        ("0", 0),
        ("00:00:00.0015", 1),
        ((1, 2, 3_000), 32 * DAY_MS + 3),
        ((0, 0, 0), 0),
    ],
)
def test_in_ms(value: Any, ms: int) -> None:
    assert duration_ms(value, "kept") == ms


@pytest.mark.parametrize("value", ["-1 days", "-00:00:01", (0, 0, -1_000), (-1, 29, 0)])
def test_what_is_negative_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"kept: .* is negative"):
        duration_ms(value, "kept")


@pytest.mark.parametrize("value", [7, 1.5, True, b"7 days", (1, 2), [1, 2, 3], {"days": 1}])
def test_what_is_no_interval_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="kept: expected an INTERVAL such as '7 days'"):
        duration_ms(value, "kept")


@pytest.mark.parametrize("value", ["soon", "", "7 parsecs", "7 days or so"])
def test_a_text_that_is_no_interval_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="interval"):
        duration_ms(value, "kept")


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (1, "1 ms"),
        (1_000, "1 second"),
        (61_000, "61 seconds"),
        (60_000, "1 minute"),
        (90 * 60_000, "90 minutes"),
        (HOUR_MS, "1 hour"),
        (36 * HOUR_MS, "36 hours"),
        (DAY_MS, "1 day"),
        (30 * DAY_MS, "30 days"),
        (DAY_MS + 1, f"{DAY_MS + 1} ms"),
    ],
)
def test_as_text(ms: int, text: str) -> None:
    assert duration_text(ms) == text
    assert text.endswith("ms") or duration_ms(text, "kept") == ms

"""The checker of concurrent histories accepts what isolation allows, and finds what it forbids."""

from __future__ import annotations

import pytest

from tests.property.isolation_checker import Recorded, problems

INITIAL = {"x": 0, "y": 0}


def tx(name: str, lsn: int | None, known: int = 0, **more: object) -> Recorded:
    return Recorded(name=name, lsn=lsn, known_lsn=known, **more)  # type: ignore[arg-type]


GOOD = {
    "one after the other": [
        tx("a", 1, statements=[{"x": 0}], writes={"x": 1}),
        tx("b", 2, 1, statements=[{"x": 1}], writes={"x": 2}),
    ],
    "a refused one leaves nothing": [
        tx("a", 1, statements=[{"x": 0}], writes={"x": 1}),
        tx("b", None, statements=[{"x": 0}], writes={"x": 2}),
        tx("c", 2, 1, statements=[{"x": 1, "y": 0}], writes={"y": 3}),
    ],
    "write skew": [
        tx("a", 1, statements=[{"x": 0, "y": 0}], writes={"x": 1}),
        tx("b", 2, statements=[{"x": 0, "y": 0}], writes={"y": 2}),
    ],
    "an old snapshot reads on": [
        tx("a", 1, statements=[{"x": 0}], writes={"x": 1, "y": 1}),
        tx("b", None, statements=[{"x": 0}, {"y": 0}]),
    ],
    "read committed sees more and more, and may lose an update": [
        tx("a", 1, statements=[{"x": 0}], writes={"x": 1, "y": 1}),
        tx("b", 2, statements=[{"x": 0}, {"y": 1}], writes={"x": 2}, repeatable=False),
    ],
}
BAD = {
    "dirty read": (
        [
            tx("a", None, statements=[{"x": 0}], writes={"x": 1}),
            tx("b", 1, statements=[{"x": 1}], writes={"y": 2}),
        ],
        "nobody has committed",
    ),
    "lost update": (
        [
            tx("a", 1, statements=[{"x": 0}], writes={"x": 1}),
            tx("b", 2, statements=[{"x": 0}], writes={"x": 2}),
        ],
        "lost update",
    ),
    "lost update of a key that was not read": (
        [
            tx("a", 1, writes={"x": 1, "y": 1}, statements=[{"x": 0}]),
            tx("b", 2, statements=[{"y": 0}], writes={"x": 2}),
        ],
        "lost update",
    ),
    "lost update in one group": (
        [
            tx("a", 1, statements=[{"x": 0}], writes={"x": 1}),
            tx("b", 1, statements=[{"x": 0}], writes={"x": 2}),
        ],
        "twice",
    ),
    "fractured read": (
        [
            tx("a", 1, statements=[{"x": 0}], writes={"x": 1, "y": 1}),
            tx("b", None, statements=[{"x": 1, "y": 0}]),
        ],
        "no snapshot",
    ),
    "unrepeatable read": (
        [
            tx("a", 1, statements=[{"x": 0}], writes={"x": 1}),
            tx("b", None, statements=[{"x": 0}, {"x": 1}]),
        ],
        "no snapshot",
    ),
    "stale read": (
        [
            tx("a", 1, statements=[{"x": 0}], writes={"x": 1}),
            tx("b", None, 1, statements=[{"x": 0}]),
        ],
        "no snapshot",
    ),
    "fractured statement of read committed": (
        [
            tx("a", 1, statements=[{"x": 0}], writes={"x": 1, "y": 1}),
            tx("b", None, statements=[{"x": 0, "y": 1}], repeatable=False),
        ],
        "no snapshot",
    ),
    "read committed goes back": (
        [
            tx("a", 1, statements=[{"x": 0}], writes={"x": 1}),
            tx("b", None, statements=[{"x": 1}, {"x": 0}], repeatable=False),
        ],
        "no snapshot",
    ),
    "reads the future": (
        [
            tx("a", 1, statements=[{"y": 2}], writes={"x": 1}),
            tx("b", 2, statements=[{"x": 1}], writes={"y": 2}),
        ],
        "itself",
    ),
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD)
def test_what_isolation_allows_is_accepted(history: list[Recorded]) -> None:
    assert problems(history, INITIAL) == []


@pytest.mark.parametrize(("history", "words"), BAD.values(), ids=BAD)
def test_what_isolation_forbids_is_found(history: list[Recorded], words: str) -> None:
    found = problems(history, INITIAL)
    assert found
    assert words in found[0]

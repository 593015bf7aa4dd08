"""Which seeds a test of random histories plays: a few every day, more in `make test-all`."""

from __future__ import annotations

import os
from typing import Any

import pytest

__all__ = ["seeds"]


def seeds(known: str, daily: int) -> list[Any]:
    """Parameters of a test. MOBULA_SEEDS=1000-1100 plays those seeds instead.

    Args:
        known: `first-last`.
        daily: so many of them every day; the others are slow.
    """
    given = os.environ.get("MOBULA_SEEDS")
    first, _, last = (given or known).partition("-")
    played = range(int(first), int(last or first) + 1)
    return [
        pytest.param(seed, marks=[pytest.mark.slow] if given is None and place >= daily else [])
        for place, seed in enumerate(played)
    ]

"""How deep a statement may nest: trees are walked by recursion, which Python stops at 1,000 calls.

PostgreSQL takes sums of thousands of terms and UNIONs of hundreds of queries. Python frames do not
use the C stack since 3.11, but pickling and comparing deep trees does; `DEPTH` calls of those take
about 2 MB of the 8 MB that a thread has. Deeper statements are refused (54001).
"""

from __future__ import annotations

import sys

__all__ = ["allow_deep_trees"]

DEPTH = 4_000


def allow_deep_trees() -> None:
    """Raise this process's recursion limit to `DEPTH` if it is lower."""
    if sys.getrecursionlimit() < DEPTH:
        sys.setrecursionlimit(DEPTH)

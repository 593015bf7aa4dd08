"""What runs beside what when pytest-xdist has two processes (`make test`).

Tests that need Ray stay together, so that they share one cluster, and begin first: they take about
as long as all others. Of the others each file stays together, and with it its fixtures.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

__all__ = ["is_named_for_ray", "pytest_collection_modifyitems", "pytest_xdist_make_scheduler"]

# The process that hands tests out knows them by their names alone.
_FOR_RAY = re.compile(r"tests/cluster/|tests/notebooks/test_elasticity\.py|\[ray(?![a-z])")


def is_named_for_ray(name: str) -> bool:
    """Whether a test of this name (node id) needs Ray."""
    return _FOR_RAY.search(name) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that need Ray first; their names must say so."""
    for item in items:
        if item.get_closest_marker("ray") is not None and not is_named_for_ray(item.nodeid):
            raise pytest.UsageError(
                f"{item.nodeid} is marked 'ray': move it to tests/cluster, or call its case 'ray'"
            )
    items.sort(key=lambda item: not is_named_for_ray(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """By file, and those that need Ray as if they were one file."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
        """See the module."""

        def _split_scope(self, nodeid: str) -> str:
            return "ray" if is_named_for_ray(nodeid) else nodeid.partition("::")[0]

    return Scheduler(config, log)

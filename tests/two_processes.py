"""What runs beside what when pytest-xdist runs the tests in two processes (`--dist loadgroup`).

Tests that need Ray stay together, so that they share one cluster, and begin first: they take as
long as all others. Of the others each file stays together, and with it its fixtures.
"""

from __future__ import annotations

import pytest

__all__ = ["pytest_collection_modifyitems"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say of each test which group it is in."""
    for item in items:
        group = "ray" if _needs_ray(item) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: not _needs_ray(item))


def _needs_ray(item: pytest.Item) -> bool:
    return item.get_closest_marker("ray") is not None

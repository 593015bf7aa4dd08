"""The settings that a deployment's file or document tells clients to use, as a value."""

from __future__ import annotations

import re

from actors.settings import RaySettings
from tests.unit.house.source_tree import text

__all__ = ["pins", "shown_settings"]

CALL = re.compile(r"^ray = RaySettings\(\n.*?^\)$", re.MULTILINE | re.DOTALL)


def shown_settings(document: str) -> RaySettings:
    """What `ray = RaySettings(…)` in a document says, commented out or not."""
    plain = re.sub(r"^#   ", "", text(document), flags=re.MULTILINE)
    imports = re.search(r"^from warehouse import .*$", plain, re.MULTILINE)
    call = CALL.search(plain)
    assert imports is not None
    assert call is not None
    names: dict[str, object] = {}
    exec(compile(f"{imports[0]}\n{call[0]}", document, "exec"), names)
    found = names["ray"]
    assert isinstance(found, RaySettings)
    return found


def pins(settings: RaySettings) -> dict[str, dict[str, float]]:
    """The custom resources that each kind of actor takes."""
    return {
        "primary": settings.primary_resources,
        "coordinator": settings.coordinator_resources,
        **{name: kind.resources for name, kind in settings.node_types.items()},
    }

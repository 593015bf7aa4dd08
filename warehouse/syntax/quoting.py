"""Names as SQL reads them back exactly."""

from __future__ import annotations

__all__ = ["quoted"]


def quoted(*parts: str) -> str:
    """A name, or the parts of a dotted one, in double quotes."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)

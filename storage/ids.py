"""Unique names, injected, so that a simulation can make them repeatable."""

from __future__ import annotations

import uuid
from typing import Protocol

__all__ = ["Ids", "RandomIds"]


class Ids(Protocol):
    """A source of names that nobody else will ever make."""

    def new(self) -> str:
        """32 hexadecimal characters."""
        ...


class RandomIds:
    """Version 4 UUIDs from the operating system's randomness."""

    def new(self) -> str:
        return uuid.uuid4().hex

"""The register of mistakes made on purpose: `planted.py` and `planted_collection.py` fill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

__all__ = ["PLANTED", "Bug", "bug", "planted", "replaced"]

Bug = Callable[[ExitStack], None]
PLANTED: dict[str, Bug] = {}


def bug(name: str) -> Callable[[Bug], Bug]:
    def register(found: Bug) -> Bug:
        PLANTED[name] = found
        return found

    return register


@contextmanager
def planted(name: str) -> Iterator[None]:
    """While it lasts, Mobula has that mistake."""
    with ExitStack() as stack:
        PLANTED[name](stack)
        yield


def replaced(stack: ExitStack, owner: object, name: str, new: object) -> Any:
    """Put something in the place of an attribute. Returns what was there."""
    old = getattr(owner, name)
    stack.enter_context(patch.object(owner, name, new))
    return old

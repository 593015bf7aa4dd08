"""The nearest known name, for error messages about unknown ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]

SIMILARITY_MIN = 0.5
NAMES_SHOWN_MAX = 12


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown `name`: `; did you mean x?`, or what there is,
    or nothing where there is nothing."""
    names = sorted(set(known))
    folded = {n.casefold(): n for n in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=SIMILARITY_MIN)
    if close:
        return f"; did you mean {folded[close[0]]}?"
    if not names:
        return ""
    more = ", …" if len(names) > NAMES_SHOWN_MAX else ""
    return f"; there are {', '.join(names[:NAMES_SHOWN_MAX])}{more}"

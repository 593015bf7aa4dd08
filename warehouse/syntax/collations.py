"""Collations: those that compare by code point, as every text here is compared."""

from __future__ import annotations

from storage.errors import NotYet, UnknownObject

__all__ = ["check_collation"]

_BY_CODE_POINT = ("C", "POSIX", "default", "ucs_basic", "C.utf8", "C.UTF-8")


def check_collation(name: tuple[str, ...]) -> None:
    """Raises NotYet for a collation that compares otherwise, UnknownObject (42704) for the
    name of none."""
    if len(name) > 1 and name[-2] != "pg_catalog":
        raise UnknownObject(f'schema "{name[-2]}" has no collations here', "42704")
    if name[-1] in _BY_CODE_POINT:
        return
    shown = name[-1]
    raise NotYet(f'COLLATE "{shown}" is not available; texts compare as in collation "C"')

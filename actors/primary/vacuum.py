"""VACUUM of a table: what of it takes room without being of use goes."""

from __future__ import annotations

from actors.primary.maintainer import Maintainer

__all__ = ["vacuum"]


async def vacuum(maintainer: Maintainer, table_id: int, *, full: bool = False) -> int:
    """Returns how many files were rewritten.

    1. Deltas are flushed, without rows that are deleted.
    2. Every file of which rows are gone is written anew.
    3. With `full`, files are also sorted together until none overlap.

    What only the past refers to is kept as long as it is to be read (`collector.py`).
    """
    await maintainer.flush_now(table_id)
    count = await maintainer.compact_now(table_id)
    if full:
        count += await maintainer.recluster_now(table_id)
    return count

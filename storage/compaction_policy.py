"""`CompactionPolicy`: when files are rewritten, and how much at a time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CompactionPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionPolicy:
    """When files are rewritten.

    Attributes:
        holes_max: the share of a file's rows that may be deleted before it is written anew.
        task_files_max: files of one such task, which keeps 16 bytes of each of their rows.
        depth_max: files that may have rows between the same two keys of the table's order.
        merge_rows_max: rows that one task sorts together.
        level_share_max: rows of level 1 that may be rewritten for each row of level 0 that joins
            them; where it would be more, files of level 0 are merged among themselves first.
        fan_in: files of level 0 that are merged so, at least, where there are as many.
        small_files_max: small neighbours that may lie beside each other before they become one.
    """

    holes_max: float = 0.3
    task_files_max: int = 4
    depth_max: int = 8
    merge_rows_max: int = 16 << 20
    level_share_max: float = 4.0
    fan_in: int = 4
    small_files_max: int = 8

"""`CompactionPolicy`: when files have become too full of holes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CompactionPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionPolicy:
    """When files are written anew.

    Attributes:
        holes_max: the share of a file's rows that may be deleted before it is.
        task_files_max: files of one task, which keeps 16 bytes of each of their rows.
    """

    holes_max: float = 0.3
    task_files_max: int = 4

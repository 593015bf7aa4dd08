"""Where rows went when maintenance rewrote them: location before -> location after.

A task that rewrites rows reads them at one LSN and is committed at a later one. What was deleted
meanwhile, by where it was, is deleted where it is now. Targets are in file 0 and on until the
commit gives the files their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storage.errors import InternalError
from storage.primary_key import ROW_BITS, Words, locations_in

__all__ = ["SourceMap"]


@dataclass(frozen=True, slots=True)
class SourceMap:
    """`sources` ascending, `targets[i]` is where the row of `sources[i]` is now."""

    sources: Words
    targets: Words

    @classmethod
    def of(cls, files: Sequence[Words]) -> SourceMap:
        """Args: files: of each new file, where its rows come from, in its order."""
        sources = np.concatenate([np.empty(0, np.uint64), *files])
        targets = np.concatenate(
            [
                np.empty(0, np.uint64),
                *(locations_in(i, np.arange(len(rows))) for i, rows in enumerate(files)),
            ]
        )
        order = np.argsort(sources)
        return cls(sources[order], targets[order])

    def numbered(self, first_file_id: int) -> SourceMap:
        """With the ids that the commit gave: file 0 becomes `first_file_id`."""
        return SourceMap(self.sources, self.targets + np.uint64(first_file_id << ROW_BITS))

    def knows(self, found: Words) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Per location: has the row moved?"""
        if not len(self.sources):
            return np.zeros(len(found), dtype=np.bool_)
        places = np.minimum(np.searchsorted(self.sources, found), len(self.sources) - 1)
        return np.asarray(self.sources[places] == found, dtype=np.bool_)

    def moved(self, found: Words) -> Words:
        """Where these rows are now. Raises InternalError for a row that was not rewritten."""
        if not self.knows(found).all():
            raise InternalError("a row was deleted that the rewriting task did not have")
        return self.targets[np.searchsorted(self.sources, found)]

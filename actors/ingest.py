"""Where rows become micropartitions with the runs of their keys: in this process, or elsewhere.

Whoever has rows or source files to write asks an `Ingest`, and commits what it returns. On Ray
large frames and all source files go to tasks (`ray_ingest.py`), so that a client or the primary
encodes nothing large itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from actors.client import Progress
from actors.loads import load_sources
from actors.local_files import scratch
from actors.messages import TableInfo
from actors.settings import NodeSettings
from storage.ids import Ids
from storage.ingest import IngestedFile, write_table
from storage.ingest import Progress as RowProgress
from storage.objects import ObjectStore
from storage.sources_format import SourceReading
from storage.target import IngestTarget

__all__ = ["Ingest", "OwnIngest"]


class Ingest(Protocol):
    """Makes micropartitions; commits nothing, so that a failure leaves nothing visible."""

    async def rows(
        self, rows: pa.Table, target: IngestTarget, progress: RowProgress | None = None
    ) -> list[IngestedFile]:
        """Fitted rows (`target.fit`) as files, in the order of the rows.

        Args: progress: called with the rows stored so far.
        Raises: InvalidRequest: a key that is NaN or is there twice. Unavailable.
        """
        ...

    async def sources(
        self,
        infos: Sequence[TableInfo],
        sources: Sequence[str],
        reading: SourceReading,
        progress: Progress,
    ) -> list[IngestedFile]:
        """Source files as files, in the order of the sources.

        Args: infos: of the table, one for each source.
        Raises: InvalidRequest: a file does not read or fit. Unavailable.
        """
        ...


class OwnIngest:
    """In this process, a few threads at a time."""

    def __init__(self, store: ObjectStore, node: NodeSettings, ids: Ids) -> None:
        self._store = store
        self._node = node
        self._ids = ids

    async def rows(
        self, rows: pa.Table, target: IngestTarget, progress: RowProgress | None = None
    ) -> list[IngestedFile]:
        """See `Ingest.rows`."""
        return await write_table(
            self._store,
            rows,
            target,
            ids=self._ids,
            scratch=scratch(self._node.settings),
            progress=progress,
        )

    async def sources(
        self,
        infos: Sequence[TableInfo],
        sources: Sequence[str],
        reading: SourceReading,
        progress: Progress,
    ) -> list[IngestedFile]:
        """See `Ingest.sources`."""
        return await load_sources(
            self._store,
            self._node,
            infos,
            sources,
            reading=reading,
            progress=progress,
            ids=self._ids,
        )

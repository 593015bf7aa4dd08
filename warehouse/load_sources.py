"""What a load reads: its files, found; how they are read; and what their rows do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

from actors.operations import WriteMode
from storage.clock import SystemClock
from storage.errors import InvalidRequest
from storage.objects import StoreOptions
from storage.sources import count_rows, expand_source
from storage.sources_format import SourceReading
from warehouse.opening import from_here
from warehouse.planning.planner import utc_now
from warehouse.planning.source_options import load_format
from warehouse.planning.texts import SqlTextParser

__all__ = ["LoadSources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSources:
    """`rows_total`: None where the files do not say before they are read."""

    files: Sequence[str]
    reading: SourceReading
    mode: WriteMode
    rows_total: int | None

    @classmethod
    def of(
        cls,
        sources: str | PathLike[str] | Sequence[str | PathLike[str]],
        store: StoreOptions | None,
        *,
        table: str,
        mode: str,
        kind: str | None,
        told: Mapping[str, Any],
    ) -> LoadSources:
        """See `Database.load`; `kind`: its `format`, `told`: its options of CSV."""
        found_mode = _load_mode(mode)
        given = [sources] if isinstance(sources, str | PathLike) else sources
        urls = [fspath(source) for source in given]
        if not urls:
            raise InvalidRequest(f"load into {table}: no source given")
        files = [from_here(file) for url in urls for file in expand_source(url, store, kind)]
        found = load_format(files, kind, told)
        rows_total = None
        if found.kind == "parquet":
            rows_total = sum(count_rows(file, store) for file in files)
        reading = SourceReading(format=found, parser=SqlTextParser(utc_now(SystemClock())))
        return cls(files=files, reading=reading, mode=found_mode, rows_total=rows_total)


def _load_mode(mode: str) -> WriteMode:
    modes = {m.value: m for m in WriteMode if m is not WriteMode.DELETE}
    if mode not in modes:
        raise InvalidRequest(f"load: mode {mode!r}, expected one of {', '.join(modes)}")
    return modes[mode]

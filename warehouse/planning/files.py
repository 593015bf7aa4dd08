"""Files of users in FROM: found, their columns and types told, and what a worker is to read.

`FROM 'path'` and `read_parquet`, `read_csv`, `read_ndjson` (also `read_json`) come here while the
query is bound. Patterns are expanded, then every file must have the same columns, by name. The
types are the footers' for Parquet; for text formats those that the first rows have, or those that
`columns` says. The workers read the files as they were found: one that changes in between is an
error.

Relative paths begin at the directory of the client. Local files are those of the machine that reads
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow.parquet as pq

from actors.planner import SourcePlan
from storage.errors import InvalidRequest, NotYet
from storage.nearest import nearest
from storage.objects.options import StoreOptions
from storage.schema import Column, Kind, ScalarType, SqlType, type_name
from storage.snapshot.ranges import ColumnRange
from storage.sources import SourceFile, find_source, footer, in_parallel, open_source
from storage.sources_csv import csv_names
from storage.sources_format import PARQUET, SourceFormat, format_of_name
from storage.sources_infer import joined
from storage.sources_rows import inferred_kinds
from storage.sources_scan import SourceScan
from warehouse.planning.source_options import Given, read_options
from warehouse.planning.source_ranges import column_range, compressed_bytes
from warehouse.planning.source_types import folded_names, sql_type
from warehouse.planning.texts import SqlTextParser

__all__ = ["FoundFiles", "absolute", "find_files", "plan_files"]

SAMPLED_FILES_MAX = 16  # whose first rows tell types
KINDS = {
    "read_parquet": "parquet",
    "read_csv": "csv",
    "read_ndjson": "ndjson",
    "read_json": "ndjson",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """Files as one table: `source` with the names of all `columns`; `footers` of Parquet files."""

    name: str
    columns: tuple[Column, ...]
    source: SourceScan
    footers: tuple[pq.FileMetaData, ...] = ()


def absolute(path: str, directory: str) -> str:
    """A path of a client whose working directory that is; URLs stay.

    Raises InvalidRequest for a relative path where the client has no directory.
    """
    if not path:
        raise InvalidRequest("the path of a file is empty", "22023")
    if "://" in path or PurePosixPath(path).is_absolute():
        return path
    if not directory:
        raise InvalidRequest(f"{path}: a relative path; write an absolute one", "22023")
    return str(PurePosixPath(directory) / path)


def find_files(
    function: str,
    arguments: Sequence[Any],
    options: Mapping[str, Any],
    *,
    directory: str,
    store: StoreOptions | None,
    types: Any = None,
) -> FoundFiles:
    """The files of a reference in FROM as a table.

    Args:
        function: its name, or empty for a path in quotes.
        arguments: paths, or one array of them.
        options: by name.
        directory: see `absolute`.
        types: a function from a type's name in SQL (text or tree) to the type.
    Raises:
        InvalidRequest: no file, files that do not fit together, unknown options; names the file.
        Unavailable: the server does not answer.
    """
    paths = _paths(function, arguments)
    given_kind = KINDS.get(function)
    files: list[SourceFile] = []
    for path in paths:
        files += find_source(absolute(path, directory), store, given_kind)
    kind = _format(files, given_kind)
    given = read_options(function or "files in FROM", kind, options, types)
    name = function or _stem(paths[0])
    if given.format.kind == "parquet":
        return _parquet(name, files, given, store)
    return _texts(name, files, given, store)


def plan_files(alias: str, found: FoundFiles, used: Sequence[str]) -> SourcePlan:
    """What a query reads of the files: the columns of these names."""
    wanted = set(used)
    columns = tuple(c for c in found.columns if c.name in wanted) or found.columns[:1]
    source = found.source
    names = [source.names[column.id] for column in columns]
    read_bytes = sum(file.size_bytes for file in source.files)
    ranges: dict[int, ColumnRange] = {}
    if source.format.kind == "parquet":
        read_bytes = compressed_bytes(found.footers, names)
        for column, name in zip(columns, names, strict=True):
            known = column_range(found.footers, name, column.type)
            if known is not None:
                ranges[column.id] = known
        held = columns
    else:
        text = ScalarType(Kind.TEXT)
        held = tuple(Column(id=c.id, name=c.name, type=text) for c in columns)
    scan = SourceScan(
        format=source.format,
        files=source.files,
        layouts=source.layouts,
        names=source.names,
        extra_keys=source.extra_keys,
        row_count=source.row_count,
        read_bytes=read_bytes,
        types=source.types,
        parser=source.parser,
        options=source.options,
    )
    return SourcePlan(alias=alias, columns=held, source=scan, ranges=ranges)


def _paths(function: str, arguments: Sequence[Any]) -> list[str]:
    what = function or "FROM"
    paths = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    if not paths or not all(isinstance(path, str) for path in paths):
        raise InvalidRequest(
            f"{what} takes a path, URL or pattern, or an array of them: {what}('dir/*.parquet')",
            "42883",
        )
    return list(paths)


def _format(files: Sequence[SourceFile], kind: str | None) -> SourceFormat:
    known = [format_of_name(file.url) for file in files]
    if kind is not None:
        first = known[0]
        return first if first is not None and first.kind == kind else SourceFormat(kind=kind)
    for file, found in zip(files, known, strict=True):
        if found is None:
            raise InvalidRequest(
                f"{file.url}: its name does not tell its format; use read_parquet('…'),"
                " read_csv('…') or read_ndjson('…')",
                "22023",
            )
        if found != known[0]:
            raise InvalidRequest(
                f"{files[0].url} and {file.url} are of different formats; read them apart", "22023"
            )
    assert known[0] is not None
    return known[0]


def _stem(path: str) -> str:
    """What to call the table of a path: the file's name up to its first dot."""
    stem = PurePosixPath(path).name.partition(".")[0]
    return stem.lower() if stem.isidentifier() else "files"


# --- Parquet --------------------------------------------------------------------------------------


def _parquet(
    name: str, files: list[SourceFile], given: Given, store: StoreOptions | None
) -> FoundFiles:
    read = in_parallel(lambda file: footer(file.url, store), files)
    chosen = set(given.names) if given.names else None
    tables = [
        {
            field.name: _column_type(file.url, field)
            for field in schema
            if chosen is None or field.name in chosen
        }
        for file, (schema, _) in zip(files, read, strict=True)
    ]
    for file, (schema, _) in zip(files, read, strict=True):
        if len(set(schema.names)) < len(schema.names):
            raise InvalidRequest(f"{file.url} has several columns of one name", "42701")
    first = tables[0]
    for file, found in zip(files, tables, strict=True):
        _check_same(files[0].url, first, file.url, found)
    _check_chosen(given.names, first, files[0].url)
    names = list(given.names or first)
    columns = _columns(names, [first[n] for n in names], files[0].url)
    footers = tuple(metadata for _, metadata in read)
    source = SourceScan(
        format=PARQUET,
        files=tuple(files),
        layouts=tuple((str(schema.remove_metadata()),) for schema, _ in read),
        names={column.id: n for column, n in zip(columns, names, strict=True)},
        row_count=sum(metadata.num_rows for metadata in footers),
        options=store,
    )
    return FoundFiles(name=name, columns=columns, source=source, footers=footers)


def _column_type(url: str, field: Any) -> SqlType:
    found = sql_type(field.type)
    if found is None:
        raise NotYet(
            f"{url}, column {field.name}: no SQL type here holds {field.type}; name the others:"
            " read_parquet('…', columns => ARRAY['…'])"
        )
    return found


def _check_same(
    url: str, columns: Mapping[str, SqlType], other: str, found: Mapping[str, SqlType]
) -> None:
    for a, b, ours, theirs in ((url, other, columns, found), (other, url, found, columns)):
        missing = next((name for name in ours if name not in theirs), None)
        if missing is not None:
            raise InvalidRequest(
                f'{b} has no column "{missing}", which {a} has; files that are read together have'
                " the same columns",
                "42804",
            )
    for name, kind in columns.items():
        if found[name] != kind:
            raise InvalidRequest(
                f'column "{name}" is {type_name(kind)} in {url} and {type_name(found[name])} in'
                f" {other}; files that are read together have the same columns",
                "42804",
            )


def _check_chosen(chosen: Sequence[str], known: Mapping[str, Any], url: str) -> None:
    for name in chosen:
        if name not in known:
            raise InvalidRequest(f'{url} has no column "{name}"{nearest(name, known)}', "42703")


def _columns(names: Sequence[str], types: Sequence[SqlType], url: str) -> tuple[Column, ...]:
    if not names:
        raise InvalidRequest(f"{url} has no columns", "42P16")
    return tuple(
        Column(id=number, name=name, type=kind)
        for number, (name, kind) in enumerate(zip(folded_names(names), types, strict=True), 1)
    )


# --- texts ----------------------------------------------------------------------------------------


def _texts(
    name: str, files: list[SourceFile], given: Given, store: StoreOptions | None
) -> FoundFiles:
    kind = given.format
    sampled = in_parallel(
        lambda file: inferred_kinds(file.url, store, kind), files[:SAMPLED_FILES_MAX]
    )
    layouts = [tuple(found) for found in sampled]
    if kind.kind == "csv":
        layouts += in_parallel(lambda file: _header(file, kind, store), files[SAMPLED_FILES_MAX:])
    else:
        layouts += [()] * (len(files) - len(layouts))
    kept = [(f, la) for f, la in zip(files, layouts, strict=True) if la or kind.kind == "ndjson"]
    inferred: dict[str, Kind | None] = {}
    for found in sampled:
        for key, own in found.items():
            inferred[key] = joined((inferred.get(key), own))
    if kind.kind == "csv":
        _check_layouts(kept)
        if not kind.header and given.names:
            return _positional(name, kept, given, inferred, store)
        _check_chosen(given.names, inferred, files[0].url)
    return _found_texts(name, kept, given, inferred, store)


def _header(file: SourceFile, kind: SourceFormat, store: StoreOptions | None) -> tuple[str, ...]:
    with open_source(file.url, store) as stream:
        return tuple(csv_names(stream, file.url, kind))


def _check_layouts(files: list[tuple[SourceFile, tuple[str, ...]]]) -> None:
    for file, layout in files:
        first, expected = files[0]
        for a, b, missing in (
            (first.url, file.url, set(expected) - set(layout)),
            (file.url, first.url, set(layout) - set(expected)),
        ):
            if missing:
                raise InvalidRequest(
                    f'{b} has no column "{min(missing)}", which {a} has; files that are read'
                    " together have the same columns",
                    "42804",
                )


def _positional(
    name: str,
    files: list[tuple[SourceFile, tuple[str, ...]]],
    given: Given,
    inferred: Mapping[str, Kind | None],
    store: StoreOptions | None,
) -> FoundFiles:
    """A CSV file without a header whose columns the statement names, in the file's order."""
    if files and len(files[0][1]) != len(given.names):
        raise InvalidRequest(
            f"{files[0][0].url} has {len(files[0][1])} columns, and {len(given.names)} are named",
            "42P10",
        )
    kinds = dict(zip(given.names, inferred.values(), strict=True)) if files else {}
    renamed = [(file, tuple(given.names)) for file, _ in files]
    return _found_texts(name, renamed, given, kinds, store)


def _found_texts(
    name: str,
    files: list[tuple[SourceFile, tuple[str, ...]]],
    given: Given,
    inferred: Mapping[str, Kind | None],
    store: StoreOptions | None,
) -> FoundFiles:
    names = given.names or tuple(inferred)
    types = [given.types.get(n) or ScalarType(inferred.get(n) or Kind.TEXT) for n in names]
    columns = _columns(names, types, files[0][0].url if files else name)
    source = SourceScan(
        format=given.format,
        files=tuple(file for file, _ in files),
        layouts=tuple(layout for _, layout in files),
        names={column.id: n for column, n in zip(columns, names, strict=True)},
        extra_keys=bool(given.names),
        types={column.id: column.type for column in columns},
        parser=SqlTextParser(),
        options=store,
    )
    return FoundFiles(name=name, columns=columns, source=source)

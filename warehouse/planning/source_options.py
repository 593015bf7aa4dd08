"""Options of `read_csv` and its like, and of COPY, as a format.

    read_csv('a.csv', header => false, delim => ';', columns => ARRAY['id bigint', 'name text'])
    COPY t FROM 'a.csv' WITH (FORMAT csv, HEADER, DELIMITER ';', NULL 'NA', QUOTE '"', ESCAPE '\\')

`read_csv` takes the first line as names unless told otherwise; COPY does not, like PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from storage.errors import InvalidRequest, NotYet
from storage.nearest import nearest
from storage.schema import SqlType
from storage.sources_format import SourceFormat, format_of_name

__all__ = ["Given", "copy_format", "load_format", "read_options"]

_TEXTS = {
    "delim": "delimiter",
    "delimiter": "delimiter",
    "sep": "delimiter",
    "quote": "quote",
    "escape": "escape",
    "null": "null",
    "nullstr": "null",
}
_COPY = ("format", "header", "delimiter", "null", "quote", "escape", "encoding")
_COPY_LATER = ("force_quote", "force_not_null", "force_null", "default", "freeze", "on_error")
_FORMATS = {"json": "ndjson", "jsonl": "ndjson"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a reference in FROM says of its files: the format, and columns with types."""

    format: SourceFormat
    names: tuple[str, ...] = ()
    types: Mapping[str, SqlType] = field(default_factory=dict)


def read_options(
    what: str, kind: SourceFormat, options: Mapping[str, Any], types: Callable[[Any], SqlType]
) -> Given:
    """The options of a function in FROM.

    Args:
        kind: the format, with what the file's name says.
        types: from a type as the statement says it to the type.
    Raises InvalidRequest: one is unknown (42883) or makes no sense.
    """
    changes: dict[str, Any] = {"header": True} if kind.kind == "csv" else {}
    known = {"columns"} | ({*_TEXTS, "header"} if kind.kind == "csv" else set())
    given = Given(format=kind)
    for name, value in options.items():
        if name not in known:
            hint = nearest(name, known) or f"; there are {', '.join(sorted(known))}"
            raise InvalidRequest(f"{what} has no option {name}{hint}", "42883")
        if name == "columns":
            given = _columns(what, given, value, types)
        elif name == "header":
            changes["header"] = _boolean(name, value)
        else:
            changes[_TEXTS[name]] = _text(name, value)
    if "quote" in changes and "escape" not in changes:
        changes["escape"] = changes["quote"]
    if kind.kind == "parquet" and given.types:
        raise InvalidRequest(f"{what}: Parquet has its own types; cast in the query", "42601")
    return replace(given, format=replace(kind, **changes))


def _columns(what: str, given: Given, value: Any, types: Callable[[Any], SqlType]) -> Given:
    names: list[str] = []
    kinds: dict[str, SqlType] = {}
    for item in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
        name, kind = item if isinstance(item, tuple) else _split(what, item)
        if name in names:
            raise InvalidRequest(f'{what}: column "{name}" is named twice', "42701")
        names.append(name)
        if kind:
            kinds[name] = types(kind)
    return replace(given, names=tuple(names), types=kinds)


def _split(what: str, item: Any) -> tuple[str, str]:
    """`name`, `name type` or `"a name" type`."""
    if not isinstance(item, str) or not item.strip():
        raise InvalidRequest(
            f"{what}: columns is an array of texts such as 'id bigint', found {item!r}", "42804"
        )
    text = item.strip()
    if text.startswith('"'):
        name, quote, kind = text[1:].partition('"')
        if not quote:
            raise InvalidRequest(f"{what}: {item!r} has an open quote", "42601")
        return name, kind.strip()
    name, _, kind = text.partition(" ")
    return name, kind.strip()


def copy_format(path: str, options: Sequence[tuple[str, Any]], *, reads: bool) -> SourceFormat:
    """The format of COPY: what it says, else what the file's name says.

    Raises InvalidRequest, NotYet.
    """
    found: dict[str, Any] = {}
    for name, value in options:
        if name in _COPY_LATER:
            raise NotYet(f"COPY … ({name.upper()}) is not available yet")
        if name not in _COPY:
            raise InvalidRequest(f'option "{name}" not recognized{nearest(name, _COPY)}', "42601")
        if name in found:
            raise InvalidRequest("conflicting or redundant options", "42601")
        found[name] = value
    encoding = str(found.pop("encoding", "utf8")).lower().replace("-", "").replace("_", "")
    if encoding not in ("utf8", "unicode"):
        raise NotYet(f"COPY … (ENCODING {encoding}): only UTF8 is available")
    named = format_of_name(path)
    if "format" in found:
        kind = str(found.pop("format")).lower()
        kind = _FORMATS.get(kind, kind)
        if kind in ("text", "binary"):
            raise NotYet(
                f"COPY in the format {kind} is not available; there are csv, parquet, ndjson"
            )
        base = named if named is not None and named.kind == kind else SourceFormat(kind=kind)
    elif named is None:
        raise InvalidRequest(
            f"{path}: its name does not tell its format; say WITH (FORMAT csv), parquet or ndjson",
            "22023",
        )
    else:
        base = named
    if base.kind != "csv" and found:
        raise InvalidRequest(f"COPY {next(iter(found)).upper()} requires CSV mode", "0A000")
    return replace(base, skip_blank=False, **_csv_options(found, reads=reads))


def load_format(
    files: Sequence[str], kind: str | None = None, options: Mapping[str, Any] | None = None
) -> SourceFormat:
    """The format of files that are loaded together: what is said, else what their names say.

    A CSV file begins with names unless `header` says otherwise.
    Args:
        options: header, delimiter, null, quote, escape; those that are None are as if left out.
    Raises InvalidRequest: formats differ or are not known, an option makes no sense; names a file.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    wanted = None if kind is None else _FORMATS.get(kind.lower(), kind.lower())
    known = [format_of_name(file) for file in files]
    if wanted is not None:
        first = next((found for found in known if found and found.kind == wanted), None)
        base = first or SourceFormat(kind=wanted)
    else:
        # A file of any other name is Parquet, as it was before there were other formats.
        formats = [found or SourceFormat(kind="parquet") for found in known]
        base = formats[0]
        for file, found in zip(files, formats, strict=True):
            if found != base:
                raise InvalidRequest(
                    f"{files[0]} and {file} are of different formats; load them apart", "22023"
                )
    if base.kind != "csv":
        if given:
            raise InvalidRequest(f"{next(iter(given))} is of CSV, and {files[0]} is {base.kind}")
        return base
    return replace(base, **_csv_options({"header": True, **given}, reads=True))


def _csv_options(found: Mapping[str, Any], *, reads: bool) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, value in found.items():
        if name != "header":
            changes[name] = _text(name, value)
        elif isinstance(value, str) and value.lower() == "match":
            if not reads:
                raise InvalidRequest('cannot use "match" with HEADER in COPY TO', "22023")
            changes |= {"header": True, "match": True}
        else:
            changes["header"] = _boolean(name, value)
    for name in ("quote", "escape"):
        if changes.get(name) == "":
            raise NotYet(f"COPY {name} must be a single one-byte character")
    if "quote" in changes and "escape" not in changes:
        changes["escape"] = changes["quote"]
    return changes


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "on", "false", "off"):
        return value.lower() in ("true", "on")
    raise InvalidRequest(f"{name} requires a Boolean value", "42601")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} is a text, found {value!r}", "42804")
    return value

"""Source files: finding them by URL or pattern, and streaming their bytes or their rows.

A URL is a path, `file:///…` or `s3://bucket/key`; `*`, `?` and `[…]` make it a pattern, `**` spans
directories. Files come in the byte order of their names, so that a repeated load reads alike. A
Parquet file is streamed batch by batch; nothing here holds more than a few batches (on S3: one row
group). Text files are streams of bytes, decompressed where their names end in `.gz`, `.zst` or
`.bz2`; `sources_rows.py` makes rows of them.

What is wrong with a file is the caller's to mend: `InvalidRequest` naming it. A server that does
not answer is `Unavailable`.
"""

from __future__ import annotations

import bz2
import glob
import gzip
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import botocore.exceptions as boto  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from storage.errors import Conflict, InvalidRequest, ObjectMissing
from storage.objects.options import StoreOptions
from storage.objects.s3_errors import S3Place, s3_error
from storage.sources_format import format_of_name

__all__ = [
    "BATCH_ROWS",
    "S3",
    "SourceFile",
    "check_unchanged",
    "count_rows",
    "expand_source",
    "find_source",
    "footer",
    "in_parallel",
    "local_path",
    "open_source",
    "read_columns",
    "read_source",
    "s3_file_system",
    "source_errors",
]

BATCH_ROWS = 131_072
_PATTERN = frozenset("*?[")
_STREAM_BYTES = 1 << 20  # how much of a local column chunk is read at a time
_RETRY_MS = 5_000  # what one more attempt may cost, waiting included
S3 = "s3://"
_THREADS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file as it was found. `version`: changes with its content (a time of change, an ETag)."""

    url: str
    size_bytes: int
    version: str


def find_source(
    url: str, options: StoreOptions | None = None, kind: str | None = None
) -> list[SourceFile]:
    """The files that `url` names, at least one, sorted.

    Args:
        options: how to enter S3; None: what botocore finds by itself.
        kind: of format, which decides whether a file may be empty; None: as its name says.
    Raises:
        InvalidRequest: nothing matches, a file is empty, a directory, or of an unknown scheme.
        Unavailable: the server does not answer.
    """
    found = _find_s3(url, options) if url.startswith(S3) else _find_local(url)
    if not found:
        raise InvalidRequest(f"{url}: no file matches", "58P01")
    for file in found:
        known = format_of_name(file.url)
        if (kind or (known.kind if known else "parquet")) == "parquet":
            _check_size(file.url, file.size_bytes)
    return found


def expand_source(
    url: str, options: StoreOptions | None = None, kind: str | None = None
) -> list[str]:
    """The URLs of the files that `url` names; see `find_source`."""
    return [file.url for file in find_source(url, options, kind)]


def check_unchanged(files: Iterable[SourceFile], options: StoreOptions | None = None) -> None:
    """Raises Conflict if a file is not what it was when it was found; InvalidRequest if it is
    gone."""

    def check(file: SourceFile) -> None:
        now = _one_s3(file.url, options) if file.url.startswith(S3) else _one_local(file.url)
        if now != file:
            raise Conflict(f"{file.url} has changed since the query was planned; run it again")

    in_parallel(check, files)


def in_parallel(call: Any, items: Iterable[Any]) -> list[Any]:
    """`call` of each item, in threads, in order. Raises the first error."""
    with ThreadPoolExecutor(_THREADS, "mobula-source") as threads:
        return list(threads.map(call, items))


@contextmanager
def open_source(url: str, options: StoreOptions | None = None) -> Iterator[BinaryIO]:
    """The bytes of a file from its beginning, decompressed as its name says.

    Raises:
        InvalidRequest: the file is absent or does not decompress.
        Unavailable: the server does not answer.
    """
    with source_errors(url, options, "its bytes"):
        if url.startswith(S3):
            opened = s3_file_system(options).open(url, "rb")
        else:
            path = local_path(url)
            _check_local(path, url)
            opened = path.open("rb")
        with opened as raw:
            yield _decompressed(url, raw)


def _decompressed(url: str, raw: Any) -> BinaryIO:
    name = url.lower()
    if name.endswith(".gz"):
        return cast("BinaryIO", gzip.open(raw, "rb"))
    if name.endswith(".bz2"):
        return cast("BinaryIO", bz2.open(raw, "rb"))
    if name.endswith(".zst"):
        return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return cast("BinaryIO", raw)


def read_source(
    url: str, options: StoreOptions | None = None, *, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """The rows of one Parquet file, in its own Arrow types and order.

    Raises:
        InvalidRequest: the file is absent, empty, or no readable Parquet file.
        Unavailable: the server does not answer.
    """
    with source_errors(url, options), _opened(url, options) as file:
        for group in range(file.num_row_groups):
            yield from file.iter_batches(batch_rows, row_groups=[group])


def count_rows(url: str, options: StoreOptions | None = None) -> int:
    """The rows of one Parquet file, from its footer. Raises like `read_source`."""
    with source_errors(url, options), _opened(url, options) as file:
        return int(file.metadata.num_rows)


def read_columns(url: str, options: StoreOptions | None = None) -> pa.Schema:
    """The columns of one Parquet file, from its footer. Raises like `read_source`."""
    with source_errors(url, options), _opened(url, options) as file:
        return file.schema_arrow


def footer(url: str, options: StoreOptions | None = None) -> tuple[pa.Schema, pq.FileMetaData]:
    """Columns and footer of one Parquet file. Raises like `read_source`."""
    with source_errors(url, options), _opened(url, options) as file:
        return file.schema_arrow, file.metadata


# --- local files ----------------------------------------------------------------------------------


def local_path(url: str) -> Path:
    """The path behind a path or a `file://` URL. Raises InvalidRequest for other URLs."""
    parts = urlsplit(url)
    if "://" not in url:
        return Path(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise InvalidRequest(f"{url}: expected a path, file:///… or s3://…")
    return Path(unquote(parts.path))


def _find_local(url: str) -> list[SourceFile]:
    path = local_path(url)
    if path.exists() or _PATTERN.isdisjoint(str(path)):
        return [_one_local(str(path), url)]
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
    return [_one_local(name) for name in found if not Path(name).is_dir()]


def _one_local(name: str, url: str | None = None) -> SourceFile:
    path = Path(name)
    _check_local(path, url or name)
    state = path.stat()
    return SourceFile(url=name, size_bytes=state.st_size, version=str(state.st_mtime_ns))


def _check_local(path: Path, url: str) -> None:
    if path.is_dir():
        raise InvalidRequest(f"{url} is a directory; name its files, such as {url}/*.parquet")
    if not path.exists():
        raise InvalidRequest(f"{url}: there is no such file", "58P01")


def _check_size(url: str, size_bytes: int) -> None:
    if size_bytes == 0:
        raise InvalidRequest(f"{url} is empty (0 bytes), no Parquet file")


# --- S3 -------------------------------------------------------------------------------------------


def s3_file_system(options: StoreOptions | None) -> Any:
    """A client of the S3 server, for any thread."""
    import s3fs

    chosen = options or StoreOptions()
    return s3fs.S3FileSystem(
        key=chosen.key,
        secret=chosen.secret,
        token=chosen.token,
        endpoint_url=chosen.endpoint_url,
        client_kwargs={"region_name": chosen.region} if chosen.region else {},
        config_kwargs={
            "connect_timeout": chosen.connect_timeout_ms / 1000,
            "read_timeout": chosen.read_timeout_ms / 1000,
            "retries": {"total_max_attempts": _attempts(chosen.retry_budget_ms)},
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def _attempts(retry_budget_ms: int) -> int:
    """Reads may be repeated by the client itself: up to 5 times, as the budget allows."""
    return 1 + min(retry_budget_ms // _RETRY_MS, 4)


def _find_s3(url: str, options: StoreOptions | None) -> list[SourceFile]:
    if _PATTERN.isdisjoint(url):
        return [_one_s3(url, options)]
    with source_errors(url, options):
        found = s3_file_system(options).glob(url, detail=True)
    for name, information in found.items():
        if information["type"] == "directory" and len(found) == 1:
            raise _directory(S3 + name)
    kept = {n: i for n, i in found.items() if i["type"] == "file"}
    return [_of_s3(S3 + name, kept[name]) for name in sorted(kept)]


def _one_s3(url: str, options: StoreOptions | None) -> SourceFile:
    with source_errors(url, options):
        information = s3_file_system(options).info(url.removeprefix(S3))
    if information["type"] == "directory":
        raise _directory(url)
    return _of_s3(url, information)


def _directory(url: str) -> InvalidRequest:
    return InvalidRequest(f"{url} is a directory; name its files: {url.rstrip('/')}/*.parquet")


def _of_s3(url: str, information: Any) -> SourceFile:
    version = str(information.get("ETag") or information.get("LastModified") or "")
    return SourceFile(url=url, size_bytes=information["size"], version=version.strip('"'))


# --- opening --------------------------------------------------------------------------------------


@contextmanager
def _opened(url: str, options: StoreOptions | None) -> Iterator[pq.ParquetFile]:
    if not url.startswith(S3):
        path = local_path(url)
        _check_local(path, url)
        _check_size(url, path.stat().st_size)
        with pq.ParquetFile(path, buffer_size=_STREAM_BYTES) as file:
            yield file
        return
    # Ranges are read as pyarrow asks for them, a row group's together: a cache would read them
    # twice.
    with s3_file_system(options).open(url, "rb", cache_type="none") as raw:
        _check_size(url, raw.size)
        with pq.ParquetFile(raw, pre_buffer=True) as file:
            yield file


@contextmanager
def source_errors(
    url: str, options: StoreOptions | None, what: str = "Parquet", action: str = "read"
) -> Iterator[None]:
    """Errors of libraries at work on a file, as ours.

    Args: what: it should be; action: what is done with it.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidRequest(f"{url}: there is no such file", "58P01") from error
    except PermissionError as error:
        raise InvalidRequest(f"{url}: not allowed to {action}: {error}", "42501") from error
    except (boto.BotoCoreError, boto.HTTPClientError, boto.ClientError) as error:
        raise _s3_error(url, options, error, action) from error
    except (gzip.BadGzipFile, EOFError, zstandard.ZstdError) as error:
        raise InvalidRequest(f"{url} does not decompress: {error}") from error
    except (pa.ArrowException, OSError) as error:
        if url.startswith(S3) and not isinstance(error, pa.ArrowException):
            raise _s3_error(url, options, error, action) from error
        raise InvalidRequest(f"{url} does not {action} as {what}: {error}") from error


def _s3_error(url: str, options: StoreOptions | None, error: Exception, action: str) -> Exception:
    endpoint = (options and options.endpoint_url) or "the default S3 endpoint"
    bucket = url.removeprefix(S3).partition("/")[0]
    found = s3_error(error, S3Place(bucket=bucket, endpoint=endpoint, action=f"{action} {url}"))
    if isinstance(found, ObjectMissing):
        return InvalidRequest(f"{url}: there is no such file", "58P01")
    return found

"""Parquet files that users load: finding them by URL or pattern, and streaming their rows.

A URL is a path, `file:///…` or `s3://bucket/key`; `*`, `?` and `[…]` make it a pattern, `**` spans
directories. Files come in the byte order of their names, so that a repeated load reads alike. A
file is streamed batch by batch; nothing here holds more than a few batches (on S3: one row group).

What is wrong with a file is the caller's to mend: `InvalidRequest` naming it. A server that does
not answer is `Unavailable`.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import botocore.exceptions as boto  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import InvalidRequest, ObjectMissing
from storage.objects.options import StoreOptions
from storage.objects.s3_errors import S3Place, s3_error

__all__ = ["BATCH_ROWS", "count_rows", "expand_source", "read_columns", "read_source"]

BATCH_ROWS = 131_072
_PATTERN = frozenset("*?[")
_STREAM_BYTES = 1 << 20  # how much of a local column chunk is read at a time
_RETRY_MS = 5_000  # what one more attempt may cost, waiting included
_S3 = "s3://"


def expand_source(url: str, options: StoreOptions | None = None) -> list[str]:
    """The files that `url` names, at least one, sorted.

    Args: options: how to enter S3; None: what botocore finds by itself.
    Raises:
        InvalidRequest: nothing matches, a file is empty, a directory, or of an unknown scheme.
        Unavailable: the server does not answer.
    """
    found = _expand_s3(url, options) if url.startswith(_S3) else _expand_local(url)
    if not found:
        raise InvalidRequest(f"{url}: no file matches")
    return found


def read_source(
    url: str, options: StoreOptions | None = None, *, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """The rows of one Parquet file, in its own Arrow types and order.

    Raises:
        InvalidRequest: the file is absent, empty, or no readable Parquet file.
        Unavailable: the server does not answer.
    """
    with _errors(url, options), _opened(url, options) as file:
        for group in range(file.num_row_groups):
            yield from file.iter_batches(batch_rows, row_groups=[group])


def count_rows(url: str, options: StoreOptions | None = None) -> int:
    """The rows of one Parquet file, from its footer. Raises like `read_source`."""
    with _errors(url, options), _opened(url, options) as file:
        return int(file.metadata.num_rows)


def read_columns(url: str, options: StoreOptions | None = None) -> pa.Schema:
    """The columns of one Parquet file, from its footer. Raises like `read_source`."""
    with _errors(url, options), _opened(url, options) as file:
        return file.schema_arrow


# --- local files ----------------------------------------------------------------------------------


def _local_path(url: str) -> Path:
    parts = urlsplit(url)
    if "://" not in url:
        return Path(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise InvalidRequest(f"{url}: expected a path, file:///… or s3://…")
    return Path(unquote(parts.path))


def _expand_local(url: str) -> list[str]:
    path = _local_path(url)
    if path.exists() or _PATTERN.isdisjoint(str(path)):
        _check_local(path, url)
        return [str(path)]
    found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    files = [file for file in found if not file.is_dir()]
    for file in files:
        _check_local(file, str(file))
    return [str(file) for file in files]


def _check_local(path: Path, url: str) -> None:
    if path.is_dir():
        raise InvalidRequest(f"{url} is a directory; name its files, such as {url}/*.parquet")
    if not path.exists():
        raise InvalidRequest(f"{url}: there is no such file")
    _check_size(url, path.stat().st_size)


def _check_size(url: str, size_bytes: int) -> None:
    if size_bytes == 0:
        raise InvalidRequest(f"{url} is empty (0 bytes), no Parquet file")


# --- S3 -------------------------------------------------------------------------------------------


def _file_system(options: StoreOptions | None) -> Any:
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


def _expand_s3(url: str, options: StoreOptions | None) -> list[str]:
    with _errors(url, options):
        files = _file_system(options)
        if _PATTERN.isdisjoint(url):
            found = {url.removeprefix(_S3): files.info(url)}
        else:
            found = files.glob(url, detail=True)
    for name, information in found.items():
        if information["type"] == "directory" and len(found) == 1:
            raise InvalidRequest(
                f"s3://{name} is a directory; name its files: s3://{name}/*.parquet"
            )
    kept = {n: i for n, i in found.items() if i["type"] == "file"}
    for name, information in kept.items():
        _check_size(_S3 + name, information["size"])
    return [_S3 + name for name in sorted(kept)]


# --- opening --------------------------------------------------------------------------------------


@contextmanager
def _opened(url: str, options: StoreOptions | None) -> Iterator[pq.ParquetFile]:
    if not url.startswith(_S3):
        path = _local_path(url)
        _check_local(path, url)
        with pq.ParquetFile(path, buffer_size=_STREAM_BYTES) as file:
            yield file
        return
    # Ranges are read as pyarrow asks for them, a row group's together: a cache would read them
    # twice.
    with _file_system(options).open(url, "rb", cache_type="none") as raw:
        _check_size(url, raw.size)
        with pq.ParquetFile(raw, pre_buffer=True) as file:
            yield file


@contextmanager
def _errors(url: str, options: StoreOptions | None) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InvalidRequest(f"{url}: there is no such file") from error
    except PermissionError as error:
        raise InvalidRequest(f"{url}: not allowed to read: {error}") from error
    except (boto.BotoCoreError, boto.HTTPClientError, boto.ClientError) as error:
        raise _s3_error(url, options, error) from error
    except (pa.ArrowException, OSError) as error:
        if url.startswith(_S3) and not isinstance(error, pa.ArrowException):
            raise _s3_error(url, options, error) from error
        raise InvalidRequest(f"{url} does not read as Parquet: {error}") from error


def _s3_error(url: str, options: StoreOptions | None, error: Exception) -> Exception:
    endpoint = (options and options.endpoint_url) or "the default S3 endpoint"
    bucket = url.removeprefix(_S3).partition("/")[0]
    found = s3_error(error, S3Place(bucket=bucket, endpoint=endpoint, action=f"read {url}"))
    if isinstance(found, ObjectMissing):
        return InvalidRequest(f"{url}: there is no such file")
    return found

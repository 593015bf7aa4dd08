"""Objects in a bucket of S3 or a compatible server, through s3fs and its aiobotocore client.

One call here is one request there. Retries of botocore and of s3fs are off, because a conditional
write that is repeated behind our back reports our own object as somebody else's; `RetryingStore`
repeats what is idempotent and `settle` finds out about creates. (aiohttp may still resend once on a
connection that the server has closed: `settle` covers it.)

    create     one PUT with If-None-Match: *; never multipart, where servers ignore the condition
    list       ListObjectsV2 pages of our own, StartAfter the last name; no listing cache
    fetch      one GET, written to the file piece by piece in a thread
    put_file   multipart from 2 * _PART_BYTES on, by s3fs

A store belongs to the event loop of its first call and must be closed there. Buckets of the
directory type (S3 Express) do not list in byte order and cannot hold a database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import aiobotocore.session
import aiohttp
import botocore.exceptions as boto  # type: ignore[import-untyped]
import botocore.loaders  # type: ignore[import-untyped]
import s3fs

from storage.errors import InvalidRequest, Unavailable
from storage.objects.base import ObjectInfo
from storage.objects.names import check_list, check_name, check_range
from storage.objects.options import StoreOptions
from storage.objects.os_errors import os_errors
from storage.objects.s3_errors import S3Place, s3_error

__all__ = ["S3Store"]

_PART_BYTES = 16 << 20
_PARTS_AT_ONCE = 4
_WRITE_BYTES = 4 << 20
_CONNECTIONS_MAX = 64
_DESCRIPTIONS = botocore.loaders.create_loader()  # remembers what it has parsed
# boto.HTTPClientError is the parent of time-outs and broken connections, and no BotoCoreError's.
_FAILURES = (boto.BotoCoreError, boto.ClientError, aiohttp.ClientError, OSError)


class S3Store:
    """An `ObjectStore` over `s3://bucket/prefix`."""

    def __init__(self, bucket: str, prefix: str, options: StoreOptions) -> None:
        """Args: prefix: of every key, without a '/' at either end; empty for the whole bucket."""
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint = options.endpoint_url or "the default S3 endpoint"
        self._files = _file_system(options)
        self._client: Any = None

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    async def create(self, name: str, data: bytes) -> None:
        check_name(name)
        with self._errors(f"create object {name!r}"):
            await (await self._open()).put_object(**self._key(name), Body=data, IfNoneMatch="*")

    async def put(self, name: str, data: bytes) -> None:
        check_name(name)
        with self._errors(f"put object {name!r}"):
            await (await self._open()).put_object(**self._key(name), Body=data)

    async def put_file(self, name: str, path: Path) -> None:
        check_name(name)
        with os_errors(f"{self.url}: read {path} for object {name!r}"):
            if not await asyncio.to_thread(path.is_file):
                raise InvalidRequest(f"{self.url}: object {name!r}: {path} is not a file")
        with self._errors(f"put object {name!r}"):
            await self._open()
            await self._files._put_file(
                str(path),
                f"{self._bucket}/{self._prefix}{name}",
                chunksize=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    async def get(self, name: str) -> bytes:
        check_name(name)
        with self._errors(f"get object {name!r}"):
            return await self._body(name)

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        check_range(name, start, length)
        if length == 0:
            return b""
        asked = f"bytes={start}" if start < 0 else f"bytes={start}-{start + length - 1}"
        with self._errors(f"get a range of object {name!r}"):
            try:
                data = await self._body(name, Range=asked)
            except boto.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 416:
                    return b""
                raise
        return data[:length]

    async def fetch(self, name: str, path: Path) -> int:
        check_name(name)
        what = f"{self.url}: write object {name!r} to {path}"
        with self._errors(f"get object {name!r}"):
            answer = await (await self._open()).get_object(**self._key(name))
            async with answer["Body"] as body:
                with os_errors(what):
                    file = await asyncio.to_thread(path.open, "xb")
                try:
                    size_bytes = 0
                    async for piece in _pieces(body):
                        with os_errors(what):
                            await asyncio.to_thread(file.write, piece)
                        size_bytes += len(piece)
                    with os_errors(what):
                        file.close()
                    self._check_length(name, size_bytes, answer)
                except BaseException:
                    _discard(file, path)
                    raise
        return size_bytes

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        check_list(prefix, page_size)
        after, more = start_after, True
        while more:
            with self._errors(f"list objects {prefix!r}"):
                answer = await (await self._open()).list_objects_v2(
                    Bucket=self._bucket,
                    Prefix=f"{self._prefix}{prefix}",
                    MaxKeys=page_size,
                    **({"StartAfter": f"{self._prefix}{after}"} if after else {}),
                )
            if "IsTruncated" not in answer:  # somebody's page is no proof that nothing is there
                raise Unavailable(
                    f"{self.url}: list objects {prefix!r}: what {self._endpoint} answered is no "
                    "list of S3's; check what stands between, then retry"
                )
            found = answer.get("Contents", ())
            for entry in found:
                name = entry["Key"][len(self._prefix) :]
                if name and not name.endswith("/"):  # a console's folder marker is no object
                    yield ObjectInfo(name=name, size_bytes=entry["Size"])
            more = bool(answer.get("IsTruncated")) and bool(found)
            if more:
                after = found[-1]["Key"][len(self._prefix) :]

    async def delete(self, name: str) -> None:
        check_name(name)
        with self._errors(f"delete object {name!r}"):
            await (await self._open()).delete_object(**self._key(name))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _open(self) -> Any:
        try:
            self._client = await self._files.set_session()
        except ValueError as error:
            raise InvalidRequest(f"{self.url} at {self._endpoint}: {error}") from error
        return self._client

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{name}"}

    async def _body(self, name: str, **arguments: str) -> bytes:
        answer = await (await self._open()).get_object(**self._key(name), **arguments)
        async with answer["Body"] as body:
            data: bytes = await body.read()
        self._check_length(name, len(data), answer)
        return data

    def _check_length(self, name: str, size_bytes: int, answer: dict[str, Any]) -> None:
        expected = answer.get("ContentLength", size_bytes)
        if size_bytes != expected:
            raise Unavailable(
                f"{self.url}: object {name!r}: expected {expected} bytes, found {size_bytes} "
                f"before {self._endpoint} closed the connection; retry"
            )

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            place = S3Place(bucket=self._bucket, endpoint=self._endpoint, action=action)
            raise s3_error(error, place) from error


def _file_system(options: StoreOptions) -> Any:
    files = s3fs.S3FileSystem(
        endpoint_url=options.endpoint_url,
        key=options.key,
        secret=options.secret,
        token=options.token,
        asynchronous=True,
        session=_session(),
        skip_instance_cache=True,
        use_listings_cache=False,
        client_kwargs={"region_name": options.region} if options.region else {},
        config_kwargs={
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "connect_timeout": options.connect_timeout_ms / 1000,
            "read_timeout": options.read_timeout_ms / 1000,
            "max_pool_connections": _CONNECTIONS_MAX,
            # Compatible servers differ in the newer checksums; ours are in the formats.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "s3": {"addressing_style": "path" if options.endpoint_url else "auto"},
        },
    )
    files.retries = 1
    return files


def _session() -> Any:
    """One that finds botocore's descriptions of S3 already parsed: each would parse them anew, for
    a tenth of a second."""
    session = aiobotocore.session.AioSession()
    session.register_component("data_loader", _DESCRIPTIONS)
    return session


def _discard(file: IO[bytes], path: Path) -> None:
    with suppress(OSError):
        file.close()
    path.unlink(missing_ok=True)


async def _pieces(body: Any) -> AsyncIterator[bytes]:
    """The body in pieces worth a thread's time."""
    parts: list[bytes] = []
    held_bytes = 0
    while part := await body.read(1 << 20):
        parts.append(part)
        held_bytes += len(part)
        if held_bytes >= _WRITE_BYTES:
            yield b"".join(parts)
            parts, held_bytes = [], 0
    yield b"".join(parts)

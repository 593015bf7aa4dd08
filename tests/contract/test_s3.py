"""What only S3 has: errors of the server and the way there, multipart, one request per call."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from storage.clock import SystemClock
from storage.errors import InvalidRequest, ObjectExists, ObjectMissing, Unavailable
from storage.objects import Created, Exists, ObjectStore, StoreOptions, create_settled, open_store
from storage.objects.s3 import S3Store
from tests.s3_server import S3Server, free_port

T = TypeVar("T")
BUCKET = "mobula-contract"


def run(store: ObjectStore, body: Coroutine[Any, Any, T]) -> T:
    async def main() -> T:
        try:
            return await body
        finally:
            await store.close()

    return asyncio.run(main())


def prefix() -> str:
    return f"{uuid4().hex}/root"


SILENCE = b""


class Wire:
    """A TCP server in the test's loop that records requests and gives scripted answers."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.handlers: list[asyncio.Task[None]] = []
        self.url = ""

    async def __aenter__(self) -> Wire:
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()
        await asyncio.gather(*self.handlers)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.handlers.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"expect:"):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if head.startswith(b"PUT"):
            head += await reader.readexactly(length)
        self.requests.append(head)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            writer.write(answer)
            await writer.drain()
        if answer == SILENCE:
            await reader.read()  # until the client hangs up
        writer.close()
        await writer.wait_closed()


def answer(status: str, code: str, headers: str = "") -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told</Message></Error>"
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nConnection: close\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def options(url: str) -> StoreOptions:
    return StoreOptions(endpoint_url=url, key="k", secret="s", region="us-east-1")


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (answer("412 Precondition Failed", "PreconditionFailed"), ObjectExists, "log/1"),
        (answer("409 Conflict", "ConditionalRequestConflict"), Unavailable, "409"),
        (answer("409 Conflict", "OperationAborted"), Unavailable, "409"),
        (answer("503 Slow Down", "SlowDown"), Unavailable, "SlowDown"),
        (answer("500 Internal Server Error", "InternalError"), Unavailable, "127.0.0.1"),
        (answer("400 Bad Request", "RequestTimeout"), Unavailable, "RequestTimeout"),
        (answer("403 Forbidden", "AccessDenied"), InvalidRequest, "check key"),
        (answer("403 Forbidden", "RequestTimeTooSkewed"), InvalidRequest, "clock"),
        (answer("404 Not Found", "NoSuchBucket"), InvalidRequest, "bucket 'bucket'"),
        (answer("301 Moved Permanently", "PermanentRedirect"), InvalidRequest, "region"),
        (answer("400 Bad Request", "AuthorizationHeaderMalformed"), InvalidRequest, "region"),
        (answer("501 Not Implemented", "NotImplemented"), InvalidRequest, "If-None-Match"),
    ],
)
def test_create_is_one_conditional_request_and_its_error_is_translated(
    reply: bytes, error: type[Exception], told: str
) -> None:
    async def main() -> None:
        async with Wire(reply, OK) as wire:
            store = S3Store("bucket", "root", options(wire.url))
            with pytest.raises(error, match=told) as caught:
                await store.create("log/1", b"x" * 100_000)
            await store.close()
            assert "log/1" in str(caught.value)
            assert "'bucket'" in str(caught.value)
            assert wire.url in str(caught.value)
        # A redirect makes botocore ask for the bucket's region; that is not another PUT.
        assert [head.split(b" ")[0] for head in wire.requests].count(b"PUT") == 1
        assert wire.requests[0].startswith(b"PUT /bucket/root/log/1 HTTP/1.1\r\n")
        assert b"\r\nif-none-match: *\r\n" in wire.requests[0].lower()
        assert wire.requests[0].endswith(b"\r\n\r\n" + b"x" * 100_000)

    asyncio.run(main())


def test_create_of_a_large_object_is_still_one_request() -> None:
    async def main() -> None:
        async with Wire(OK) as wire:
            store = S3Store("bucket", "", options(wire.url))
            await store.create("log/1", b"x" * (40 << 20))
            await store.close()
        assert len(wire.requests) == 1

    asyncio.run(main())


def test_a_lost_connection_is_unavailable_and_not_exists() -> None:
    async def main() -> None:
        async with Wire(None, None, None) as wire:
            store = S3Store("bucket", "", options(wire.url))
            with pytest.raises(Unavailable, match=wire.url):
                await store.create("log/1", b"1")
            await store.close()
        # aiohttp itself resends once when the server hangs up; no layer above does.
        assert len(wire.requests) <= 2

    asyncio.run(main())


@pytest.mark.parametrize("size_told", [20, 1000])
def test_a_body_that_ends_early_is_unavailable(size_told: int, tmp_path: Path) -> None:
    reply = (
        f"HTTP/1.1 200 OK\r\nContent-Length: {size_told}\r\nConnection: close\r\n\r\nonly this"
    ).encode()

    async def main() -> None:
        async with Wire(reply, reply) as wire:
            store = S3Store("bucket", "", options(wire.url))
            with pytest.raises(Unavailable, match="log/1"):
                await store.get("log/1")
            with pytest.raises(Unavailable, match="log/1"):
                await store.fetch("log/1", tmp_path / "file")
            await store.close()
        assert not (tmp_path / "file").exists()

    asyncio.run(main())


def test_a_silent_server_times_out() -> None:
    async def main() -> None:
        async with Wire(*[SILENCE] * 3) as wire:
            store = S3Store("bucket", "", replace(options(wire.url), read_timeout_ms=100))
            with pytest.raises(Unavailable, match="log/1"):
                await store.get("log/1")
            await store.close()
            assert len(wire.requests) == 1

    asyncio.run(main())


def test_an_unreachable_endpoint_is_unavailable_within_the_budget() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    chosen = replace(options(endpoint), retry_budget_ms=400)
    store = open_store("s3://bucket/root", chosen, clock=SystemClock())
    started_s = time.monotonic()

    async def body() -> None:
        with pytest.raises(Unavailable, match=endpoint) as caught:
            await store.get("format")
        assert "'format' failed" in str(caught.value)
        with pytest.raises(Unavailable, match="unknown"):
            await create_settled(store, "format", b"1", clock=SystemClock(), budget_ms=100)

    run(store, body())
    assert time.monotonic() - started_s < 10


@pytest.mark.parametrize("endpoint", ["not a url", "http://"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    store = open_store("s3://bucket/root", options(endpoint), clock=SystemClock())

    async def body() -> None:
        with pytest.raises(InvalidRequest):
            await store.get("format")

    run(store, body())


def test_large_files_go_up_in_parts(s3_server: S3Server, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 37
    (tmp_path / "source").write_bytes(data)
    store = open_store(f"s3://{BUCKET}/{prefix()}", s3_server.options(), clock=SystemClock())

    async def body() -> None:
        await store.put_file("data/1", tmp_path / "source")
        assert await store.fetch("data/1", tmp_path / "target") == len(data)
        assert (tmp_path / "target").read_bytes() == data
        with pytest.raises(ObjectExists):
            await store.create("data/1", b"another")

    run(store, body())


def test_a_missing_bucket_is_named(s3_server: S3Server) -> None:
    store = open_store("s3://mobula-not-there/root", s3_server.options(), clock=SystemClock())

    async def body() -> None:
        for call in (store.get("a"), store.create("a", b"1"), anext(aiter(store.list("")))):
            with pytest.raises(InvalidRequest, match="mobula-not-there"):
                await call

    run(store, body())


def test_wrong_credentials_are_refused_with_advice(real: S3Server) -> None:
    wrong = replace(real, secret="wrong")
    store = open_store(f"s3://{BUCKET}/{prefix()}", wrong.options(), clock=SystemClock())

    async def body() -> None:
        for call in (store.get("a"), store.create("a", b"1"), anext(aiter(store.list("")))):
            with pytest.raises(InvalidRequest, match="check key, secret"):
                await call

    run(store, body())


def test_thirty_settled_creates_agree_on_the_winner(s3_server: S3Server) -> None:
    store = open_store(f"s3://{BUCKET}/{prefix()}", s3_server.options(), clock=SystemClock())

    async def body() -> None:
        outcomes = await asyncio.gather(
            *(
                create_settled(store, "log/1", b"nonce %d" % n, clock=SystemClock())
                for n in range(30)
            )
        )
        winner = [n for n, outcome in enumerate(outcomes) if outcome == Created()]
        assert len(winner) == 1
        assert outcomes.count(Exists(data=b"nonce %d" % winner[0])) == 29

    run(store, body())


def test_databases_in_one_bucket_do_not_see_each_other(s3_server: S3Server) -> None:
    root = prefix()
    one, two, inner = (
        open_store(f"s3://{BUCKET}/{root}{end}", s3_server.options(), clock=SystemClock())
        for end in ("", "2", "/inner")
    )

    async def body() -> None:
        await one.put("a", b"1")
        await two.put("a", b"2")
        await inner.put("b", b"3")
        assert [info.name async for info in one.list("")] == ["a", "inner/b"]
        assert [info.name async for info in two.list("")] == ["a"]
        with pytest.raises(ObjectMissing):
            await two.get("b")
        await two.close()
        await inner.close()

    run(one, body())

"""Finding and streaming the files that users load, from directories and from S3."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import InvalidRequest, Unavailable
from storage.objects.options import StoreOptions
from storage.sources import expand_source, read_source
from tests.s3_server import S3Server, free_port, moto_server

ROWS = pa.table({"a": range(100)})


def put(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(ROWS, directory / name, row_group_size=40)


# --- directories ----------------------------------------------------------------------------------


def test_patterns_expand_in_order(tmp_path: Path) -> None:
    put(tmp_path, "b.parquet", "a.parquet", "deep/c.parquet")
    (tmp_path / "d.parquet").mkdir()
    (tmp_path / "note.txt").write_text("x")
    names = [str(tmp_path / name) for name in ("a.parquet", "b.parquet", "deep/c.parquet")]
    assert expand_source(f"{tmp_path}/*.parquet") == names[:2]
    assert expand_source(f"file://{quote(str(tmp_path))}/*.parquet") == names[:2]
    assert expand_source(f"{tmp_path}/**/*.parquet") == names
    assert expand_source(names[0]) == names[:1]


def test_a_name_that_looks_like_a_pattern_is_a_name_first(tmp_path: Path) -> None:
    put(tmp_path, "a[1].parquet", "a1.parquet")
    assert expand_source(f"{tmp_path}/a[1].parquet") == [f"{tmp_path}/a[1].parquet"]


def test_a_file_streams_in_batches(tmp_path: Path) -> None:
    put(tmp_path, "a.parquet")
    batches = list(read_source(f"{tmp_path}/a.parquet", batch_rows=30))
    assert [batch.num_rows for batch in batches] == [30, 10, 30, 10, 20]
    assert pa.Table.from_batches(batches).equals(ROWS)
    assert sum(b.num_rows for b in read_source(f"file://{quote(str(tmp_path))}/a.parquet")) == 100


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "text.parquet").write_text("not parquet at all")
    put(tmp_path, "cut.parquet")
    whole = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:4] + bytes(200) + whole[204:])
    for call, url, message in (
        (expand_source, f"{tmp_path}/*.csv", "no file matches"),
        (expand_source, f"{tmp_path}/absent", "there is no such file"),
        (read_source, f"{tmp_path}/absent", "there is no such file"),
        (expand_source, str(tmp_path), "is a directory; name its files"),
        (expand_source, f"{tmp_path}/empty.*", r"empty \(0 bytes\)"),
        (read_source, f"{tmp_path}/empty.parquet", r"empty \(0 bytes\)"),
        (read_source, f"{tmp_path}/text.parquet", "does not read as Parquet"),
        (read_source, f"{tmp_path}/cut.parquet", "does not read as Parquet"),
        (expand_source, "http://example.com/a.parquet", "expected a path, file:///… or s3://…"),
        (expand_source, "file://elsewhere/a.parquet", "expected a path"),
    ):
        with pytest.raises(InvalidRequest, match=message) as caught:
            list(call(url))
        assert url.removesuffix("*") in str(caught.value)


# --- S3 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as found:
        found.make_bucket("sources")
        yield found


def fill(server: S3Server, objects: dict[str, bytes]) -> None:
    import boto3  # type: ignore[import-untyped]

    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.key,
        aws_secret_access_key=server.secret,
        region_name=server.region,
    )
    for key, data in objects.items():
        client.put_object(Bucket="sources", Key=key, Body=data)
    client.close()


def test_s3_patterns_expand_and_files_stream(server: S3Server, tmp_path: Path) -> None:
    put(tmp_path, "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    fill(server, {"in/b.parquet": data, "in/a.parquet": data, "in/deep/c.parquet": data})
    urls = ["s3://sources/in/a.parquet", "s3://sources/in/b.parquet"]
    assert expand_source("s3://sources/in/*.parquet", server.options()) == urls
    assert expand_source(urls[0], server.options()) == urls[:1]
    batches = list(read_source(urls[1], server.options(), batch_rows=30))
    assert [batch.num_rows for batch in batches] == [30, 10, 30, 10, 20]
    assert pa.Table.from_batches(batches).equals(ROWS)

    async def in_a_thread() -> int:
        found = await asyncio.to_thread(lambda: list(read_source(urls[0], server.options())))
        return sum(batch.num_rows for batch in found)

    assert asyncio.run(in_a_thread()) == 100


def test_s3_failures_are_named(server: S3Server) -> None:
    fill(server, {"bad/empty.parquet": b"", "bad/text.parquet": b"no parquet file, really"})
    for call, url, message in (
        (expand_source, "s3://sources/bad/*.csv", "no file matches"),
        (expand_source, "s3://sources/bad/absent", "there is no such file"),
        (read_source, "s3://sources/bad/absent", "there is no such file"),
        (expand_source, "s3://sources/bad", "is a directory; name its files"),
        (expand_source, "s3://sources/bad/empty.*", r"empty \(0 bytes\)"),
        (read_source, "s3://sources/bad/empty.parquet", r"empty \(0 bytes\)"),
        (read_source, "s3://sources/bad/text.parquet", "does not read as Parquet"),
    ):
        with pytest.raises(InvalidRequest, match=message) as caught:
            list(call(url, server.options()))
        assert url.removesuffix("*") in str(caught.value)


def test_a_server_that_is_down_is_unavailable() -> None:
    options = StoreOptions(
        endpoint_url=f"http://127.0.0.1:{free_port()}",
        key="a",
        secret="b",
        region="us-east-1",
        retry_budget_ms=0,
    )
    with pytest.raises(Unavailable, match="s3://nobody/a"):
        expand_source("s3://nobody/a", options)

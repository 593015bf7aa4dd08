"""From URL to store, and the options of S3."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from storage.clock import SystemClock
from storage.errors import InvalidRequest
from storage.objects import (
    LocalStore,
    LockingStore,
    MemoryStore,
    RetryingStore,
    StoreOptions,
    open_store,
)

CLOCK = SystemClock()


def test_paths_and_file_urls_are_directories(tmp_path: Path) -> None:
    for url in (str(tmp_path), f"file://{tmp_path}", f"file://localhost{tmp_path}"):
        store = open_store(url, None, clock=CLOCK)
        assert isinstance(store, LocalStore)
        assert isinstance(store, LockingStore)
        assert store.root == tmp_path
        assert store.url == url


def test_file_urls_are_decoded() -> None:
    store = open_store("file:///data/my%20root%23", None, clock=CLOCK)
    assert isinstance(store, LocalStore)
    assert store.root == Path("/data/my root#")


def test_memory_urls_of_one_name_are_one_store() -> None:
    one = open_store("memory://factory-one", None, clock=CLOCK)
    assert open_store("memory://factory-one", None, clock=CLOCK) is one
    assert open_store("memory://factory-two", None, clock=CLOCK) is not one
    assert not isinstance(one, LockingStore)
    MemoryStore.forget("factory-one")
    assert open_store("memory://factory-one", None, clock=CLOCK) is not one
    MemoryStore.forget("factory-one")
    MemoryStore.forget("factory-two")


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/some/prefix", "S3://bucket/prefix/"])
def test_s3_urls_are_retried(url: str) -> None:
    store = open_store(url, StoreOptions(), clock=CLOCK)
    assert isinstance(store, RetryingStore)
    assert store.url == "s3" + url[2:].rstrip("/")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "path"),
        ("gs://bucket/prefix", "s3://bucket/prefix"),
        ("https://host/path", "memory://name"),
        ("file://host/path", "file:///path"),
        ("file:///path?query", "%3F"),
        ("s3://", "bucket"),
        ("s3:///prefix", "bucket"),
        ("s3://bucket/a//b", "a//b"),
        ("s3://bucket/../b", "prefix"),
        ("s3://bucket/a?b", "prefix"),
        ("s3://bucket/" + "x" * 300, "prefix"),
    ],
)
def test_other_urls_are_refused_with_the_forms_there_are(url: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        open_store(url, StoreOptions(), clock=CLOCK)
    assert told in str(caught.value)


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidRequest) as caught:
        open_store("s3://user:hunter2@host/bucket", StoreOptions(), clock=CLOCK)
    assert "hunter2" not in str(caught.value)


def test_options_come_from_the_environment_as_for_botocore() -> None:
    options = StoreOptions.from_environment(
        {
            "AWS_ENDPOINT_URL": "http://general",
            "AWS_ENDPOINT_URL_S3": "http://special",
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_SESSION_TOKEN": "t",
            "AWS_DEFAULT_REGION": "eu-north-1",
        }
    )
    assert options == StoreOptions(
        endpoint_url="http://special", key="k", secret="s", token="t", region="eu-north-1"
    )
    assert StoreOptions.from_environment({}) == StoreOptions()


def test_options_pickle_with_secrets_and_print_without() -> None:
    options = StoreOptions(key="public", secret="hunter2", token="hunter3")
    assert pickle.loads(pickle.dumps(options)) == options
    assert "public" in repr(options)
    assert "hunter" not in repr(options)

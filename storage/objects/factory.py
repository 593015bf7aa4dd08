"""From the URL of a database's root to its store."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.clock import Clock
from storage.errors import InvalidRequest
from storage.objects.base import ObjectStore
from storage.objects.local import LocalStore
from storage.objects.memory import MemoryStore
from storage.objects.options import StoreOptions

__all__ = ["open_store"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_PREFIX_BYTES_MAX = 200


def open_store(url: str, options: StoreOptions | None, *, clock: Clock) -> ObjectStore:
    """The store under a root URL. Asks nothing of it yet; `close` it where it was used.

    Args:
        url: `file:///path` or a plain path; `s3://bucket/prefix`; `memory://name`, which is one
            store for the whole process.
        options: for S3; None reads the AWS_… environment variables.
    Raises:
        InvalidRequest: a URL of another form, naming the forms there are.
    """
    match = _SCHEME.fullmatch(url)
    if match is None:
        return _plain_path(url)
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        return _file(url)
    if scheme == "s3":
        return _s3(rest, options or StoreOptions.from_environment(), clock)
    if scheme == "memory":
        return MemoryStore.named(rest)
    raise InvalidRequest(
        f"root URL of scheme {scheme!r}: expected file:///path, a plain path, s3://bucket/prefix "
        "or memory://name"
    )


def _plain_path(url: str) -> ObjectStore:
    if not url or "\0" in url:
        raise InvalidRequest(f"root URL {url!r}: expected a path or a URL")
    return LocalStore(Path(url))


def _file(url: str) -> ObjectStore:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path or parts.query or parts.fragment:
        raise InvalidRequest(
            f"root URL {url!r}: expected file:///path, absolute and on this machine "
            "(write '?' and '#' as %3F and %23)"
        )
    return LocalStore(Path(unquote(parts.path)), url=url)


def _s3(rest: str, options: StoreOptions, clock: Clock) -> ObjectStore:
    from storage.objects.retry import RetryingStore
    from storage.objects.s3 import S3Store

    bucket, _, prefix = rest.partition("/")
    prefix = prefix.rstrip("/")
    if not _BUCKET.fullmatch(bucket):
        # Not repeated in the message: what stands here by mistake is often user:password@host.
        raise InvalidRequest(
            "S3 root URL: expected s3://bucket/prefix with a valid bucket name; credentials and "
            "the endpoint go into StoreOptions or the AWS_… environment variables"
        )
    if prefix and not _is_prefix(prefix):
        raise InvalidRequest(
            f"S3 root URL: prefix {prefix!r} has an empty, '.' or '..' part, '?', '#' or a control "
            f"character, or more than {_PREFIX_BYTES_MAX} bytes"
        )
    store = S3Store(bucket, prefix, options)
    return RetryingStore(store, clock=clock, budget_ms=options.retry_budget_ms)


def _is_prefix(prefix: str) -> bool:
    return (
        not {"", ".", ".."} & set(prefix.split("/"))
        and not set("?#\\") & set(prefix)
        and prefix.isprintable()
        and len(prefix.encode()) <= _PREFIX_BYTES_MAX
    )

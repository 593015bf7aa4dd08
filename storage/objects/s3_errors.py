"""What an S3 server or its client reports, translated into the tree of `storage.errors`.

    404 NoSuchKey                      ObjectMissing
    412 PreconditionFailed             ObjectExists    (maybe our own write, sent twice)
    409 ConditionalRequestConflict     Unavailable     (another create is in flight: not "exists")
    404 NoSuchBucket, 401, 403, 3xx, other 4xx    InvalidRequest, saying what to check
    429, 5xx, time-outs, connections, damage on the way    Unavailable, naming the endpoint

Errors come raw from the client, or wrapped by s3fs into an OSError whose cause is the raw one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import botocore.exceptions as boto  # type: ignore[import-untyped]

from storage.errors import (
    InvalidRequest,
    MobulaError,
    ObjectExists,
    ObjectMissing,
    Unavailable,
)

__all__ = ["S3Place", "s3_error"]

_MISSING = {"NoSuchKey", "404", "NotFound"}
_PASSING = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "XAmzContentSHA256Mismatch",
}
_CREDENTIALS = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
_REGION = {
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "IllegalLocationConstraintException",
}
_CONFIGURATION = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ParamValidationError,
    boto.InvalidRegionError,
    boto.NoRegionError,
    boto.ProfileNotFound,
    boto.UnknownEndpointError,
    boto.InvalidConfigError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """Where the call went, for the message."""

    bucket: str
    endpoint: str
    action: str

    def __str__(self) -> str:
        return f"{self.action} in bucket {self.bucket!r} at {self.endpoint}"


def s3_error(error: Exception, place: S3Place) -> MobulaError:
    """The error of the tree for one that aiobotocore or s3fs raised."""
    raw = error.__cause__ if isinstance(error.__cause__, boto.ClientError) else error
    if isinstance(raw, boto.ClientError):
        return _answered(raw.response, place)
    if isinstance(raw, _CONFIGURATION):
        return InvalidRequest(
            f"{place}: {raw}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give StoreOptions"
        )
    found = f"{type(raw).__name__}: {raw}" if str(raw) else type(raw).__name__
    return Unavailable(f"{place}: {found}; check that the endpoint is right and up, then retry")


def _answered(response: dict[str, Any], place: S3Place) -> MobulaError:
    """For an answer of the server: by its code first, because servers differ in the status."""
    error = response.get("Error", {})
    code = str(error.get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    found = f"{place}: the server answered {status} {code} {error.get('Message', '')}".rstrip()
    if code == "NoSuchBucket":
        return InvalidRequest(f"{found}; make bucket {place.bucket!r} or correct the URL")
    if status == 412 or code == "PreconditionFailed":
        return ObjectExists(f"{found}; an object of that name exists")
    if code in _PASSING or status in {409, 429} or (status >= 500 and status != 501):
        return Unavailable(f"{found}; retry later")
    if status == 404 or code in _MISSING:
        return ObjectMissing(f"{found}; there is no such object")
    return InvalidRequest(f"{found}; {_advice(code, status)}")


def _advice(code: str, status: int) -> str:
    if code == "RequestTimeTooSkewed":
        return "set this machine's clock"
    if code in _REGION or 300 <= status < 400:
        return "set the region (AWS_REGION) and the endpoint that the bucket is in"
    if code in _CREDENTIALS or status in {401, 403}:
        return (
            "check key, secret and token, and that they may get, put, delete and list there "
            "(without list permission a missing object is also reported so)"
        )
    if status == 501 or code == "NotImplemented":
        return "this server lacks a function that Mobula needs (If-None-Match on PUT, range GET)"
    return "the server does not accept this call"

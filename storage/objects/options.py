"""How to reach and enter an S3 store: a value, built at the entry point, for every process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["StoreOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Where the server is and who we are there. None leaves the choice to botocore's own chain
    (shared configuration files, instance roles). Pickles with its secrets, prints without.
    """

    endpoint_url: str | None = None
    key: str | None = None
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    region: str | None = None
    connect_timeout_ms: int = 5_000
    # Between two pieces of an answer, not for all of it.
    read_timeout_ms: int = 15_000
    retry_budget_ms: int = 30_000

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> StoreOptions:
        """What the AWS_… variables say, with botocore's names and precedence.

        Args: environment: instead of this process's own variables.
        """
        found = os.environ if environment is None else environment
        return cls(
            endpoint_url=found.get("AWS_ENDPOINT_URL_S3") or found.get("AWS_ENDPOINT_URL") or None,
            key=found.get("AWS_ACCESS_KEY_ID") or None,
            secret=found.get("AWS_SECRET_ACCESS_KEY") or None,
            token=found.get("AWS_SESSION_TOKEN") or None,
            region=found.get("AWS_REGION") or found.get("AWS_DEFAULT_REGION") or None,
        )

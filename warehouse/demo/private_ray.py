"""A Ray of our own on this machine, whatever else runs here, that leaves nothing behind."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["private_ray"]

OBJECT_STORE_BYTES = 256 << 20
_TEMPORARY = "/tmp"


@contextmanager
def private_ray(cpus: int) -> Iterator[None]:
    """Start Ray in this process's name and end it with the block, files included.

    Its token (see `RAY_AUTH_MODE`) is of this block too, so that other clusters of the same user
    neither take part nor are disturbed.

    Args:
        cpus: logical; more than there are only means that processes share them.
    """
    directory = Path(tempfile.mkdtemp(prefix="mobula-demo-ray-", dir=_TEMPORARY))
    token = directory / "token"
    token.write_text(secrets.token_hex(32), encoding="ascii")
    token.chmod(0o600)
    with _environment(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token)):
        import ray

        try:
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=str(directory),
            )
            yield
        finally:
            ray.shutdown()
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

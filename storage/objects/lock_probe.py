"""Is a directory's lock held? Asked without taking it, so that nobody who wants it is refused.

The operating system has no question for that. A lock that is shared cannot be had beside one that
is exclusive, so trying for a shared one, with a file that is open for reading only, tells; others
who ask at the same moment are not in the way. Whoever wants the lock in the instant until it is
given back is refused, and has to try once more (`actors/primary/reign.py` does).
"""

from __future__ import annotations

import contextlib
import fcntl
import os

from storage.objects.base import ObjectStore
from storage.objects.local import LocalStore
from storage.objects.os_errors import os_errors

__all__ = ["is_locked"]


def is_locked(store: ObjectStore, name: str) -> bool | None:
    """Whether somebody holds the lock of that name (`LockingStore.try_lock`), this process
    included; None: there are no locks on such a store.

    Raises InvalidRequest: the lock's file must not be read.
    """
    if not isinstance(store, LocalStore):
        return None
    with os_errors(f"{store.url}: lock {name!r}"), contextlib.suppress(FileNotFoundError):
        descriptor = os.open(store.lock_path(name), os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # as the file system has it
            return True
        finally:
            os.close(descriptor)  # gives it back
    return False

"""Object stores: one interface, three places, and wrappers that repeat, settle, count and fail."""

from storage.objects.base import HeldLock, LockingStore, ObjectInfo, ObjectStore, StagingStore
from storage.objects.counting import CountingStore, RequestCounts
from storage.objects.factory import open_store
from storage.objects.faulty import Fault, FaultyStore, Plan, scripted, seeded
from storage.objects.local import LocalStore
from storage.objects.memory import MemoryStore
from storage.objects.names import check_name
from storage.objects.options import StoreOptions
from storage.objects.retry import RetryingStore, backoff_ms
from storage.objects.settle import Created, Exists, create_settled

__all__ = [
    "CountingStore",
    "Created",
    "Exists",
    "Fault",
    "FaultyStore",
    "HeldLock",
    "LocalStore",
    "LockingStore",
    "MemoryStore",
    "ObjectInfo",
    "ObjectStore",
    "Plan",
    "RequestCounts",
    "RetryingStore",
    "StagingStore",
    "StoreOptions",
    "backoff_ms",
    "check_name",
    "create_settled",
    "open_store",
    "scripted",
    "seeded",
]

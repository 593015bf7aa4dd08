"""Local copies of immutable objects, within a budget."""

from storage.cache.directory import FileCache, Lease, own_directory, remove_stale

__all__ = ["FileCache", "Lease", "own_directory", "remove_stale"]

"""The shared data layer: objects, log, snapshots, micropartitions. Imports neither Ray nor SQL."""

__all__: list[str] = []

"""A primary as its node has it: with its settings, and its place on the local disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actors.primary.primary import Primary
from actors.primary.rewriter import OwnRewriter, Rewriter
from actors.settings import NodeSettings
from storage.clock import Clock
from storage.ids import Ids
from storage.log.takeover import Reign
from storage.objects import CountingStore, StagingStore

__all__ = ["node_primary"]


def node_primary(
    node: NodeSettings,
    reign: Reign,
    store: CountingStore,
    make_rewriter: Callable[[Rewriter], Rewriter],
    place: Path,
    *,
    clock: Clock,
    ids: Ids,
) -> Primary:
    """Not started yet. Args: make_rewriter: see `PrimaryService.open`; place: for its files."""
    settings = node.settings
    primary = Primary(
        reign,
        store=store,
        clock=clock,
        ids=ids,
        policy=settings.checkpoints,
        limits=settings.sequencer,
        keyed=settings.keyed,
        rewriter=make_rewriter(OwnRewriter(store, ids, settings.keyed.tasks_max, place)),
        retention=settings.retention,
        scratch=place,
    )
    if isinstance(store.inner, StagingStore):
        primary.collector.staging = store.inner
    return primary

"""What a cluster has and what its autoscaler is about, as values, and in words for an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from actors.fleet.nodes import Bundle, shape_text

__all__ = ["Supply", "supply_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """A cluster at one moment.

    Attributes:
        nodes: the resources of each node that is up, used or not, by Ray's names.
        free: of all nodes together, what nobody uses.
        starting: nodes that the autoscaler is adding, by node type.
        failed: why nodes did not come, in the autoscaler's words.
        infeasible: requested bundles that, as the autoscaler says, fit on no node type.
        requested: the bundles that it was asked to make room for by `request_resources`.
    """

    nodes: tuple[Mapping[str, float], ...] = ()
    free: Mapping[str, float] = field(default_factory=dict)
    starting: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    infeasible: tuple[Bundle, ...] = ()
    requested: tuple[Bundle, ...] = ()


def supply_text(wanted: Sequence[Bundle], supply: Supply) -> str:
    """A sentence: what a database asks for, what there is, what the autoscaler does about it."""
    counts = Counter(shape_text(bundle) for bundle in wanted)
    shapes = {shape_text(bundle): bundle for bundle in wanted}
    asked = " and ".join(f"{count} × {text}" for text, count in counts.items())
    parts = [f"this database asks for {asked}" if asked else "this database asks for nothing"]
    parts += [_room(text, shapes[text], supply) for text in counts]
    parts.append(_autoscaler(supply))
    parts += [f"no node type has {shape_text(bundle)}" for bundle in supply.infeasible]
    parts += [f"a node did not come: {reason}" for reason in supply.failed]
    return "; ".join(parts)


def _room(text: str, bundle: Bundle, supply: Supply) -> str:
    fit = [_fits(bundle, node) for node in supply.nodes]
    usable = sum(1 for count in fit if count)
    nodes = f"{len(supply.nodes)} node" + ("" if len(supply.nodes) == 1 else "s")
    if not usable:
        return f"none of the cluster's {nodes} can hold {text}"
    free = ", ".join(f"{supply.free.get(name, 0.0):g} {name}" for name in sorted(bundle))
    return f"{usable} of the cluster's {nodes} can hold {sum(fit)} of {text}, with {free} free"


def _fits(bundle: Bundle, node: Mapping[str, float]) -> int:
    """How many such bundles an empty node holds; Ray counts in ten-thousandths."""
    return min(
        round(node.get(name, 0.0) * 10_000) // max(1, round(amount * 10_000))
        for name, amount in bundle.items()
        if amount
    )


def _autoscaler(supply: Supply) -> str:
    if not supply.starting:
        return "the autoscaler is starting none"
    starting = ", ".join(f"{count} {kind}" for kind, count in sorted(supply.starting.items()))
    return f"the autoscaler is starting {starting}"

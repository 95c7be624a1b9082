"""One change told once, as a whole or by the parts that fill it."""

from __future__ import annotations

from collections.abc import Container, Sequence

import shapely

from groundbreak.events.geometry import containment
from groundbreak.events.identity import overlap
from groundbreak.types import Event

SHARED_GROUND = 0.25
"""Share of the smaller outline inside the other from which both tell of one thing: buildings do not
overlap, and outlines of neighbours less."""

PARTS_FILL = 0.5
"""Events within a larger one that cover less of it are parts of it; those that cover more may be
single buildings that one pair drew as one."""


def without_doubles(events: Sequence[Event], certain: Container[str]) -> list[Event]:
    """Leave out what tells a change again that another event tells.

    A look that is cloudy in part, or a building that leaves the rim of its successor bare, shows a
    part of a change, and may show it ever so slightly surer than the whole. So parts give way to a
    certain event that they do not fill; of what is left, the less certain one does.

    Args:
        events: of one site.
        certain: ids of those that are certain enough to be told.
    """
    tree = shapely.STRtree([event.geometry for event in events])
    doubles = [
        [n for n in tree.query(event.geometry) if n != i and _doubles(events[n], event)]
        for i, event in enumerate(events)
    ]
    parts: set[int] = set()
    for whole, others in zip(events, doubles, strict=True):
        within = [n for n in others if events[n].area_m2 < whole.area_m2]
        if within and whole.id in certain:
            sure = [events[n].geometry for n in within if events[n].id in certain]
            filled = shapely.union_all(sure).intersection(whole.geometry).area
            if filled < PARTS_FILL * whole.area_m2:
                parts.update(within)

    def rank(n: int) -> tuple[bool, float, float, str]:
        return n in parts, -events[n].confidence, -events[n].area_m2, events[n].id

    kept: set[int] = set()
    for n in sorted(range(len(events)), key=rank):
        if kept.isdisjoint(doubles[n]):
            kept.add(n)
    return [event for n, event in enumerate(events) if n in kept]


def _doubles(event: Event, other: Event) -> bool:
    if event.kind is not other.kind or not event.geometry.intersects(other.geometry):
        return False
    same_ground = containment(event.geometry, other.geometry) >= SHARED_GROUND
    return same_ground and overlap(event.interval, other.interval)

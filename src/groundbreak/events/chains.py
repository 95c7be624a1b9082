"""Events on one plot: what was torn down, and what took its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import shapely

from groundbreak.types import Event, Interval, Kind

MIN_OVERLAP = 0.2
"""Least share of the smaller of two footprints that lies on the other to be the same plot."""

_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


def link_chains(events: Sequence[Event]) -> list[Event]:
    """Link demolitions with the new buildings that stand on the same plot afterwards.

    A new building replaces a demolished one if their footprints share at least `MIN_OVERLAP` of
    the smaller and the demolition does not come later. ``replaces_overlap`` is the share of the
    event's own footprint that lies on the linked ones. If a look between the two shows neither
    building, both events state the interval in which the plot became bare ground.

    Returns:
        The events in the same order, with ``replaces``, ``replaced_by``, ``replaces_overlap``
        and ``cleared`` filled in.
    """
    razed = [n for n, event in enumerate(events) if event.kind is Kind.DEMOLITION]
    built = [n for n, event in enumerate(events) if event.kind is Kind.NEW_BUILDING]
    tree = shapely.STRtree([events[n].geometry for n in razed])
    links: list[tuple[int, int]] = []
    for new in built:
        for near in tree.query(events[new].geometry, predicate="intersects"):
            old = razed[int(near)]
            if _same_plot(events[old], events[new]) and _in_order(events[old], events[new]):
                links.append((old, new))
    linked = list(events)
    for n in {n for link in links for n in link}:
        after = sorted({new for old, new in links if old == n})
        before = sorted({old for old, new in links if new == n})
        others = shapely.union_all([events[m].geometry for m in (*before, *after)])
        own = events[n].geometry
        linked[n] = replace(
            events[n],
            replaces=tuple(events[m].id for m in before),
            replaced_by=tuple(events[m].id for m in after),
            replaces_overlap=min(float(own.intersection(others).area / own.area), 1.0),
            cleared=_cleared([(events[old], events[new]) for old, new in links if n in (old, new)]),
        )
    return linked


def _same_plot(old: Event, new: Event) -> bool:
    shared = old.geometry.intersection(new.geometry).area
    return bool(shared >= MIN_OVERLAP * min(old.geometry.area, new.geometry.area))


def _in_order(old: Event, new: Event) -> bool:
    """Whether the demolition may have come first, going by both ends of the intervals."""
    return (old.interval.start or _EVER) <= (new.interval.start or _EVER) and (
        old.interval.end or _NEVER
    ) <= (new.interval.end or _NEVER)


def _cleared(couples: Sequence[tuple[Event, Event]]) -> Interval | None:
    """When the plot was seen bare: the demolition's interval, if a look lies between the events."""
    seen = [
        old
        for old, new in couples
        if old.interval.end is not None
        and new.interval.start is not None
        and old.interval.end <= new.interval.start
    ]
    if not seen:
        return None
    starts = [old.interval.start for old in seen]
    ends = [old.interval.end for old in seen if old.interval.end is not None]
    known = [start for start in starts if start is not None]
    return Interval(min(known) if len(known) == len(starts) else None, max(ends))

"""Events keep their ids when a site is looked at again.

An object keeps its id by its footprint (`objects.follow_objects`). That is not enough where one
plot has several objects: a new look may tip the scale from one to another that tells the same
event, or cut the outline anew. Nor is it where a look was away for some runs, in which nothing was
to be followed, and comes back. Then the object that tells the event now takes the id of the one
that told it before, and gives it its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from groundbreak.events.geometry import area_ratio, containment, iou
from groundbreak.events.history import LedgerRow
from groundbreak.events.objects import KnownObject
from groundbreak.types import KINDS, Event, Interval, Kind

SAME_GROUND = 0.5
"""Share of the smaller outline within the larger one from which they are one event's."""


def object_of(event: Event) -> str:
    """Id of the object that an event happened to."""
    return object_id(event.id, event.kind)


def object_id(event: str, kind: Kind) -> str:
    """Id of the object that the event of this id happened to."""
    return event.removesuffix(event_id("", kind))


def event_id(name: str, kind: Kind) -> str:
    """Id of what happened to the object of this name."""
    return f"{name}-{kind.value}"


def swapped_ids(
    events: Sequence[Event], known: Sequence[KnownObject], least_area_ratio: float
) -> dict[str, str]:
    """Which objects go by another id, so that what was told before is told under the same one.

    Told before is an event of the same kind on the same ground, the intervals of which overlap, and
    of whose object nothing is told now. An object of which something was told before keeps its
    own id.

    Args:
        events: of the site, in the CRS of the footprints.
        known: objects of earlier runs, with what was told of them.
        least_area_ratio: of the smaller outline to the larger one; see ``ObjectConfig``.

    Returns:
        New ids by old ones; those that are exchanged occur both ways.
    """
    told = {object_of(event) for event in events}
    lost = [old for old in known if old.told and old.id not in told]
    before = {old.id for old in known if old.told}
    fresh = [event for event in events if object_of(event) not in before]
    matches = sorted(
        (
            (iou(old.footprint, event.geometry), old.id, object_of(event))
            for old in lost
            for event in fresh
            if event.kind in old.told
            and overlap(old.told[event.kind], event.interval)
            and containment(old.footprint, event.geometry) >= SAME_GROUND
            and area_ratio(old.footprint, event.geometry) >= least_area_ratio
        ),
        reverse=True,
    )
    swapped: dict[str, str] = {}
    for _, old, new in matches:
        if old not in swapped and new not in swapped:
            swapped |= {new: old, old: new}
    return swapped


def overlap(one: Interval, other: Interval) -> bool:
    """Whether one date may lie in both; their starts are outside of them, their ends inside."""
    never = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    start = max(interval.start or never[0] for interval in (one, other))
    return start < min(interval.end or never[1] for interval in (one, other))


def renamed_events(events: Sequence[Event], swapped: Mapping[str, str]) -> tuple[Event, ...]:
    """Events with the ids of their objects exchanged, in their links too.

    Also in links to events that are not told.
    """
    names = {
        event_id(old, kind): event_id(new, kind) for old, new in swapped.items() for kind in KINDS
    }
    return tuple(
        replace(
            event,
            id=names.get(event.id, event.id),
            replaces=tuple(names.get(name, name) for name in event.replaces),
            replaced_by=tuple(names.get(name, name) for name in event.replaced_by),
        )
        for event in events
    )


def renamed_ledger(
    ledger: Sequence[LedgerRow], swapped: Mapping[str, str]
) -> tuple[LedgerRow, ...]:
    """Rows with the ids of their objects exchanged."""
    return tuple(
        replace(row, object_id=swapped.get(row.object_id, row.object_id)) for row in ledger
    )

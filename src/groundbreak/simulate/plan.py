"""Which objects of a site rise, fall or are dug, and when: the exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from shapely import STRtree
from shapely.geometry import Point

from groundbreak.simulate.buildings import Building, Use, design
from groundbreak.simulate.layers import Rect
from groundbreak.simulate.works import Stage, Works
from groundbreak.types import Kind

UNFINISHED = 1e9
"""Day of a stage that is never reached."""


@dataclass(frozen=True)
class EventCounts:
    """How many events of each kind a site has; a chain is a demolition and a new building."""

    new: int = 8
    demolished: int = 5
    chains: int = 1
    slips: int = 1


@dataclass(frozen=True)
class Happening:
    """One true event, on the time axis of the site (days).

    ``begun``: works start; ``done``: the building stands, is gone, or the slip is flooded;
    ``cleared``: (from, to) when the plot was bare ground.
    """

    works_id: str
    kind: Kind
    begun: float
    done: float
    cleared: tuple[float, float] | None


def plan_rise(
    rng: np.random.Generator,
    name: str,
    building: Building,
    done: float,
    replaces: str | None = None,
) -> Works:
    """A building finished at a day: cleared, foundation, frame, roof."""
    large = building.footprint.area > 400
    frame = rng.uniform(25, 60) * (1.4 if large else 1.0)
    foundation = rng.uniform(12, 30)
    cleared = rng.uniform(10, 45)
    stages = (
        (done - frame - foundation - cleared, Stage.CLEARED),
        (done - frame - foundation, Stage.FOUNDATION),
        (done - frame, Stage.FRAME),
        (done, Stage.STANDING),
    )
    return Works(name, building, None, Stage.UNTOUCHED, stages, float(rng.uniform(3, 8)), replaces)


def plan_fall(rng: np.random.Generator, name: str, building: Building, done: float) -> Works:
    """A building that is gone at a day: roof off, rubble, bare ground."""
    strip, heap = rng.uniform(3, 15), rng.uniform(8, 35)
    stages = (
        (done - strip, Stage.STRIPPED),
        (done, Stage.RUBBLE),
        (done + heap, Stage.BARE),
    )
    return Works(name, building, None, Stage.STANDING, stages, float(rng.uniform(3, 7)))


def plan_slip(rng: np.random.Generator, name: str, rect: Rect, done: float) -> Works:
    """A slip that is flooded at a day, after it was dug behind a dam."""
    stages = ((done - rng.uniform(40, 110), Stage.DUG), (done, Stage.WATER))
    return Works(name, None, rect, Stage.UNTOUCHED, stages, 6.0)


def plan_chain(
    rng: np.random.Generator, name: str, old: Building, gone: float, done: float
) -> tuple[Works, Works]:
    """A building that falls and the one that takes its plot."""
    fall = plan_fall(rng, f"{name}-old", old, gone)
    rect = old.rect
    turned = Rect(
        rect.x + rng.uniform(-2, 2),
        rect.y + rng.uniform(-2, 2),
        rect.length * rng.uniform(0.8, 1.15),
        rect.width * rng.uniform(0.9, 1.25),
        rect.angle,
    )
    use = old.use if rng.random() < 0.5 else Use.HOUSE if rect.length < 20 else Use.HALL
    new = plan_rise(rng, f"{name}-new", design(rng, use, turned), done, replaces=fall.id)
    first_bare = fall.stages[-1][0]
    if new.stages[0][0] < first_bare:  # works on the new one start when the old one is gone
        scale = (done - first_bare) / (done - new.stages[0][0])
        moved = tuple((done - (done - day) * scale, stage) for day, stage in new.stages)
        new = Works(new.id, new.building, None, new.initial, moved, new.apron_m, new.replaces)
    return fall, new


def choose(
    rng: np.random.Generator,
    buildings: Sequence[Building],
    count: int,
    room: tuple[float, float, float, float],
    smallest_m2: float,
) -> list[int]:
    """Pick buildings for events: inside ``room``, large enough, well apart from each other.

    Half of them are the largest to be had, so that a site has more than small houses to show.

    Raises:
        ValueError: there are too few.
    """
    x0, y0, x1, y1 = room
    fit = [
        number
        for number, building in enumerate(buildings)
        if x0 < building.rect.x < x1
        and y0 < building.rect.y < y1
        and building.footprint.area >= smallest_m2
        and building.use is not Use.GREENHOUSE
    ]
    by_size = sorted(fit, key=lambda number: -buildings[number].footprint.area)
    large = by_size[: 2 * count : 2]
    anywhere = [fit[int(k)] for k in rng.permutation(len(fit))]
    chosen: list[int] = []
    for candidates, enough in ((large, count // 2), (anywhere, count)):
        for candidate in candidates:
            if candidate in chosen or len(chosen) >= enough:
                continue
            here = Point(buildings[candidate].rect.x, buildings[candidate].rect.y)
            others = STRtree([buildings[other].footprint for other in chosen])
            if not others.query(here, predicate="dwithin", distance=22.0).size:
                chosen.append(candidate)
    if len(chosen) < count:
        raise ValueError(f"only {len(chosen)} of {count} buildings can change")
    return [chosen[int(k)] for k in rng.permutation(count)]


def happening(works: Works, last_day: float) -> Happening | None:
    """The true event of an object's life up to the last day; None if nothing happened."""
    days = {stage: day for day, stage in works.stages}
    if works.slip is not None:
        kind, done, cleared = Kind.DOCKING_SLIP, days[Stage.WATER], None
    elif Stage.STANDING in days:
        kind, done = Kind.NEW_BUILDING, days[Stage.STANDING]
        cleared = (days[Stage.CLEARED], days[Stage.FOUNDATION])
    elif Stage.RUBBLE in days:
        kind, done = Kind.DEMOLITION, days[Stage.RUBBLE]
        cleared = (days[Stage.BARE], UNFINISHED)
    else:
        return None
    begun = works.stages[0][0]
    if begun > last_day:
        return None
    return Happening(works.id, kind, begun, done, cleared)

"""The coastal place of a simulated site: a port, a village, industry, fields and woods."""

from __future__ import annotations

import logging

import numpy as np

from groundbreak.simulate.buildings import Building, Use
from groundbreak.simulate.grid import DrawGrid
from groundbreak.simulate.land import Land, build_land
from groundbreak.simulate.plan import (
    EventCounts,
    choose,
    plan_chain,
    plan_fall,
    plan_rise,
    plan_slip,
)
from groundbreak.simulate.port import Port, build_port, slip_rect
from groundbreak.simulate.terrain import Coast
from groundbreak.simulate.trunks import draw_paths, draw_trunk, road
from groundbreak.simulate.works import Works
from groundbreak.simulate.world import (
    Plan,
    World,
    assemble,
    design_all,
    plots,
)

_log = logging.getLogger(__name__)

_QUARTERS = {
    "hamlet": 2.0,
    "village": 0.4,
    "suburb": 1.6,
    "industry": 2.6,
    "fields": 1.5,
    "strips": 0.6,
    "wood": 0.9,
    "scrub": 0.6,
    "bare": 0.4,
    "greenhouses": 0.3,
}
_ATTEMPTS = 40


def build_place(
    rng: np.random.Generator,
    grid: DrawGrid,
    bands: int,
    events: EventCounts,
    last_day: float,
) -> World:
    """Lay out a place where the wanted events fit.

    Args:
        rng: source of chance.
        grid: raster to draw on.
        bands: how many bands to draw.
        events: how many events of each kind.
        last_day: end of the observed time in days from its start.

    Raises:
        ValueError: no place with room for the events was found.
    """
    for attempt in range(_ATTEMPTS):
        try:
            smallest_m2 = 90.0 if attempt < _ATTEMPTS / 2 else 50.0
            return _attempt(rng, grid, bands, (events, smallest_m2), last_day)
        except ValueError as error:
            _log.debug("place %d has no room: %s", attempt, error)
    raise ValueError(f"no place of this size has room for {events}")


def _attempt(
    rng: np.random.Generator,
    grid: DrawGrid,
    bands: int,
    wanted: tuple[EventCounts, float],
    last_day: float,
) -> World:
    events, smallest_m2 = wanted
    side = grid.shape[0] * grid.step
    coast = _coast(rng, grid, side)
    land = build_land(rng, grid, _QUARTERS, coast, 0.25, patch_m=side * rng.uniform(0.2, 0.3))
    land = draw_trunk(rng, land, road(rng), 0.04 * side, 0.0)
    draw_paths(rng, land, 3)
    port = build_port(rng, land, coast.frame, 0.6 * side)
    spots = [*plots(rng, land), *((rect, Use.HALL, 0) for rect in port.halls)]
    buildings = design_all(rng, land, spots)
    count = events.new + events.demolished + events.chains
    edge = 0.06 * side
    x0, y0, x1, y1 = grid.extent
    room = (x0 + edge, y0 + edge, x1 - edge, y1 - edge)
    chosen = choose(rng, buildings, count, room, smallest_m2)
    works = _plan(rng, [buildings[i] for i in chosen], events, last_day)
    works += _slips(rng, land, port, events.slips, last_day)
    fixed = [b for i, b in enumerate(buildings) if i not in set(chosen)]
    if len(fixed) < 2 * count:
        raise ValueError("too few buildings stay")
    return assemble(rng, land, bands, Plan(fixed, works, port))


def _coast(rng: np.random.Generator, grid: DrawGrid, side: float) -> Coast:
    normal = float(rng.uniform(0, 2 * np.pi))
    back = 0.22 * side
    return Coast(
        x=float(grid.x0 + side / 2 - back * np.cos(normal)),
        y=float(grid.y0 + side / 2 - back * np.sin(normal)),
        normal=normal,
        swing=float(rng.uniform(0.01, 0.04) * side),
        wavelength=float(rng.uniform(0.8, 1.6) * side),
        phase=float(rng.uniform(0, 6.28)),
        slope=float(rng.uniform(0.04, 0.12)),
    )


def _plan(
    rng: np.random.Generator, chosen: list[Building], events: EventCounts, last: float
) -> list[Works]:
    works: list[Works] = []
    rising, falling = chosen[: events.new], chosen[events.new : events.new + events.demolished]
    for number, building in enumerate(rising):
        # One building is still under way at the last look; the others are finished by then.
        late = number == 0 and events.new > 2
        share = (number + rng.random()) / events.new
        done = last + 25 if late else (0.1 + 0.87 * share) * last
        works.append(plan_rise(rng, f"new{number + 1}", building, float(done)))
    for number, building in enumerate(falling):
        share = (number + rng.random()) / events.demolished
        done = float((0.06 + 0.88 * share) * last)
        works.append(plan_fall(rng, f"gone{number + 1}", building, done))
    for number, building in enumerate(chosen[events.new + events.demolished :]):
        gone = float(rng.uniform(0.12, 0.35) * last)
        done = float(rng.uniform(0.65, 0.92) * last)
        works += plan_chain(rng, f"chain{number + 1}", building, gone, done)
    return works


def _slips(
    rng: np.random.Generator, land: Land, port: Port, count: int, last: float
) -> list[Works]:
    """Slips cut into the quay where it is unbroken.

    Raises:
        ValueError: there is no unbroken stretch of quay long enough.
    """
    works: list[Works] = []
    for number in range(count):
        wide = float(rng.uniform(18, 36))
        u = port.free_quay(rng, land, wide + 12)
        rect = slip_rect(port.frame, u, float(rng.uniform(2.0, 3.5) * wide), wide)
        done = float(rng.uniform(0.3, 0.85) * last)
        works.append(plan_slip(rng, f"slip{number + 1}", rect, done))
    return works

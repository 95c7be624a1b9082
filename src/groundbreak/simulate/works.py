"""Things that come and go: buildings that rise or fall in stages, slips that are dug."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from shapely.geometry.base import BaseGeometry

from groundbreak.simulate.buildings import Building, Part, draw_building, footprint
from groundbreak.simulate.layers import Layers, Rect, lay, raise_to, rect_pixels
from groundbreak.simulate.noise import noise
from groundbreak.simulate.surfaces import Cover


class Stage(IntEnum):
    """How far the works on a plot are."""

    UNTOUCHED = 0
    CLEARED = 1  # bare ground before something is built
    FOUNDATION = 2
    FRAME = 3
    STANDING = 4
    STRIPPED = 5  # the roof is off, the walls stand
    RUBBLE = 6
    BARE = 7  # cleared after a demolition
    DUG = 8  # a slip's dry pit
    WATER = 9  # a slip in use


UNDER_WAY = frozenset({Stage.FOUNDATION, Stage.FRAME, Stage.STRIPPED, Stage.DUG})
"""Stages in which an object is neither there nor not there."""


@dataclass(frozen=True)
class Works:
    """One object's life: ``stages`` are (first day, stage) in order; it starts ``initial``.

    Exactly one of ``building`` and ``slip`` is set. ``replaces`` is the id of the object whose
    plot it takes. ``apron_m`` is how far the bare ground of the works reaches; ``yard`` lies
    around the building while it stands; ``flanks`` are piers that are built along a slip.
    """

    id: str
    building: Building | None
    slip: Rect | None
    initial: Stage
    stages: tuple[tuple[float, Stage], ...]
    apron_m: float = 5.0
    replaces: str | None = None
    yard: tuple[tuple[Rect, Cover], ...] = ()
    flanks: tuple[Rect, ...] = ()

    def stage(self, day: float) -> Stage:
        """The stage at a day."""
        now = self.initial
        for first, stage in self.stages:
            if first <= day:
                now = stage
        return now

    def first_day(self, stage: Stage) -> float:
        """The day a stage begins.

        Raises:
            KeyError: it never does.
        """
        return {found: day for day, found in self.stages}[stage]

    @property
    def rects(self) -> list[Rect]:
        """Rectangles of the footprint."""
        if self.slip is not None:
            return [self.slip]
        return [] if self.building is None else [part.rect for part in self.building.parts]

    @property
    def footprint(self) -> BaseGeometry:
        """Outline on the ground in the world's plane (x east, y south)."""
        return footprint(self.rects)


def ground_patches(works: Sequence[Works], day: float) -> list[tuple[Rect, Cover, float, int]]:
    """Bare ground, rubble and slabs at a day: (rectangle, cover, raggedness in metres, seed)."""
    patches: list[tuple[Rect, Cover, float, int]] = []
    for item in works:
        if item.building is None:
            patches += _slip_patches(item, day)
            continue
        stage, key = item.stage(day), item.building.key
        if stage == Stage.STANDING:
            patches += [(rect, cover, 0.0, key) for rect, cover in item.yard]
        if stage in {Stage.CLEARED, Stage.FOUNDATION, Stage.FRAME, Stage.BARE, Stage.RUBBLE}:
            around = item.building.rect.grown(item.apron_m)
            if len(item.building.parts) > 1:
                west, south, east, north = item.footprint.bounds
                if (east - west) * (north - south) < 900:
                    around = Rect(
                        (west + east) / 2,
                        (south + north) / 2,
                        east - west + item.apron_m,
                        north - south + item.apron_m,
                        0.0,
                    )
            patches.append((around, Cover.CLEARED, item.apron_m, key))
        if stage == Stage.FOUNDATION:
            patches += [(rect, Cover.SLAB, 0.0, key) for rect in item.rects]
        if stage == Stage.RUBBLE:
            patches += [(rect.grown(1.0), Cover.RUBBLE, 2.0, key) for rect in item.rects]
    return patches


def _slip_patches(item: Works, day: float) -> list[tuple[Rect, Cover, float, int]]:
    """A muddy pit while a slip is dug; walls and piers of concrete when it is in use."""
    if item.slip is None:
        return []
    stage = item.stage(day)
    if stage == Stage.DUG:
        around = item.slip.grown(9.0)
        return [(around, Cover.CLEARED, 9.0, 1), (item.slip, Cover.MUD, 0.0, 2)]
    if stage == Stage.WATER:
        walls = [item.slip.grown(2.0)] if not item.flanks else list(item.flanks)
        return [(rect, Cover.CONCRETE, 0.0, 3) for rect in walls]
    return []


def draw_works(layers: Layers, works: Sequence[Works], day: float) -> None:
    """Draw what stands of every object at a day (the ground below is drawn elsewhere)."""
    for item in works:
        if item.building is None:
            continue
        stage = item.stage(day)
        if stage == Stage.STANDING:
            draw_building(layers, item.building)
        elif stage in {Stage.FRAME, Stage.STRIPPED}:
            _draw_shell(layers, item.building, stage)
        elif stage == Stage.RUBBLE:
            _draw_heap(layers, item.building)
        elif stage == Stage.FOUNDATION:
            _draw_foundation(layers, item.building)


def _draw_shell(layers: Layers, building: Building, stage: Stage) -> None:
    """Walls without a roof: bright wall tops over dark rooms, or a floor slab with columns."""
    rng = np.random.default_rng(building.key + int(stage))
    bay = rng.uniform(3.2, 5.5)
    wall = np.float32(rng.uniform(0.24, 0.42))
    floor = np.float32(rng.uniform(0.09, 0.2))
    for part in building.parts:
        pixels = rect_pixels(layers.grid, part.rect)
        if pixels is None:
            continue
        to_wall = np.minimum(
            np.minimum(pixels.inside_u, pixels.inside_v),
            np.minimum(_to_line(pixels.u, bay * 1.3), _to_line(pixels.v, bay)),
        )
        beam = np.clip((0.45 - to_wall) / max(layers.grid.step, 0.2) + 0.5, 0, 1)
        tone = floor + (wall - floor) * beam
        tone = tone * (1 + 0.22 * layers.grain[pixels.window])
        tint = np.array([1.04, 1.0, 0.92, 1.1], np.float32)[: layers.bands]
        lay(layers, pixels.window, pixels.cover, np.maximum(tone, 0.02)[..., None] * tint)
        reach = _shell_height(part, stage)
        raise_to(layers, pixels.window, pixels.cover, np.where(beam > 0.4, reach, reach * 0.4))


def _shell_height(part: Part, stage: Stage) -> float:
    return part.eave * (0.8 if stage == Stage.STRIPPED else 0.65)


def _to_line(along: np.ndarray, period: float) -> np.ndarray:
    phase = np.mod(along, period)
    return np.minimum(phase, period - phase)


def _draw_foundation(layers: Layers, building: Building) -> None:
    for part in building.parts:
        pixels = rect_pixels(layers.grid, part.rect)
        if pixels is not None:
            raise_to(layers, pixels.window, pixels.cover, 0.4)


def _draw_heap(layers: Layers, building: Building) -> None:
    rng = np.random.default_rng(building.key + 3)
    for part in building.parts:
        pixels = rect_pixels(layers.grid, part.rect.grown(1.0))
        if pixels is None:
            continue
        lumps = noise(rng, pixels.cover.shape, 1.0)
        height = np.clip(0.5 + 0.6 * lumps, 0, 2.0)
        raise_to(layers, pixels.window, pixels.cover, height.astype(np.float32))

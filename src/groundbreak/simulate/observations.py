"""Simulated sites without pixels: what every look would say about every object.

For testing how dates are decoded, apart from how pixels are read. Every object has a true state
at every look; a look shows it with an error of its own, which all pairs with that look share, as
a remnant of cloud or a shadow spoils all pairs that its look is part of.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from groundbreak.simulate.buildings import footprint
from groundbreak.simulate.layers import Rect
from groundbreak.simulate.truth import TruthEvent
from groundbreak.types import BoolArray, FloatArray, Kind

SITE_M = 640.0
"""Side of a site."""
CELL_M = 64.0
"""Every object has a square of this side to itself."""


class PlotState(IntEnum):
    """The true state of a plot. A berth is ``ABSENT`` or ``PRESENT``."""

    ABSENT = 0
    WORKS = 1
    PRESENT = 2


class Story(IntEnum):
    """What happens to an object while it is watched."""

    STANDS = 0
    EMPTY = 1
    RISES = 2
    FALLS = 3
    REPLACED = 4
    DUG = 5


@dataclass(frozen=True)
class ObservationConfig:
    """How sites are watched and how well.

    ``looks`` (fewest, most) acquisitions with gaps of ``gap_days`` (least, most, log-uniform).
    ``stories`` weighs ``Story`` over ``objects`` objects a site. ``clear`` and ``overcast`` are
    the shares of cloudless and of wholly clouded looks, the others being partly cloudy;
    ``unmasked`` is the chance that a cloud over an object escapes the mask. ``shift_px`` bounds
    the misregistration; ``aligned`` is the share of looks of which it was corrected to within
    0.2 px.

    The difference between a building and no building is 1. ``look_error`` is the error of a
    look, shared by all its pairs; ``shift_error`` that of a small building per pixel of
    misregistration; ``works_error`` how differently slabs and scaffolds look; ``swing`` the
    amplitude of the seasons, larger on open ground; ``misled`` the chance that a look shows
    anything (snow, a shadow, cars) although no cloud is there. ``pair_error`` is an error of the
    single pair in log-odds.
    """

    looks: tuple[int, int] = (8, 30)
    gap_days: tuple[float, float] = (3.0, 120.0)
    objects: int = 40
    stories: tuple[float, ...] = (0.42, 0.28, 0.12, 0.09, 0.05, 0.04)
    clear: float = 0.5
    overcast: float = 0.12
    unmasked: float = 0.06
    shift_px: float = 1.5
    aligned: float = 0.9
    look_error: float = 0.16
    shift_error: float = 0.24
    works_error: float = 0.22
    swing: float = 0.1
    misled: float = 0.015
    pair_error: float = 0.5

    @staticmethod
    def perfect() -> ObservationConfig:
        """Evidence without any error; clouds and gaps stay."""
        return ObservationConfig(
            unmasked=0.0,
            aligned=1.0,
            look_error=0.0,
            shift_error=0.0,
            works_error=0.0,
            swing=0.0,
            misled=0.0,
            pair_error=0.0,
        )


@dataclass(frozen=True)
class ObservedSite:
    """A site's objects as its looks show them.

    ``states`` (objects, looks) of ``PlotState``; ``usable`` (objects, looks) share of the
    footprint; ``shown`` (objects, looks) what the look shows, about -1/2 for nothing and +1/2
    for a building or a berth; ``residual_px`` (looks,) left after
    alignment, ``aligned`` (looks,) whether it was corrected; ``berth`` (objects,) True for
    berths. ``truth`` are the events in the plane of the footprints (metres).
    """

    id: str
    dates: tuple[datetime, ...]
    footprints: tuple[Rect, ...]
    berth: BoolArray
    states: NDArray[np.int8]
    usable: FloatArray
    shown: FloatArray
    residual_px: FloatArray
    aligned: BoolArray
    truth: tuple[TruthEvent, ...]
    pair_error: float
    seed: int

    @property
    def years(self) -> float:
        """Time from the first to the last look."""
        return (self.dates[-1] - self.dates[0]) / timedelta(days=365.25)

    def log_odds(self, number: int, earlier: int, later: int) -> tuple[float, float]:
        """Log-odds that an object appeared, and that it vanished, between two looks.

        The errors of the looks are shared by all their pairs; the pair adds one of its own.
        """
        rng = np.random.default_rng([self.seed, number, earlier, later])
        error = rng.normal(0, self.pair_error) if self.pair_error else 0.0
        step = float(self.shown[number, later] - self.shown[number, earlier])
        return 8.0 * (step - 0.5) + error, 8.0 * (-step - 0.5) - error

    def probabilities(
        self, number: int, earlier: int, later: int
    ) -> tuple[float, float, float, float]:
        """The pair's evidence as a change detector gives it: none, new, demolition, slip."""
        appeared, vanished = (
            float(np.exp(np.clip(value, -6, 6))) for value in self.log_odds(number, earlier, later)
        )
        if self.berth[number]:  # nothing is said of a berth that is filled in
            total = 1 + appeared + 0.02
            return 1 / total, 0.01 / total, 0.01 / total, appeared / total
        total = 1 + appeared + vanished + 0.01
        return 1 / total, appeared / total, vanished / total, 0.01 / total


def simulate_observations(
    seed: int, config: ObservationConfig | None = None, number: int = 0
) -> ObservedSite:
    """Simulate how one site is seen.

    Args:
        seed: the same seed gives the same observations.
        config: how it is watched.
        number: of the site, for many sites of one seed.
    """
    config = config or ObservationConfig()
    rng = np.random.default_rng([seed, number, 97])
    days = _days(rng, config)
    start = datetime(2021, 1, 1, 2, tzinfo=UTC) + timedelta(days=int(rng.integers(0, 730)))
    share = np.array(config.stories) / sum(config.stories)
    stories = rng.choice(len(Story), config.objects, p=share)
    rects = _rects(rng, stories)
    site_id = f"obs-{seed}-{number + 1}"
    states = np.zeros((config.objects, days.size), np.int8)
    truth: list[TruthEvent] = []
    for index, story in enumerate(stories):
        turns = _turns(rng, Story(int(story)), float(days[-1]))
        states[index] = _states(turns, days)
        if story not in {Story.STANDS, Story.EMPTY}:
            truth += _events(site_id, index, rects[index], turns, (start, float(days[-1])))
    usable, covered = _clouds(rng, config, rects, days.size)
    residual, aligned = _residuals(rng, config, days.size)
    shown = _shown(rng, config, states, rects, (days, residual))
    hidden = covered & (rng.random(covered.shape) < config.unmasked)
    usable = np.where(hidden, 1.0, usable).astype(np.float32)
    wrong = hidden | (rng.random(shown.shape) < config.misled)
    shown = np.where(wrong, rng.normal(0.0, 0.5, shown.shape), shown)
    return ObservedSite(
        id=site_id,
        dates=tuple(start + timedelta(days=float(day)) for day in days),
        footprints=tuple(rects),
        berth=stories == Story.DUG,
        states=states,
        usable=usable,
        shown=shown.astype(np.float32),
        residual_px=residual,
        aligned=aligned,
        truth=tuple(truth),
        pair_error=config.pair_error,
        seed=seed * 1009 + number,
    )


def _days(rng: np.random.Generator, config: ObservationConfig) -> NDArray[np.float64]:
    count = int(rng.integers(config.looks[0], config.looks[1] + 1))
    low, high = np.log(config.gap_days)
    gaps = np.exp(rng.uniform(low, high, count - 1))
    return np.asarray(np.concatenate([[0.0], np.cumsum(np.round(gaps))]))


def _rects(rng: np.random.Generator, stories: NDArray[np.int64]) -> list[Rect]:
    """One rectangle per object, each in a cell of its own."""
    side = int(SITE_M / CELL_M)
    cells = rng.permutation(side * side)[: stories.size]
    rects = []
    for cell, story in zip(cells, stories, strict=True):
        row, col = divmod(int(cell), side)
        x, y = (col + 0.5) * CELL_M, (row + 0.5) * CELL_M
        if story == Story.DUG:
            wide = rng.uniform(14, 22)
            rect = Rect(x, y, float(rng.uniform(2, 2.6) * wide), float(wide), 0.0)
        else:
            long = float(np.exp(rng.normal(np.log(15), 0.4)))
            long = min(max(long, 7.0), 44.0)
            wide = long * rng.uniform(0.45, 1.0)
            rect = Rect(x, y, long, float(wide), float(rng.uniform(0, np.pi)))
        rects.append(rect)
    return rects


Turn = tuple[float, PlotState]


def _turns(rng: np.random.Generator, story: Story, span: float) -> list[Turn]:
    """(day, state from then on), the first at minus infinity."""
    ever = -np.inf
    first = float(rng.uniform(0.0, 1.0) * span)
    works = float(np.exp(rng.normal(np.log(110), 0.5)))
    if story is Story.STANDS:
        return [(ever, PlotState.PRESENT)]
    if story is Story.EMPTY:
        return [(ever, PlotState.ABSENT)]
    if story is Story.RISES:
        return [
            (ever, PlotState.ABSENT),
            (first - works, PlotState.WORKS),
            (first, PlotState.PRESENT),
        ]
    if story is Story.FALLS:
        bare = float(np.exp(rng.normal(np.log(200), 0.6)))
        return [
            (ever, PlotState.PRESENT),
            (first, PlotState.WORKS),
            (first + bare, PlotState.ABSENT),
        ]
    if story is Story.REPLACED:
        gone = first * 0.6
        return [
            (ever, PlotState.PRESENT),
            (gone, PlotState.WORKS),
            (gone + works + 30, PlotState.PRESENT),
        ]
    return [(ever, PlotState.ABSENT), (first, PlotState.PRESENT)]


def _states(turns: list[Turn], days: NDArray[np.float64]) -> NDArray[np.int8]:
    at = np.searchsorted([day for day, _ in turns], days, side="right") - 1
    return np.array([state for _, state in turns], np.int8)[at]


def _events(
    site_id: str, index: int, rect: Rect, turns: list[Turn], span: tuple[datetime, float]
) -> list[TruthEvent]:
    """The events among the turns that fall into the watched time."""
    start, last = span
    berth = len(turns) == 2
    events: list[TruthEvent] = []
    for (before_day, before), (day, after) in pairwise(turns):
        if PlotState.PRESENT not in {before, after} or not 0 < day <= last:
            continue
        built = after is PlotState.PRESENT
        begun = before_day if before is PlotState.WORKS and built else day
        kind = Kind.DEMOLITION
        if built:
            kind = Kind.DOCKING_SLIP if berth else Kind.NEW_BUILDING
        old = events[-1].id if events and built else None
        events.append(
            TruthEvent(
                id=f"{site_id}-{index}-{kind.value}",
                object_id=f"{site_id}-{index}",
                site_id=site_id,
                kind=kind,
                footprint=footprint([rect]),
                start_datetime=start + timedelta(days=begun),
                end_datetime=start + timedelta(days=day),
                replaces=old,
            )
        )
    return events


def _clouds(
    rng: np.random.Generator, config: ObservationConfig, rects: list[Rect], looks: int
) -> tuple[FloatArray, BoolArray]:
    """Usable share of every footprint at every look, and where a cloud is over it at all."""
    corners = np.array([(-0.4, -0.4), (-0.4, 0.4), (0.4, -0.4), (0.4, 0.4), (0, 0)])
    points = np.empty((len(rects), corners.shape[0], 2))
    for index, rect in enumerate(rects):
        for place, (u, v) in enumerate(corners):
            spot = rect.at(u * rect.length, v * rect.width, 1, 1)
            points[index, place] = spot.x, spot.y
    usable = np.ones((len(rects), looks), np.float32)
    for look in range(looks):
        sky = rng.random()
        if sky < config.clear:
            continue
        if sky > 1 - config.overcast:
            usable[:, look] = rng.uniform(0, 0.1)
            continue
        count = int(rng.integers(1, 9))
        centres = rng.uniform(-60, SITE_M + 60, (count, 2))
        radii = rng.uniform(30, 180, count)
        away = np.linalg.norm(points[:, :, None] - centres, axis=3)
        usable[:, look] = 1 - (away < radii).any(axis=2).mean(axis=1)
    return usable, usable < 0.99


def _residuals(
    rng: np.random.Generator, config: ObservationConfig, looks: int
) -> tuple[FloatArray, BoolArray]:
    aligned = rng.random(looks) < config.aligned
    aligned[0] = True
    rest = rng.uniform(0, config.shift_px, looks)
    return np.where(aligned, rng.uniform(0, 0.2, looks), rest).astype(np.float32), aligned


def _shown(
    rng: np.random.Generator,
    config: ObservationConfig,
    states: NDArray[np.int8],
    rects: list[Rect],
    looks: tuple[NDArray[np.float64], FloatArray],
) -> NDArray[np.float64]:
    """What every look shows of every object, before gross errors."""
    days, residual = looks
    objects = states.shape[0]
    works = states == PlotState.WORKS
    level = np.array([-0.5, -0.35, 0.5])[states]
    level += works * rng.normal(0, config.works_error, states.shape)
    level += rng.normal(0, config.look_error, states.shape)
    phase = rng.uniform(0, 2 * np.pi, (objects, 1))
    season = np.sin(2 * np.pi * days[None, :] / 365.25 + phase) * config.swing
    level += season * np.where(states == PlotState.PRESENT, 0.4, 1.0)
    small = np.array([np.clip(8.0 / min(rect.length, rect.width), 0.2, 1.2) for rect in rects])
    loose = residual[None, :] * small[:, None] * config.shift_error
    return np.asarray(level + rng.normal(0, 1, states.shape) * loose)

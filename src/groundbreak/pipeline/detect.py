"""One site: planned looks → prepared looks → change maps → events."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.events.build import (
    EventsConfig,
    EventsResult,
    Readers,
    SiteObservations,
    build_events,
)
from groundbreak.events.checks import check_positive, check_share
from groundbreak.events.looks import LookMeta, PairKey
from groundbreak.events.summary import Coverage
from groundbreak.events.vectorize import Candidate, VectorConfig, candidates_streamed
from groundbreak.inference.engine import Engine
from groundbreak.inference.stitch import StitchConfig
from groundbreak.model.card import Card
from groundbreak.pipeline.change import ChangeJob, compute_change
from groundbreak.pipeline.maps import SiteMaps
from groundbreak.pipeline.order import in_sure_order
from groundbreak.pipeline.pairs import PairPlan, PairsConfig, plan_longer, plan_pairs
from groundbreak.pipeline.plan import SitePlan
from groundbreak.pipeline.sitework import SiteWork, load_objects, save_objects, save_work
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.look import SiteGrid
from groundbreak.prepare.overview import coarse_grid
from groundbreak.prepare.site import PrepareConfig, PreparedSite, SiteJob, prepare_site
from groundbreak.prepare.store import PreparedLook
from groundbreak.raster.grid import site_mask, site_shape, tile_windows
from groundbreak.types import BoolArray, Box, FloatArray, Kind, Site

log = logging.getLogger(__name__)

BLOCK = 2048
"""Side of the blocks that outlines are drawn in."""

Tell = Callable[[str, float], None]
"""Told what is done, and which share of the site's work that is."""


@dataclass(frozen=True)
class OutlineConfig:
    """When a patch of change becomes a polygon; what is not given is as the card says.

    Attributes:
        thresholds: probability that a pixel of the patch must reach, per kind.
        min_area_m2: least area, per kind.
        low_ratio: the patch grows to pixels of this share of the threshold.
        simplify_px: how far an outline may move when it is simplified, in pixels.
    """

    thresholds: Mapping[Kind, float] = field(default_factory=dict)
    min_area_m2: Mapping[Kind, float] = field(default_factory=dict)
    low_ratio: float = 0.6
    simplify_px: float = 0.5

    def __post_init__(self) -> None:
        check_share("thresholds", *self.thresholds.values())
        check_share("low_ratio", self.low_ratio)
        check_positive("min_area_m2", *self.min_area_m2.values())

    def over(self, card: Card) -> VectorConfig:
        """The card's operating point with what was set here put over it."""
        return VectorConfig(
            thresholds={**card.thresholds, **self.thresholds},
            low_ratio=self.low_ratio,
            min_area_m2={**card.min_area_m2, **self.min_area_m2},
            simplify_px=self.simplify_px,
        )


@dataclass(frozen=True)
class Settings:
    """The settings of the stages."""

    prepare: PrepareConfig
    inference: StitchConfig
    outlines: OutlineConfig
    events: EventsConfig
    pairs: PairsConfig = field(default_factory=PairsConfig)


@dataclass(frozen=True)
class DetectJob:
    """A site and all that is needed to work on it."""

    plan: SitePlan
    engine: Engine
    source: Source
    settings: Settings
    folder: Path


@dataclass(frozen=True)
class SiteOutcome:
    """What came out of a site; ``engine`` says what computed it."""

    plan: SitePlan
    prepared: PreparedSite
    result: EventsResult | None
    problem: str = ""
    engine: str = ""

    @classmethod
    def failed(cls, site: Site, problem: str) -> SiteOutcome:
        """A site that nothing could be planned for."""
        return cls(SitePlan(site, (), ()), PreparedSite((), (), ()), None, problem)


def detect_site(job: DetectJob, tell: Tell = lambda _message, _share: None) -> SiteOutcome:
    """Do all that can be done for one site.

    Raises:
        HrefError: an address may not be read.
        OutputError: the folder cannot be written.
    """
    grid = job.plan.grid
    if grid is None:
        return SiteOutcome(job.plan, PreparedSite((), (), ()), None)
    prepared = prepare(
        job.plan,
        grid,
        job.source,
        job.settings.prepare,
        job.folder / "looks",
        lambda message, share: tell(message, 0.3 * share),
    )
    _forget(job.folder / "looks", {look.id for look in prepared.looks})
    prepared = in_sure_order(prepared, job.plan.looks)
    looks = prepared.looks
    save_work(job.folder, SiteWork(grid, looks))
    zoom = job.engine.card.magnification(float(abs(grid.resolution.x)))
    cut = job.settings.inference.scaled(zoom)
    maps, candidates = _changes(job, grid, cut, looks, tell)
    tell("events", 0.97)
    return SiteOutcome(job.plan, prepared, _events(job, grid, looks, maps, candidates))


def prepare(
    plan: SitePlan,
    grid: GeoBox,
    source: Source,
    config: PrepareConfig,
    folder: Path,
    tell: Tell = lambda _message, _share: None,
) -> PreparedSite:
    """Prepare the looks of a site in ``folder``; a look that is there already is taken as it is.

    Raises:
        HrefError: an address may not be read.
        OutputError: the folder cannot be written.
    """
    steps = iter(range(2 * len(plan.looks)))

    def progress(message: str) -> None:
        tell(message, next(steps, 0) / max(1, 2 * len(plan.looks)))

    coarse = coarse_grid(grid, len(plan.looks), len(plan.bands))
    inside = site_mask(plan.site, coarse)
    job = SiteJob(SiteGrid(plan.site, grid, coarse), inside, source, config, folder)
    return prepare_site(job, plan.looks, progress)


def _changes(
    job: DetectJob,
    grid: GeoBox,
    cut: StitchConfig,
    looks: Sequence[PreparedLook],
    tell: Tell,
) -> tuple[SiteMaps, list[Candidate]]:
    """Compare the looks: each with the one before, and farther where that found something."""
    maps = SiteMaps()
    vectors = job.settings.outlines.over(job.engine.card)
    suspicion = replace(
        vectors,
        thresholds={k: t * vectors.low_ratio for k, t in vectors.thresholds.items()},
        low_ratio=1.0,
    )
    chain = ChangeJob(job.engine, cut, grid, job.folder / "pairs")
    shape = (int(grid.shape[0]), int(grid.shape[1]))
    _compute(chain, plan_pairs(looks, shape, cut), maps, tell, (0.3, 0.8))
    found = {pair: _outlines(maps, grid, pair, suspicion) for pair in maps.pairs}
    longer = []
    if job.settings.pairs.reach > 1:
        suspects = [patch for patches in found.values() for patch in patches]
        least = job.settings.events.evidence.min_usable
        longer = plan_longer(looks, suspects, grid, cut, least)
    beyond = replace(chain, folder=job.folder / "longer")
    for pair in _compute(beyond, longer, maps, tell, (0.8, 0.95)):
        found[pair] = _outlines(maps, grid, pair, suspicion)
    candidates = [
        patch
        for patches in found.values()
        for patch in patches
        if patch.peak >= vectors.thresholds[patch.kind]
    ]
    return maps, candidates


def _compute(
    change: ChangeJob,
    plans: Sequence[PairPlan],
    maps: SiteMaps,
    tell: Tell,
    share: tuple[float, float],
) -> list[PairKey]:
    """Compute pairs, add them to the maps, and forget what other inputs left in their folder."""
    done, folders = [], set()
    for index, plan in enumerate(plans):
        tell(
            f"{plan.earlier.start:%Y-%m-%d} → {plan.later.start:%Y-%m-%d}",
            share[0] + (share[1] - share[0]) * index / len(plans),
        )
        stored = compute_change(change, plan)
        folders.add(stored.folder.name)
        done.append(maps.add(stored, plan.around))
    _forget(change.folder, folders)
    return done


def _outlines(maps: SiteMaps, grid: GeoBox, pair: PairKey, config: VectorConfig) -> list[Candidate]:
    blocks = tile_windows(grid, BLOCK, 0)
    return candidates_streamed(partial(maps.read, pair), blocks, grid, pair, config)


def _events(
    job: DetectJob,
    grid: GeoBox,
    looks: Sequence[PreparedLook],
    maps: SiteMaps,
    candidates: Sequence[Candidate],
) -> EventsResult:
    by_id = {look.id: look for look in looks}

    def read_usable(look_id: str, box: Box) -> BoolArray:
        return by_id[look_id].usable(box.slices)

    def read_pixels(look_id: str, box: Box) -> tuple[FloatArray, tuple[str, ...]]:
        look = by_id[look_id]
        return look.pixels(box.slices), look.bands

    site = SiteObservations(
        site_id=job.plan.site.id,
        site_name=job.plan.site.name,
        area=site_shape(job.plan.site),
        geobox=grid,
        looks=[look_meta(look) for look in looks],
        pairs=maps.pairs,
        coverage=_coverage(job, grid, looks),
    )
    known = load_objects(job.folder)
    readers = Readers(maps.read, read_usable, read_pixels)
    result = build_events(site, candidates, readers, job.settings.events, known)
    save_objects(job.folder, result.objects)
    return result


def _coverage(job: DetectJob, grid: GeoBox, looks: Sequence[PreparedLook]) -> Coverage:
    """Which share of the site was usable in no look, and in one look only."""
    never = once = total = 0
    for window in tile_windows(grid, BLOCK, 0):
        inside = site_mask(job.plan.site, grid[window.slices])
        times = np.zeros(inside.shape, np.uint16)
        for look in looks:
            times += look.usable(window.slices)
        never += int(((times == 0) & inside).sum())
        once += int(((times == 1) & inside).sum())
        total += int(inside.sum())
    return Coverage(never / max(1, total), once / max(1, total))


def look_meta(look: PreparedLook) -> LookMeta:
    """A prepared look as the events room knows it."""
    return LookMeta(
        id=look.id,
        start=look.start,
        end=look.end,
        scene_ids=look.scene_ids,
        sensor=look.sensor,
        usable_share=look.usable_share,
        clear_share=min(look.usable_share / max(look.valid_share, 1e-6), 1.0),
        residual_px=look.residual_px,
        aligned=look.aligned,
        cloud_masked=look.masked,
        date_assumed="assumed_date" in look.flags,
    )


def _forget(folder: Path, wanted: set[str]) -> None:
    """Remove what earlier, other inputs left."""
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.is_dir() and entry.name not in wanted:
                shutil.rmtree(entry, ignore_errors=True)

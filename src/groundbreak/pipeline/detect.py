"""One site: planned looks → prepared looks → change maps → events."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.atomic import output_error
from groundbreak.errors import RasterError, UnreachedError
from groundbreak.events.build import (
    EventsConfig,
    EventsResult,
    Readers,
    SiteObservations,
    build_events,
)
from groundbreak.events.looks import LookMeta, PairKey
from groundbreak.events.objects import KnownObject
from groundbreak.events.summary import Coverage, Period
from groundbreak.events.vectorize import Candidate
from groundbreak.inference.device import threads
from groundbreak.inference.engine import Engine
from groundbreak.inference.stitch import StitchConfig
from groundbreak.pipeline.change import ChangeJob, compute_change
from groundbreak.pipeline.maps import SiteMaps
from groundbreak.pipeline.order import in_sure_order
from groundbreak.pipeline.outlines import OutlineConfig, outlines
from groundbreak.pipeline.pairs import PairPlan, PairsConfig, plan_longer, plan_pairs
from groundbreak.pipeline.plan import SitePlan
from groundbreak.pipeline.sitework import SiteWork, load_objects, save_objects, save_work
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.job import PrepareConfig, SiteJob
from groundbreak.prepare.look import SiteGrid
from groundbreak.prepare.overview import coarse_grid
from groundbreak.prepare.site import PreparedSite, prepare_site
from groundbreak.prepare.store import LOOKS, PreparedLook, noted
from groundbreak.raster.grid import blocks, site_mask, site_shape
from groundbreak.raster.opening import opened
from groundbreak.raster.read import read_through
from groundbreak.types import BoolArray, Box, FloatArray, Site

log = logging.getLogger(__name__)

BLOCK = 1024
"""Side of the windows in which usable pixels are counted."""
IDS_LOST = (
    "the ids of earlier runs could not be continued, since objects.json was damaged: objects that "
    "are founded or drawn otherwise than before have new ones"
)

Tell = Callable[[str, float], None]
"""Told what is done, and which share of the site's work that is."""


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

    What an earlier run left is known by its size; that it is damaged inside shows only when it is
    read. Then all that is kept of the site is read through, what is damaged is removed, and the
    site done again: all but that is there already. A look whose scenes cannot be had now stays,
    but takes no part.

    Raises:
        HrefError: an address may not be read.
        OutputError: the folder cannot be written.
        RasterError: a file cannot be read now, or is damaged again and again.
    """
    tried: set[Path] = set()
    spoilt: frozenset[str] = frozenset()
    while True:
        try:
            return _detect(job, spoilt, tell)
        except UnreachedError:
            raise  # that it cannot be read now does not make it damaged
        except RasterError as error:
            path = Path(error.subject)
            if path in tried or not path.is_relative_to(job.folder):
                raise
            tried.add(path)
            spoilt |= _sort_out(job, path, error)


def _sort_out(job: DetectJob, suspect: Path, error: RasterError) -> frozenset[str]:
    """Remove what is damaged of a site's rasters, if one that could not be read is so still.

    Returns:
        Ids of the damaged looks that cannot be made anew now.
    """
    fault = _fault(suspect)
    if fault is None:
        log.warning("%s; read once more it is in order", error)
        return frozenset()
    if isinstance(fault, UnreachedError):
        raise fault
    spoilt = set()
    kept = {path for name in (LOOKS, "pairs", "longer") for path in job.folder.glob(f"{name}/*/*")}
    others = sorted(path for path in kept if path.suffix == ".tif" and path != suspect)
    for path, found in ((suspect, fault), *((path, _fault(path)) for path in others)):
        if found is None or isinstance(found, UnreachedError):
            continue
        if not _can_be_made(job, path):
            log.warning("%s; scenes that it was made from cannot be had now", found)
            spoilt.add(path.parent.name)
            continue
        log.warning("%s; it is removed, to be made anew", found)
        try:
            path.unlink(missing_ok=True)
        except OSError as trouble:
            raise output_error(path, trouble) from trouble
    return frozenset(spoilt)


def _fault(path: Path) -> RasterError | None:
    try:
        read_through(path)
    except RasterError as error:
        return error
    return None


def _can_be_made(job: DetectJob, path: Path) -> bool:
    """Whether all scenes of a look can be had now; change maps are made from what is kept."""
    if path.parent.parent != job.folder / LOOKS:
        return True
    known = noted(path.parent)
    scenes = {scene.id: scene for look in job.plan.looks for scene in look.scenes}
    if known is None or not scenes.keys() >= set(known.scene_ids):
        return False
    try:
        for scene in (scenes[name] for name in known.scene_ids):
            for href in [*(a.href for a in scene.assets), *(mask.href for mask in scene.masks)]:
                with opened(href, job.source.policy, job.source.opener):
                    pass
    except RasterError:
        return False
    return True


def _detect(job: DetectJob, spoilt: frozenset[str], tell: Tell) -> SiteOutcome:
    grid = job.plan.grid
    if grid is None:
        return SiteOutcome(job.plan, PreparedSite((), (), ()), None)
    prepared = prepare(
        job.plan,
        grid,
        job.source,
        job.settings.prepare,
        job.folder,
        lambda message, share: tell(message, 0.3 * share),
        spoilt,
    )
    _forget(job.folder / LOOKS, {look.id for look in prepared.looks} | prepared.spared)
    prepared = in_sure_order(prepared, job.plan.looks)
    looks = prepared.looks
    save_work(job.folder, SiteWork(grid, looks, site_shape(job.plan.site)))
    zoom = job.engine.card.magnification(float(abs(grid.resolution.x)))
    cut = job.settings.inference.scaled(zoom)
    maps, candidates = _changes(job, grid, cut, looks, tell)
    tell("events", 0.97)
    known = load_objects(job.folder)
    if known is None:
        prepared = replace(prepared, notes=(*prepared.notes, IDS_LOST))
    return SiteOutcome(job.plan, prepared, _events(job, grid, looks, maps, candidates, known or ()))


def prepare(
    plan: SitePlan,
    grid: GeoBox,
    source: Source,
    config: PrepareConfig,
    folder: Path,
    tell: Tell = lambda _message, _share: None,
    spoilt: frozenset[str] = frozenset(),
) -> PreparedSite:
    """Prepare the looks of a site below its ``folder``; what is there already is taken as it is.

    But for looks whose ids are in ``spoilt``.

    Raises:
        HrefError: an address may not be read.
        OutputError: the folder cannot be written.
    """
    steps = iter(range(2 * len(plan.looks)))

    def progress(message: str) -> None:
        tell(message, next(steps, 0) / max(1, 2 * len(plan.looks)))

    coarse = coarse_grid(grid, len(plan.looks), len(plan.bands))
    inside = site_mask(plan.site, coarse)
    grids = SiteGrid(plan.site, grid, coarse)
    job = SiteJob(grids, inside, source, config, folder, threads(), spoilt)
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

    def draw(pair: PairKey) -> list[Candidate]:
        return outlines(maps, pair, grid, suspicion)

    chain = ChangeJob(job.engine, cut, grid, job.folder / "pairs")
    shape = (int(grid.shape[0]), int(grid.shape[1]))
    found = _compute(chain, plan_pairs(looks, shape, cut), maps, draw, _part(tell, 0.3, 0.8))
    longer = []
    if job.settings.pairs.reach > 1:
        suspects = [patch for patches in found.values() for patch in patches]
        least = job.settings.events.evidence.min_usable
        longer = plan_longer(looks, suspects, grid, cut, least)
    beyond = replace(chain, folder=job.folder / "longer")
    found |= _compute(beyond, longer, maps, draw, _part(tell, 0.8, 0.95))
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
    draw: Callable[[PairKey], list[Candidate]],
    tell: Tell,
) -> dict[PairKey, list[Candidate]]:
    """Compute pairs, add them to the maps, and forget what other inputs left in their folder.

    While one pair is computed the outlines of the one before are drawn.
    """
    drawn: dict[PairKey, Future[list[Candidate]]] = {}
    folders = set()
    with ThreadPoolExecutor(1) as pool:
        for index, plan in enumerate(plans):
            dates = f"{plan.earlier.start:%Y-%m-%d} → {plan.later.start:%Y-%m-%d}"
            tell(dates, index / len(plans))
            stored = compute_change(change, plan)
            folders.add(stored.folder.name)
            pair = maps.add(stored, plan.around)
            drawn[pair] = pool.submit(draw, pair)
    _forget(change.folder, folders)
    return {pair: patches.result() for pair, patches in drawn.items()}


def _part(tell: Tell, start: float, end: float) -> Tell:
    """Tell the share of a stage as that of the whole."""
    return lambda message, share: tell(message, start + (end - start) * share)


def _events(
    job: DetectJob,
    grid: GeoBox,
    looks: Sequence[PreparedLook],
    maps: SiteMaps,
    candidates: Sequence[Candidate],
    known: Sequence[KnownObject],
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
        asked=Period(
            min(look.start for look in job.plan.looks), max(look.end for look in job.plan.looks)
        ),
        caution=job.engine.card.caution,
    )
    readers = Readers(maps.read, read_usable, read_pixels)
    result = build_events(site, candidates, readers, job.settings.events, known)
    save_objects(job.folder, result.objects)
    return result


def _coverage(job: DetectJob, grid: GeoBox, looks: Sequence[PreparedLook]) -> Coverage:
    """Which share of the site was usable in no look, and in one look only."""
    never = once = total = 0
    for window in blocks(grid, BLOCK):
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
        apart=look.apart,
        cloud_masked=look.masked,
        date_assumed="assumed_date" in look.flags,
        panchromatic="panchromatic" in look.flags,
    )


def _forget(folder: Path, wanted: set[str]) -> None:
    """Remove what earlier, other inputs left."""
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.is_dir() and entry.name not in wanted:
                shutil.rmtree(entry, ignore_errors=True)

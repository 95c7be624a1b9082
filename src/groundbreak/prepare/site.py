"""All looks of a site, prepared in the order of their dates; what is done is not done again."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.errors import NotGeoreferencedWarning

from groundbreak import __version__
from groundbreak.prepare.acquire import SceneLostError, Source, unreadable
from groundbreak.prepare.fill import settle_fill
from groundbreak.prepare.held import cut_out, find_held, glance, spared
from groundbreak.prepare.look import (
    LookKey,
    Reference,
    SiteGrid,
    prepare_look,
    sample_window,
    take_reference,
)
from groundbreak.prepare.looks import LeftOut, LookPlan
from groundbreak.prepare.network import CloudNetwork, settled
from groundbreak.prepare.offsets import settle_offsets
from groundbreak.prepare.overview import (
    Overview,
    choose_reference,
    neighbours,
    take_overviews,
)
from groundbreak.prepare.scales import settle_scales
from groundbreak.prepare.store import PreparedLook, load_look
from groundbreak.raster.offsets import baseline_offset
from groundbreak.types import BoolArray, Scene

log = logging.getLogger(__name__)

ALIKE = 1e-3
"""Below this range of all its values, in every band, a picture shows nothing."""
ENOUGH_PX = 64
"""Fewer pixels than these may well be of one colour."""

KEPT = "what was prepared of it earlier is used"


@dataclass(frozen=True)
class PrepareConfig:
    """What a look must show to take part.

    Attributes:
        min_usable_share: of the site; below, the look is left out.
        zero_is_nodata: take zeros that touch the border of a picture for fill.
        cloud_network: whether ukis-csmask judges Sentinel-2 and Landsat looks without a mask too.
    """

    min_usable_share: float = 0.02
    zero_is_nodata: bool = False
    cloud_network: CloudNetwork = CloudNetwork.AUTO

    def __post_init__(self) -> None:
        if not 0 <= self.min_usable_share <= 1:
            raise ValueError(f"min_usable_share {self.min_usable_share}: expected 0 to 1")

    def settled(self) -> PrepareConfig:
        """With what depends on the installation decided, so that workers need not.

        Raises:
            ConfigError: something is asked for that is not installed.
        """
        return replace(self, cloud_network=settled(self.cloud_network))


@dataclass(frozen=True)
class Unused:
    """A look that takes no part: its date is known, its pixels were of no use."""

    plan: LookPlan
    usable_share: float
    reason: str


@dataclass(frozen=True)
class PreparedSite:
    """The looks that take part, those that do not, and remarks for the log and the report.

    ``left_out`` are damaged scenes of looks that do without them. ``spared`` are ids of looks,
    used or not, whose folders must stay: their scenes cannot be had now.
    """

    looks: tuple[PreparedLook, ...]
    unused: tuple[Unused, ...]
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    spared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SiteJob:
    """What ``prepare_site`` works on.

    Attributes:
        grid: of the site.
        inside: (height, width) of the coarse grid, True inside the site's outline.
        source: how scenes are read.
        config: what a look must show.
        folder: where the looks are written.
        threads: looks that are worked on at once.
    """

    grid: SiteGrid
    inside: BoolArray
    source: Source
    config: PrepareConfig
    folder: Path
    threads: int = 1


def prepare_site(
    job: SiteJob, plans: Sequence[LookPlan], progress: Callable[[str], None] = lambda _: None
) -> PreparedSite:
    """Read, judge, align and write all looks of a site.

    A scene that turns out to be damaged, even late, is left out, and what depended on it is done
    again without it. Where a scene only cannot be had now, the look that an earlier run prepared
    from it is used.

    Raises:
        HrefError: an address may not be read.
        OutputError: the folder cannot be written.
    """

    def probe(plan: LookPlan) -> list[LeftOut]:
        progress(f"reading {plan.start:%Y-%m-%d}")
        return unreadable(plan, job.grid.coarse, job.source)

    with warnings.catch_warnings():
        # Rasterio silences it too, but one thread ends what another one has begun.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with ThreadPoolExecutor(job.threads) as pool:
            lost = [entry for found in pool.map(probe, plans) for entry in found]
        while True:
            try:
                return _prepare_without(lost, job, plans, progress)
            except SceneLostError as error:
                lost.append(error.left_out)


def _prepare_without(
    lost: Sequence[LeftOut],
    job: SiteJob,
    plans: Sequence[LookPlan],
    progress: Callable[[str], None],
) -> PreparedSite:
    """Prepare a site from what is left of its looks.

    Raises:
        SceneLostError: one more scene is damaged.
    """
    unreached = {entry.scene.id for entry in lost if entry.unreached}
    held, plans = _hold(job, plans, unreached)
    serve = {name for look in held.values() for name in look.scene_ids}
    remarks = [f"{e.scene.id}: {e.reason}; {KEPT}" for e in lost if e.scene.id in serve]
    for text in remarks:
        log.warning("scene %s", text)
    lost = [entry for entry in lost if entry.scene.id not in serve]
    reasons = {entry.scene.id: entry.reason for entry in lost}
    kept = [left for plan in plans if (left := plan.without(reasons)) is not None]
    gone = [plan for plan in plans if plan.without(reasons) is None]
    unused = [Unused(p, 0.0, "; ".join(reasons[name] for name in p.scene_ids)) for p in gone]
    in_gone = {name for plan in gone for name in plan.scene_ids}
    present = [plan for plan in kept if plan.id not in held]
    source = settle_fill(present, job.grid.coarse, job.source)
    source, recognised = settle_scales(present, job.grid.coarse, source)
    source, corrected = settle_offsets(present, job.grid.coarse, source)
    job = replace(job, source=source)
    remarks += recognised + corrected
    overviews = []
    for view in _overviews(job, kept, held):
        share = float(view.usable[job.inside].mean())
        reason = _useless(view, share, job) if view.plan.id not in held else None
        if reason is None:
            overviews.append(view)
        else:
            unused.append(Unused(view.plan, share, reason))
    looks = _prepare_all(job, kept, overviews, held, progress) if overviews else ()
    unused.sort(key=lambda entry: (entry.plan.start, entry.plan.id))
    return PreparedSite(
        looks=tuple(looks),
        unused=tuple(unused),
        notes=(*(f"{name}: {reason}" for name, reason in reasons.items()), *remarks),
        left_out=tuple(entry for entry in lost if entry.scene.id not in in_gone),
        spared=spared(job.folder, unreached),
    )


def _hold(
    job: SiteJob, plans: Sequence[LookPlan], unreached: set[str]
) -> tuple[dict[str, PreparedLook], list[LookPlan]]:
    """Looks, by id, whose earlier preparation stands in for their scenes; all plans with them."""
    held, left = {}, []
    for plan in plans:
        found = find_held(job.folder / plan.id, plan, unreached, lambda part: _told(job, part))
        if found is not None:
            held[plan.id] = found[1]
        left.append(found[0] if found is not None else plan)
    return held, left


def _overviews(
    job: SiteJob, plans: Sequence[LookPlan], held: Mapping[str, PreparedLook]
) -> list[Overview]:
    coarse = job.grid.coarse
    network = job.config.cloud_network is CloudNetwork.REQUIRE
    seen = {name: glance(look, coarse) for name, look in held.items()}
    return take_overviews(plans, coarse, job.source, network, job.threads, seen) if plans else []


def _useless(view: Overview, share: float, job: SiteJob) -> str | None:
    shown = view.acquired.pixels[:, view.acquired.valid & job.inside]
    if shown.shape[1] >= ENOUGH_PX:
        spread = np.ptp(np.percentile(shown, (1, 99), axis=1), axis=0)
        if spread.max() < ALIKE:
            return "shows one colour only"
    if share >= job.config.min_usable_share:
        return None
    seen = float(view.acquired.valid[job.inside].mean())
    if seen < job.config.min_usable_share:
        return f"shows {seen:.0%} of the site"
    return f"{1 - share / seen:.0%} of what it shows is under cloud or otherwise unusable"


def _prepare_all(
    job: SiteJob,
    judged: Sequence[LookPlan],
    overviews: Sequence[Overview],
    held: Mapping[str, PreparedLook],
    progress: Callable[[str], None],
) -> list[PreparedLook]:
    """Prepare the looks of the overviews; ``judged`` are all from which clouds were told."""
    place = {plan.id: number for number, plan in enumerate(judged)}
    basis = {plan.id: _basis(job, plan, held.get(plan.id)) for plan in judged}
    chosen = overviews[choose_reference(overviews, job.inside)]
    known = dict(held)
    keys: dict[str, LookKey] = {}
    for view in overviews:
        name = view.plan.id
        nearby = [basis[judged[i].id] for i in neighbours(place[name], len(judged))]
        key = _key(job, basis[name], basis[chosen.plan.id], nearby)
        keys[name] = LookKey(key, *basis[name])
        look = load_look(job.folder / name, key)
        if look is not None:
            known.setdefault(name, look)
    missing = [view for view in overviews if view.plan.id not in known]
    if missing:
        reference = _reference(job, chosen, held.get(chosen.plan.id))

        def work(view: Overview) -> PreparedLook:
            progress(f"preparing {view.plan.start:%Y-%m-%d}")
            name = view.plan.id
            folder = job.folder / name
            return prepare_look(view, reference, job.grid, job.source, folder, keys[name])

        with ThreadPoolExecutor(job.threads) as pool:
            known |= {look.id: look for look in pool.map(work, missing)}
    return [known[view.plan.id] for view in overviews]


def _reference(job: SiteJob, chosen: Overview, held: PreparedLook | None) -> Reference:
    if held is None:
        return take_reference(chosen, job.grid, job.source)
    window = sample_window(job.grid, chosen)
    return Reference(chosen, cut_out(held, window), window)


Basis = tuple[str, str]
"""Digests of what is told of a look, and of the state of its files."""


def _basis(job: SiteJob, plan: LookPlan, held: PreparedLook | None = None) -> Basis:
    """What a look is known by; of one whose files cannot be had, what was noted of them."""
    offsets, scales = job.source.offsets, job.source.scales
    corrected: list[list[Any]] = [[s.id, offsets[s.id].dn] for s in plan.scenes if s.id in offsets]
    corrected += [[s.id, scales[s.id]] for s in plan.scenes if s.id in scales]
    corrected += [[s.id, "fill"] for s in plan.scenes if s.id in job.source.filled]
    state = _digest([[_files(scene) for scene in plan.scenes], corrected])
    return _told(job, plan), state if held is None else held.state


def _key(job: SiteJob, look: Basis, reference: Basis, nearby: Sequence[Basis]) -> str:
    """Digest of all that a prepared look depends on."""
    return _digest([look, reference, list(nearby), _placed(job.grid.coarse)])


def _told(job: SiteJob, plan: LookPlan) -> str:
    """Digest of what the catalogue says of a look, and of what is made of it."""
    times = [plan.start.isoformat(), plan.end.isoformat()]
    facts = [plan.id, times, plan.sensor, plan.gsd_m, list(plan.flags)]
    scenes = [[_addresses(scene), _reading(scene)] for scene in plan.scenes]
    made = [_placed(job.grid.full), job.source.bands, asdict(job.config)]
    return _digest([__version__, facts, scenes, made])


def _digest(basis: list[Any]) -> str:
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()[:32]


def _placed(grid: GeoBox) -> list[Any]:
    return [list(grid.affine)[:6], list(grid.shape), str(grid.crs)]


def _reading(scene: Scene) -> list[Any]:
    """What the catalogue says of how a scene's files are read."""
    offset = baseline_offset(scene)
    assets = [[repr(asset.bands), repr(asset.georef)] for asset in scene.assets]
    masks = [[mask.kind.value, mask.band, repr(mask.georef)] for mask in scene.masks]
    return [assets, masks, offset.dn, offset.band_offsets]


def _addresses(scene: Scene) -> list[str]:
    hrefs = [a.href for a in scene.assets] + [m.href for m in scene.masks]
    return [href.split("?", maxsplit=1)[0] for href in hrefs]


def _files(scene: Scene) -> list[list[int]]:
    """Size and time of change of a scene's files: a replaced file is a new one."""
    files = []
    for href in [a.href for a in scene.assets] + [m.href for m in scene.masks]:
        path = Path(href)
        state = path.stat() if "://" not in href and path.is_file() else None
        files.append([state.st_size, state.st_mtime_ns] if state else [])
    return files

"""All looks of a site, prepared in the order of their dates; what is done is not done again."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rasterio.errors import NotGeoreferencedWarning

from groundbreak import __version__
from groundbreak.prepare.acquire import SceneLostError, Source, unreadable
from groundbreak.prepare.look import SiteGrid, prepare_look, take_reference
from groundbreak.prepare.looks import LeftOut, LookPlan
from groundbreak.prepare.network import CloudNetwork, settled
from groundbreak.prepare.offsets import settle_offsets
from groundbreak.prepare.overview import (
    Overview,
    choose_reference,
    neighbours,
    take_overviews,
)
from groundbreak.prepare.store import PreparedLook, load_look
from groundbreak.raster.offsets import baseline_offset
from groundbreak.types import BoolArray, Scene


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

    ``left_out`` are damaged scenes of looks that do without them.
    """

    looks: tuple[PreparedLook, ...]
    unused: tuple[Unused, ...]
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


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
    again without it.

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
                lost.append(LeftOut(error.scene, str(error)))


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
    reasons = {entry.scene.id: entry.reason for entry in lost}
    kept = [left for plan in plans if (left := plan.without(reasons)) is not None]
    gone = [plan for plan in plans if plan.without(reasons) is None]
    unused = [Unused(p, 0.0, "; ".join(reasons[name] for name in p.scene_ids)) for p in gone]
    in_gone = {name for plan in gone for name in plan.scene_ids}
    source, remarks = settle_offsets(kept, job.grid.coarse, job.source)
    job = replace(job, source=source)
    overviews = []
    network = job.config.cloud_network is CloudNetwork.REQUIRE
    views = take_overviews(kept, job.grid.coarse, source, network, job.threads) if kept else ()
    for view in views:
        share = float(view.usable[job.inside].mean())
        reason = _useless(view, share, job)
        if reason is None:
            overviews.append(view)
        else:
            unused.append(Unused(view.plan, share, reason))
    looks = _prepare_all(job, kept, overviews, progress) if overviews else ()
    unused.sort(key=lambda entry: (entry.plan.start, entry.plan.id))
    return PreparedSite(
        looks=tuple(looks),
        unused=tuple(unused),
        notes=(*(f"{name}: {reason}" for name, reason in reasons.items()), *remarks),
        left_out=tuple(entry for entry in lost if entry.scene.id not in in_gone),
    )


def _useless(view: Overview, share: float, job: SiteJob) -> str | None:
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
    progress: Callable[[str], None],
) -> list[PreparedLook]:
    """Prepare the looks of the overviews; ``judged`` are all from which clouds were told."""
    place = {plan.id: number for number, plan in enumerate(judged)}
    chosen = overviews[choose_reference(overviews, job.inside)]
    known: dict[str, PreparedLook] = {}
    keys: dict[str, str] = {}
    for view in overviews:
        name = view.plan.id
        nearby = [judged[i] for i in neighbours(place[name], len(judged))]
        keys[name] = _key(job, view.plan, chosen.plan, nearby)
        look = load_look(job.folder / name, keys[name])
        if look is not None:
            known[name] = look
    missing = [view for view in overviews if view.plan.id not in known]
    if missing:
        reference = take_reference(chosen, job.grid, job.source)

        def work(view: Overview) -> PreparedLook:
            progress(f"preparing {view.plan.start:%Y-%m-%d}")
            name = view.plan.id
            folder = job.folder / name
            return prepare_look(view, reference, job.grid, job.source, folder, keys[name])

        with ThreadPoolExecutor(job.threads) as pool:
            known |= {look.id: look for look in pool.map(work, missing)}
    return [known[view.plan.id] for view in overviews]


def _key(job: SiteJob, plan: LookPlan, reference: LookPlan, nearby: Sequence[LookPlan]) -> str:
    """Digest of all that a prepared look depends on."""
    offsets = job.source.offsets
    scenes = [scene for each in (plan, reference, *nearby) for scene in each.scenes]
    basis = {
        "version": __version__,
        "look": _identity(plan),
        "reference": _identity(reference),
        "nearby": [_identity(other) for other in nearby],
        "grids": [
            [list(grid.affine)[:6], list(grid.shape), str(grid.crs)]
            for grid in (job.grid.full, job.grid.coarse)
        ],
        "bands": job.source.bands,
        "offsets": [[s.id, offsets[s.id].dn] for s in scenes if s.id in offsets],
        "config": asdict(job.config),
    }
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()[:32]


def _identity(plan: LookPlan) -> list[Any]:
    times = [plan.start.isoformat(), plan.end.isoformat()]
    told = [plan.sensor, plan.gsd_m, list(plan.flags)]
    return [plan.id, times, told, [[_files(scene), _reading(scene)] for scene in plan.scenes]]


def _reading(scene: Scene) -> list[Any]:
    """What the catalogue says of how a scene's files are read."""
    offset = baseline_offset(scene)
    assets = [[repr(asset.bands), repr(asset.georef)] for asset in scene.assets]
    masks = [[mask.kind.value, mask.band, repr(mask.georef)] for mask in scene.masks]
    return [assets, masks, offset.dn, offset.band_offsets]


def _files(scene: Scene) -> list[list[Any]]:
    """Addresses of a scene's files with size and time of change: a replaced file is a new one."""
    files = []
    for href in [a.href for a in scene.assets] + [m.href for m in scene.masks]:
        path = Path(href)
        known = "://" not in href and path.is_file()
        state = path.stat() if known else None
        bare = href.split("?", maxsplit=1)[0]
        files.append([bare, state.st_size, state.st_mtime_ns] if state else [bare])
    return files

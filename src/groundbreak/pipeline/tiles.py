"""The tiling stage by itself: the looks of a watch-list, prepared and cut into tiles."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from groundbreak.atomic import output_error, to_become
from groundbreak.catalog.access import Access
from groundbreak.catalog.store import read_catalog
from groundbreak.errors import HrefError, InputError, OutputError
from groundbreak.model.weights import read_card
from groundbreak.pipeline.detect import prepare
from groundbreak.pipeline.folder import held
from groundbreak.pipeline.plan import COARSE, FINE, PlanRequest, SitePlan, plan_site
from groundbreak.pipeline.results import told_shortly
from groundbreak.pipeline.tasks import source_of
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.job import PrepareConfig
from groundbreak.prepare.store import PreparedLook
from groundbreak.raster.tiling import (
    Tile,
    TileConfig,
    TileSource,
    cut_tiles,
    is_manifest,
    site_folder,
    write_manifest,
)
from groundbreak.sites.read import SiteList, read_sites
from groundbreak.types import BoolArray, Box, Catalog, FloatArray

Tell = Callable[[str, float], None]

MANIFEST = "tiles.parquet"
LOCK = ".tiles"
"""Made first: it also tells a folder of tiles that was not finished from somebody else's."""
WORK = ".work-"
_TILE = re.compile(r"r\d+_c\d+\.tif")


@dataclass(frozen=True)
class TileRequest:
    """What ``tile`` was asked for; see ``run.RunRequest`` for what both have."""

    sites: Path
    catalog: Path
    output: Path
    config: PrepareConfig
    tiles: TileConfig
    gsd_m: float | None = None
    dates: tuple[datetime | None, datetime | None] = (None, None)
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class TileResult:
    """The manifest, how many tiles it lists, and what was left out."""

    manifest: Path
    tiles: int
    notes: tuple[str, ...]


def cut_sites(request: TileRequest, tell: Tell = lambda _message, _share: None) -> TileResult:
    """Cut all usable looks of all sites; a site that cannot be cut is noted.

    The folder then holds the tiles that the manifest lists and no others: those of an earlier call
    are replaced, whatever their size and place, but for those of sites that cannot be cut now.
    While tiles are cut there is no manifest.

    Raises:
        InputError: no site or no scene is left, every site failed, or there is nothing to cut where
            an earlier call cut tiles.
        HrefError: an address may not be read.
        OutputError: the folder cannot be written, holds something else than tiles, or another
            process is at work in it.
    """
    sites = read_sites(request.sites)
    catalog = read_catalog(request.catalog, allow=request.allow)
    request = replace(request, config=request.config.settled())
    with _claimed(request.output) as remarks:
        result = _cut_all(request, sites, catalog, tell)
    return replace(result, notes=(*remarks, *result.notes))


def _cut_all(request: TileRequest, sites: SiteList, catalog: Catalog, tell: Tell) -> TileResult:
    cards = {name: read_card(name) for name in (FINE, COARSE)}
    refused = [f"site {r.subject} was refused: {r.reason}" for r in sites.refused]
    notes = [*sites.notes, *refused, *told_shortly(catalog.refused), *catalog.notes]
    tiles: list[Tile] = []
    problems: dict[str, InputError] = {}
    with Access(catalog.policy) as access:
        for index, site in enumerate(sites.sites):
            tell(site.name, index / len(sites.sites))
            try:
                plan = plan_site(site, catalog, PlanRequest(request.gsd_m, request.dates), cards)
                source = source_of(plan.bands, catalog.policy, access, request.config)
                cut, remarks = _cut_site(request, plan, source)
            except (HrefError, OutputError):
                raise
            except InputError as error:
                problems[site.id] = error
                notes.append(f"site '{site.id}' was left out: {error}")
                continue
            tiles += cut
            notes += remarks
    if problems and len(problems) == len(sites.sites):
        raise next(iter(problems.values()))
    manifest = request.output / MANIFEST
    if not tiles and manifest.exists():
        problem = "no look of its sites can be cut; the tiles of the call before stay"
        raise InputError(str(request.sites), problem, "; ".join(notes[-3:]))
    write_manifest(tiles, manifest)
    _forget(request.output, tiles, [site_folder(request.output, name) for name in problems])
    return TileResult(manifest, len(tiles), tuple(notes))


@contextmanager
def _claimed(output: Path) -> Iterator[tuple[str, ...]]:
    """Hold a folder of tiles; the working folders of killed processes are removed.

    Yields:
        Notes, see ``held``.

    Raises:
        OutputError: it holds something else than tiles, cannot be written, or another process is at
            work in it.
    """
    ours = (output / LOCK).is_file() or is_manifest(output / MANIFEST)
    if output.is_dir() and any(output.iterdir()) and not ours:
        raise OutputError(str(output), "is not empty and no folder of tiles: give another")
    with held(output, LOCK) as remarks:
        for folder in output.glob(f"{WORK}*"):
            shutil.rmtree(folder, ignore_errors=True)
        yield remarks


def _forget(output: Path, tiles: Sequence[Tile], spared: Sequence[Path]) -> None:
    """Remove the tiles of earlier calls, also half-written ones, as far as can be done.

    But for ``spared`` folders, those of sites that could not be cut now; links are not followed.
    """
    wanted = {tile.path for tile in tiles}
    for path in output.glob("*/*/*.tif"):
        site, look = path.parent.parent, path.parent
        if path in wanted or not _TILE.fullmatch(to_become(path) or path.name):
            continue
        if site in spared or site.is_symlink() or look.is_symlink():
            continue
        with suppress(OSError):  # a folder that holds anything else stays
            path.unlink()
            path.parent.rmdir()
            path.parent.parent.rmdir()


def _cut_site(request: TileRequest, plan: SitePlan, source: Source) -> tuple[list[Tile], list[str]]:
    """Prepare the looks of a site in a temporary folder and cut them; tiles and remarks."""
    where = f"site '{plan.site.id}'"
    remarks = [f"{where}: {text}" for text in (*plan.notes, plan.incomplete) if text]
    remarks += [f"{entry.scene.id}: {entry.reason}" for entry in plan.left_out]
    if plan.grid is None:
        why = "no scene of it can be used" if plan.left_out else "no scene covers it"
        return [], [*remarks, f"{where}: {why}"]
    try:
        work = tempfile.TemporaryDirectory(prefix=WORK, dir=request.output)
    except OSError as error:
        raise output_error(request.output, error) from error
    with work as folder:
        prepared = prepare(plan, plan.grid, source, request.config, Path(folder))
        if prepared.looks:
            _unlist(request.output / MANIFEST)
        looks = [
            TileSource(look.id, look.start, look.end, look.bands, _reader(look))
            for look in prepared.looks
        ]
        tiles = cut_tiles(plan.site.id, plan.grid, looks, request.output, request.tiles)
    unused = [f"{u.plan.start:%Y-%m-%d}: {u.reason}" for u in prepared.unused]
    return tiles, [*remarks, *prepared.notes, *unused]


def _unlist(manifest: Path) -> None:
    """Remove it: tiles of the same name are replaced one by one, some it would describe wrongly."""
    try:
        manifest.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(manifest, error) from error


def _reader(look: PreparedLook) -> Callable[[Box], tuple[FloatArray, BoolArray]]:
    return lambda window: (look.pixels(window.slices), look.usable(window.slices))

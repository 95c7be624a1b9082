"""The tiling stage by itself: the looks of a watch-list, prepared and cut into tiles."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from groundbreak.atomic import output_error
from groundbreak.catalog.access import Access
from groundbreak.catalog.store import read_catalog
from groundbreak.errors import HrefError, InputError, OutputError
from groundbreak.model.weights import read_card
from groundbreak.pipeline.detect import prepare
from groundbreak.pipeline.plan import COARSE, FINE, PlanRequest, SitePlan, plan_site
from groundbreak.pipeline.results import told_shortly
from groundbreak.pipeline.tasks import source_of
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.job import PrepareConfig
from groundbreak.prepare.store import PreparedLook
from groundbreak.raster.tiling import Tile, TileConfig, TileSource, cut_tiles, write_manifest
from groundbreak.sites.read import read_sites
from groundbreak.types import BoolArray, Box, FloatArray

Tell = Callable[[str, float], None]

MANIFEST = "tiles.parquet"


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

    Raises:
        InputError: no site or no scene is left, or every site failed.
        HrefError: an address may not be read.
        OutputError: the folder cannot be written, or holds something else than tiles.
    """
    sites = read_sites(request.sites)
    catalog = read_catalog(request.catalog, allow=request.allow)
    manifest = request.output / MANIFEST
    if request.output.is_dir() and any(request.output.iterdir()) and not manifest.is_file():
        raise OutputError(str(request.output), "is not empty and no folder of tiles: give another")
    cards = {name: read_card(name) for name in (FINE, COARSE)}
    request = replace(request, config=request.config.settled())
    refused = [f"site {r.subject} was refused: {r.reason}" for r in sites.refused]
    notes = [*sites.notes, *refused, *told_shortly(catalog.refused), *catalog.notes]
    tiles: list[Tile] = []
    problems: list[InputError] = []
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
                problems.append(error)
                notes.append(f"site '{site.id}' was left out: {error}")
                continue
            tiles += cut
            notes += remarks
    if problems and len(problems) == len(sites.sites):
        raise problems[0]
    write_manifest(tiles, manifest)
    return TileResult(manifest, len(tiles), tuple(notes))


def _cut_site(request: TileRequest, plan: SitePlan, source: Source) -> tuple[list[Tile], list[str]]:
    """Prepare the looks of a site in a temporary folder and cut them; tiles and remarks."""
    where = f"site '{plan.site.id}'"
    remarks = [f"{where}: {text}" for text in (*plan.notes, plan.incomplete) if text]
    remarks += [f"{entry.scene.id}: {entry.reason}" for entry in plan.left_out]
    if plan.grid is None:
        why = "no scene of it can be used" if plan.left_out else "no scene covers it"
        return [], [*remarks, f"{where}: {why}"]
    try:
        request.output.mkdir(parents=True, exist_ok=True)
        work = tempfile.TemporaryDirectory(prefix=".work-", dir=request.output)
    except OSError as error:
        raise output_error(request.output, error) from error
    with work as folder:
        prepared = prepare(plan, plan.grid, source, request.config, Path(folder))
        looks = [
            TileSource(look.id, look.start, look.end, look.bands, _reader(look))
            for look in prepared.looks
        ]
        tiles = cut_tiles(plan.site.id, plan.grid, looks, request.output, request.tiles)
    unused = [f"{u.plan.start:%Y-%m-%d}: {u.reason}" for u in prepared.unused]
    return tiles, [*remarks, *prepared.notes, *unused]


def _reader(look: PreparedLook) -> Callable[[Box], tuple[FloatArray, BoolArray]]:
    return lambda window: (look.pixels(window.slices), look.usable(window.slices))

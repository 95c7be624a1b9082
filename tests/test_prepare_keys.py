"""A prepared look is taken as it is only if nothing that it depends on has changed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from groundbreak.prepare.acquire import Source
from groundbreak.prepare.glances import Verdict
from groundbreak.prepare.job import Judged, PrepareConfig, SiteJob
from groundbreak.prepare.lay import _key
from groundbreak.prepare.look import SiteGrid
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.overview import coarse_grid
from groundbreak.prepare.site import _basis
from groundbreak.raster.offsets import OffsetDecision
from groundbreak.types import Asset, Band, Georef, HrefPolicy, MaskAsset, MaskKind, Scene, Site

GRID = GeoBox((400, 400), Affine(2, 0, 500_000, 0, -2, 4_000_000), "EPSG:32652")
SITE = Site("s", "S", box(124, 39, 125, 40))
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
BANDS = tuple(Band(i, name, name) for i, name in enumerate(("red", "green", "blue"), start=1))


def plan(name, days=0):
    moment = NOON + timedelta(days=days)
    mask = MaskAsset(f"{name}_SCL.tif", MaskKind.SCL)
    scene = Scene(name, moment, moment, (Asset(f"{name}.tif", BANDS),), (mask,), sensor="s2a")
    return LookPlan(name, moment, moment, (scene,), "s2a", 2.0)


def job(tmp_path):
    source = Source(("red", "green", "blue"), HrefPolicy())
    grid = SiteGrid(SITE, GRID, GRID.zoom_to(100))
    return SiteJob(grid, np.ones((100, 100), bool), source, PrepareConfig(), tmp_path)


def key(work, look, reference, clouds="none", its_clouds="none"):
    return _key(work, judged(work, look, clouds), judged(work, reference, its_clouds), {})


def judged(work, look, clouds):
    return Judged(0, look, Verdict(1.0, "", clouds), _basis(work, look))


def with_asset(look, **changes):
    scene = look.scenes[0]
    return replace(look, scenes=(replace(scene, assets=(replace(scene.assets[0], **changes),)),))


def with_scene(look, **changes):
    return replace(look, scenes=(replace(look.scenes[0], **changes),))


CHANGES = {
    "the date is known less well": lambda p: replace(p, end=p.end + timedelta(days=300)),
    "the date is assumed": lambda p: with_scene(p, properties={"groundbreak:date_assumed": True}),
    "another sensor": lambda p: replace(p, sensor="planet"),
    "bands in another order": lambda p: with_asset(p, bands=BANDS[::-1]),
    "another place": lambda p: with_asset(
        p, georef=Georef("EPSG:4326", Affine.scale(1e-5), (9, 9))
    ),
    "a mask of another kind": lambda p: with_scene(
        p, masks=(replace(p.scenes[0].masks[0], kind=MaskKind.CLM),)
    ),
    "another processing baseline": lambda p: with_scene(
        p, properties={"s2:processing_baseline": "05.09"}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_look_is_known_by_all_that_the_catalogue_says(tmp_path, change):
    work, look = job(tmp_path), plan("a")
    assert key(work, change(look), look) != key(work, look, look)


def test_a_look_is_known_by_its_clouds_and_by_what_it_was_made_comparable_with(tmp_path):
    work, look, first = job(tmp_path), plan("a", 9), plan("b")
    coarser = replace(work, grid=SiteGrid(SITE, GRID, GRID.zoom_to(50)))
    elsewhere = replace(work, grid=replace(work.grid, site=Site("s", "S", box(124, 39, 125, 41))))
    moved = {"b": OffsetDecision(-1000.0, "dark pixels")}
    settled = replace(work, source=replace(work.source, offsets=moved))
    keys = [
        key(work, look, first),
        key(work, look, first, "some"),
        key(work, look, first, its_clouds="some"),
        key(work, look, plan("c", 5)),
        key(coarser, look, first),
        key(elsewhere, look, first),
        key(settled, look, first),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == key(job(tmp_path), plan("a", 9), plan("b"))


def test_one_more_look_seldom_changes_the_coarse_grid():
    site = GeoBox((5000, 5000), GRID.affine, GRID.crs)
    grids = [coarse_grid(site, looks, 3) for looks in (66, 97, 98, 128)]
    assert len({tuple(grid.shape) for grid in grids}) == 1
    assert max(grids[0].shape) ** 2 * 128 * 3 <= 1.5e8

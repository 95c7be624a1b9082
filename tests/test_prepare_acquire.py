"""Scenes of one pass on one grid: what is seen of them, and what their masks call unusable."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from shapely import affinity

from groundbreak.prepare.acquire import Source, acquire
from groundbreak.prepare.known import Known
from groundbreak.prepare.looks import plan_looks
from groundbreak.prepare.versions import versions
from groundbreak.raster.write import write_cog
from groundbreak.types import Asset, Band, HrefPolicy, MaskAsset, MaskKind, Scene, Site
from series import GRID, SIDE, picture, write_picture

THEN = datetime(2024, 1, 1, tzinfo=UTC)
BANDS = tuple(Band(i, name, name) for i, name in enumerate(("red", "green", "blue"), start=1))
SITE = Site("s", "S", GRID.extent.to_crs("EPSG:4326").geom)
CLOUD = (slice(20, 60), slice(20, 70))
EAST = (slice(0, SIDE), slice(100, SIDE))


def delivered(tmp_path, name, masked, level=120, hole=None, cloud=CLOUD):
    """A scene of one colour, perhaps with a mask that calls a part of it cloud."""
    pixels = np.full_like(picture(), level)
    if hole is not None:
        pixels[(slice(None), *hole)] = 0
    write_picture(tmp_path / f"{name}.tif", pixels)
    codes = np.full((1, SIDE, SIDE), 4, np.uint8)
    codes[(0, *cloud)] = 9
    write_cog(tmp_path / f"{name}_SCL.tif", codes, GRID, ("scl",))
    masks = (MaskAsset(str(tmp_path / f"{name}_SCL.tif"), MaskKind.SCL),) if masked else ()
    return Scene(name, THEN, THEN, (Asset(str(tmp_path / f"{name}.tif"), BANDS),), masks, "s2a")


def seen(tmp_path, *scenes):
    [plan], _ = plan_looks(SITE, scenes)
    return acquire(plan, GRID, Source(("red", "green", "blue"), HrefPolicy(root=str(tmp_path))))


@pytest.mark.parametrize("again", ["a_again", "z_again"])
def test_delivered_again_without_its_mask_a_cloud_stays_hidden(tmp_path, again):
    look = seen(
        tmp_path, delivered(tmp_path, "scene", True), delivered(tmp_path, again, False, level=200)
    )
    assert not look.usable[CLOUD].any()
    assert look.usable.sum() == SIDE**2 - 40 * 50
    assert look.masked
    assert look.pixels[0].max() == pytest.approx(120 / 255)


def test_where_the_masked_scene_has_no_picture_the_other_one_serves(tmp_path):
    look = seen(
        tmp_path,
        delivered(tmp_path, "scene", True, hole=EAST),
        delivered(tmp_path, "again", False, level=200),
    )
    assert look.usable[EAST].all()
    assert not look.usable[CLOUD].any()
    assert not look.masked
    assert look.pixels[0][EAST].min() == pytest.approx(200 / 255)


def test_two_masked_frames_complete_each_other(tmp_path):
    look = seen(
        tmp_path,
        delivered(tmp_path, "one", True, hole=EAST),
        delivered(tmp_path, "two", True, cloud=(slice(0, 10), slice(0, 10))),
    )
    assert look.usable[EAST].all()
    assert not look.usable[CLOUD].any()
    assert look.masked


def noted(tmp_path, *scenes):
    [plan], _ = plan_looks(SITE, scenes)
    source = Source(("red", "green", "blue"), HrefPolicy(root=str(tmp_path)))
    return versions([plan], GRID, source, Known())


def test_a_scene_beside_the_one_that_it_corrects_is_noted(tmp_path):
    footprint = SITE.geometry
    one, copy, better, half, beside = (
        replace(delivered(tmp_path, name, False, level, hole), footprint=footprint)
        for name, level, hole in (
            ("one", 120, None),
            ("one_copy", 122, None),  # within what another form of the file makes of it
            ("one_corrected", 150, None),
            ("one_west", 200, EAST),
            ("beside", 200, None),
        )
    )
    beside = replace(beside, footprint=affinity.translate(footprint, 0.001))
    assert noted(tmp_path, one, copy) == []
    assert noted(tmp_path, one, beside) == []
    assert noted(tmp_path, copy, one, better) == [
        "one, one_corrected show the same ground on 2024-01-01 and differ: one is used where it "
        "shows something"
    ]
    other = replace(better, id="beside_corrected", footprint=beside.footprint)
    assert noted(tmp_path, one, beside, other)[0].startswith("beside, beside_corrected show")
    west = delivered(tmp_path, "one_east", False, 120, (slice(0, SIDE), slice(0, 100)))
    assert noted(tmp_path, half, replace(west, footprint=footprint)) == []

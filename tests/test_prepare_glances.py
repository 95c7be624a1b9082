"""What was judged at a glance is kept, and one more look comes to what a run from scratch does."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from scipy.ndimage import gaussian_filter

from groundbreak.errors import HrefError
from groundbreak.prepare import acquire
from groundbreak.prepare import look as room
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.job import PrepareConfig, SiteJob
from groundbreak.prepare.known import files
from groundbreak.prepare.look import SiteGrid
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.site import prepare_site
from groundbreak.raster.grid import site_mask
from groundbreak.types import Asset, Band, HrefPolicy, Scene, Site
from series import GRID, SIDE, picture, write_picture

BANDS = tuple(Band(i, name, name) for i, name in enumerate(("red", "green", "blue"), start=1))
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def reads(monkeypatch):
    """Ids of the scenes that are read, each time they are."""
    asked, read = [], acquire.read_scene

    def counted(scene, *rest, **more):
        asked.append(scene.id)
        return read(scene, *rest, **more)

    monkeypatch.setattr(acquire, "read_scene", counted)
    return asked


@pytest.fixture
def made(monkeypatch):
    """Paths of the rasters of looks that are written."""
    written, sink = [], room.RasterSink
    monkeypatch.setattr(
        room,
        "RasterSink",
        lambda path, *more, **rest: written.append(path) or sink(path, *more, **rest),
    )
    return written


def plan(folder, number, cloudy=False):
    """A look of the series; under cloud its middle is white, with a soft edge."""
    path = folder / "scenes" / f"{number}.tif"
    if not path.exists():
        pixels = picture(seed=number).astype(float)
        if cloudy:
            disk = np.hypot(*(np.indices((SIDE, SIDE)) - SIDE / 2)) < SIDE / 4
            pixels += (250 - pixels) * gaussian_filter(disk.astype(float), 8)
        write_picture(path, pixels.astype(np.uint8))
    moment = FIRST + timedelta(days=30 * number)
    scene = Scene(f"scene{number}", moment, moment, (Asset(str(path), BANDS),), ())
    return LookPlan(f"look{number}", moment, moment, (scene,), None, 1.0)


def job(tmp_path, name="site", **policy):
    site = Site("s", "S", GRID.extent.to_crs("EPSG:4326").geom)
    source = Source(("red", "green", "blue"), HrefPolicy(**{"root": str(tmp_path), **policy}))
    inside = site_mask(site, GRID)
    return SiteJob(SiteGrid(site, GRID, GRID), inside, source, PrepareConfig(), tmp_path / name)


def told(site):
    """All that is known of the looks of a site, wherever they lie."""
    return [replace(look, folder=None) for look in site.looks], site.unused, site.notes


def kept(tmp_path, name="site"):
    return {path.name: path.read_bytes() for path in (tmp_path / name / "glances").iterdir()}


def test_nothing_is_read_again(tmp_path, reads):
    plans = [plan(tmp_path, n) for n in range(3)]
    once = prepare_site(job(tmp_path), plans)
    assert set(reads) == {"scene0", "scene1", "scene2"}
    before = kept(tmp_path)
    reads.clear()
    assert told(prepare_site(job(tmp_path), plans)) == told(once)
    assert reads == []
    assert kept(tmp_path) == before


@pytest.mark.parametrize("cloudy", [(), (3,), (2, 4)], ids=["clear", "the newest", "around it"])
def test_one_more_look_comes_to_the_same(tmp_path, reads, made, cloudy):
    plans = [plan(tmp_path, n, n in cloudy) for n in range(5)]
    prepare_site(job(tmp_path), plans[:4])
    reads.clear()
    made.clear()
    extended = prepare_site(job(tmp_path), plans)
    if not cloudy:
        assert set(reads) == {"scene0", "scene4"}  # the reference, and the new one
        assert {path.parent.name for path in made} == {"look4"}
    assert told(extended) == told(prepare_site(job(tmp_path, "scratch"), plans))
    assert kept(tmp_path) == kept(tmp_path, "scratch")


def test_a_look_whose_clouds_show_late_is_prepared_again(tmp_path):
    """Alone it passes for bright ground; the next looks show what was below."""
    plans = [plan(tmp_path, 0, cloudy=True), plan(tmp_path, 1), plan(tmp_path, 2)]
    [alone] = prepare_site(job(tmp_path), plans[:1]).looks
    together = prepare_site(job(tmp_path), plans)
    assert told(together) == told(prepare_site(job(tmp_path, "scratch"), plans))
    assert alone.usable_share == 1.0
    assert together.looks[0].usable_share < 0.9


@pytest.mark.parametrize("change", ["replaced", "another outline", "another threshold"])
def test_what_was_judged_otherwise_is_judged_anew(tmp_path, reads, change):
    plans = [plan(tmp_path, n) for n in range(3)]
    partial = picture(seed=1)
    partial[:, :, 64:] = 0  # no data: 0.4 of the site, 0.8 of its western half
    write_picture(tmp_path / "scenes" / "1.tif", partial)
    work = job(tmp_path)
    [share] = [k.usable_share for k in prepare_site(work, plans).looks if k.id == "look1"]
    assert 0.3 < share < 0.5
    reads.clear()
    if change == "replaced":
        path = tmp_path / "scenes" / "1.tif"
        write_picture(path, picture(seed=9))
        os.utime(path, ns=(1, 1))
        expected = prepare_site(job(tmp_path, "scratch"), plans)
    elif change == "another outline":
        west = replace(work.grid.site, geometry=GRID[:, :80].extent.to_crs("EPSG:4326").geom)
        work = replace(work, grid=replace(work.grid, site=west), inside=site_mask(west, GRID))
        expected = prepare_site(replace(work, folder=tmp_path / "scratch"), plans)
    else:
        work = replace(work, config=PrepareConfig(min_usable_share=0.5))
        expected = prepare_site(replace(work, folder=tmp_path / "scratch"), plans)
    found = prepare_site(work, plans)
    assert told(found) == told(expected)
    assert kept(tmp_path)["known.json"] == kept(tmp_path, "scratch")["known.json"]
    again = {look.id: look.usable_share for look in found.looks}
    if change == "another threshold":
        assert "look1" not in again
    else:
        assert again["look1"] > share + 0.2


def test_a_mended_world_file_is_noticed(tmp_path):
    plans = [plan(tmp_path, n) for n in range(2)]
    [scene] = plans[1].scenes
    before = files(scene)
    assert all(before)
    (tmp_path / "scenes" / "1.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    assert files(scene) != before


def test_a_mask_beside_a_picture_that_is_swapped_is_noticed(tmp_path):
    plans = [plan(tmp_path, n) for n in range(2)]
    for number in range(2):
        path = tmp_path / "scenes" / f"{number}.tif"
        profile = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8"}
        profile |= {"crs": GRID.crs.to_wkt(), "transform": GRID.affine}
        with rasterio.open(path, "w", **profile) as dataset:  # nothing in it marks its fill
            dataset.write(picture(seed=number))
    mask = tmp_path / "scenes" / "1.tif.msk"

    def swap(seen):
        profile = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 1, "dtype": "uint8"}
        with rasterio.open(mask, "w", **profile) as dataset:
            dataset.write(np.where(seen, 255, 0).astype(np.uint8), 1)
            dataset.update_tags(INTERNAL_MASK_FLAGS_1="2")

    west = np.arange(SIDE)[None, :] < SIDE / 2
    swap(np.broadcast_to(west, (SIDE, SIDE)))
    first = prepare_site(job(tmp_path), plans)
    swap(np.ones((SIDE, SIDE), bool))
    second = prepare_site(job(tmp_path), plans)
    mask.unlink()
    third = prepare_site(job(tmp_path), plans)
    shares = [site.looks[1].usable_share for site in (first, second, third)]
    assert shares == pytest.approx([0.5, 1.0, 1.0], abs=0.01)
    assert len({site.looks[1].state for site in (first, second, third)}) == 3


@pytest.mark.parametrize("ending", [".ovr", ".msk", ".msk.ovr"])
def test_what_gdal_takes_from_beside_a_picture_counts_as_a_part_of_it(tmp_path, ending):
    [scene] = plan(tmp_path, 1).scenes
    before = files(scene)
    (tmp_path / "scenes" / f"1.tif{ending}").write_bytes(b"II*\0")
    assert files(scene) != before


def test_answers_that_were_cut_short_are_found_anew(tmp_path):
    plans = [plan(tmp_path, n) for n in range(3)]
    once = prepare_site(job(tmp_path), plans)
    path = tmp_path / "site" / "glances" / "known.json"
    path.write_text(path.read_text()[:40])
    assert told(prepare_site(job(tmp_path), plans)) == told(once)


@pytest.mark.parametrize("size", [0, 300, -1], ids=["empty", "its head only", "without its end"])
@pytest.mark.parametrize("what", ["pixels", "masks", "clouds"])
def test_a_damaged_picture_is_made_anew(tmp_path, caplog, what, size):
    plans = [plan(tmp_path, n, n == 1) for n in range(3)]
    once = prepare_site(job(tmp_path), plans)
    before = kept(tmp_path)
    folder = tmp_path / "site" / "glances"
    (folder / "known.json").unlink()  # the pictures are judged again
    pictures = sorted(folder.glob(f"*_{what}.tif"))
    assert len(pictures) == 3
    for path in pictures:
        path.write_bytes(path.read_bytes()[:size])
    assert told(prepare_site(job(tmp_path), plans)) == told(once)
    assert kept(tmp_path) == before
    assert caplog.text.count("it is made anew") == 3


def test_a_damaged_picture_of_a_scene_that_is_gone_is_made_from_the_prepared_look(tmp_path):
    plans = [plan(tmp_path, n) for n in range(3)]
    once = prepare_site(job(tmp_path), plans)
    folder = tmp_path / "site" / "glances"
    (folder / "known.json").unlink()
    for path in folder.glob("*_pixels.tif"):
        path.write_bytes(path.read_bytes()[:300])
    (tmp_path / "scenes" / "1.tif").unlink()
    again = prepare_site(job(tmp_path), plans)
    assert [look.id for look in again.looks] == ["look0", "look1", "look2"]
    assert again.looks[1] == once.looks[1]


def test_what_is_forbidden_now_is_not_taken_from_what_was_kept(tmp_path):
    plans = [plan(tmp_path, n) for n in range(2)]
    prepare_site(job(tmp_path), plans)
    with pytest.raises(HrefError):
        prepare_site(job(tmp_path, root=str(tmp_path / "elsewhere")), plans)

"""Bad scenes: among good ones they are left out with a reason everywhere; alone they are an answer.

Under ``--strict`` each of them ends the job with exit 2.
"""

import json
import shutil
from datetime import datetime, timedelta

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from commands import EVERYWHERE, events, observed, places_that_say
from groundbreak.prepare import overview
from groundbreak.raster.write import write_cog
from series import CRS, GRID, ORIGIN, SIDE, picture, write_picture, write_series, write_sites

EMPTY, BUILT = {}, {"house": True}
BAD = "2024-02-20.tif"


def no_date(folder):
    write_picture(folder / "harbour.tif", picture())
    return "harbour.tif", "has no date"


def truncated(folder):
    write_picture(folder / BAD, picture())
    whole = (folder / BAD).read_bytes()
    (folder / BAD).write_bytes(whole[: len(whole) // 2])
    return BAD, "is damaged"


def no_raster(folder):
    folder.mkdir(exist_ok=True)
    (folder / BAD).write_text("<html>404 not found</html>")
    return BAD, "is not a raster of a format that is read"


def empty_file(folder):
    folder.mkdir(exist_ok=True)
    (folder / BAD).write_bytes(b"")
    return BAD, "is empty"


def no_crs(folder):
    write_cog_plain(folder / BAD, picture(), crs=None)
    return BAD, "has no CRS"


def no_certain_date(folder):
    write_picture(folder / "12-03-2024.tif", picture())
    return "12-03-2024.tif", "which is no certain date: write it as YYYY-MM-DD, or list the file"


def several_dates(folder):
    write_picture(folder / "2024-02-20_2024-02-25.tif", picture())
    return "2024-02-20_2024-02-25.tif", "and is of no known style: list the file in dates.csv"


def in_the_future(folder):
    name = f"{datetime.now() + timedelta(days=400):%Y-%m-%d}.tif"
    write_picture(folder / name, picture())
    return name, "lies in the future: give the true one in dates.csv"


def vrt(folder):
    folder.mkdir(exist_ok=True)
    (folder / "2024-02-20.vrt").write_text("<VRTDataset/>")
    return "2024-02-20.vrt", "is a VRT, which may point anywhere"


def one_band(folder):
    write_cog_plain(folder / BAD, picture()[:1], crs=CRS)
    return "2024-02-20", "no red, green, blue band"


def too_coarse(folder):
    grid = GeoBox((8, 8), Affine(60, 0, ORIGIN[0], 0, -60, ORIGIN[1]), CRS)
    write_picture(folder / BAD, picture()[:, :8, :8], grid)
    return "2024-02-20", "too coarse for buildings"


def all_nodata(folder):
    write_picture(folder / BAD, np.zeros_like(picture()))
    return "2024-02-20", "shows 0 % of the site"


REFUSED = (
    no_date,
    truncated,
    no_raster,
    empty_file,
    no_crs,
    no_certain_date,
    several_dates,
    in_the_future,
    vrt,
)
"""Not a scene at all."""
USELESS = (one_band, too_coarse, all_nodata)
"""A scene that can show nothing."""


def write_cog_plain(path, pixels, crs):
    """Without names of bands, perhaps without a CRS."""
    path.parent.mkdir(exist_ok=True)
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width}
    profile |= {"dtype": "uint8", "crs": crs, "transform": GRID.affine}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels)


@pytest.fixture
def detect(tmp_path, command, engine):
    write_sites(tmp_path / "sites.geojson")

    def run(*more, catalog="scenes"):
        places = {"sites": tmp_path / "sites.geojson", "catalog": tmp_path / catalog}
        words = [word for name, place in places.items() for word in (f"--{name}", place)]
        return command("detect", *words, "-o", tmp_path / "run", *more)

    return run


def names(make):
    return make.__name__


@pytest.mark.parametrize("make", [*REFUSED, *USELESS], ids=names)
def test_one_bad_scene_among_good_ones(tmp_path, detect, make):
    write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT])
    subject, reason = make(tmp_path / "scenes")
    answer = detect()
    assert answer.code == 0
    assert (reason in answer.err) or "in 3 looks (1 left out)" in answer.out
    run = tmp_path / "run"
    assert places_that_say(run, reason) == EVERYWHERE
    [row] = [row for row in observed(run) if reason in (row["reason"] or "")]
    assert not row["used"]
    assert row["scene_ids"] == [subject]
    [event] = events(run)
    assert event["end_datetime"].startswith("2024-02-09")


@pytest.mark.parametrize("make", [*REFUSED, *USELESS], ids=names)
def test_under_strict_it_ends_the_job(tmp_path, detect, make):
    write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT])
    subject, reason = make(tmp_path / "scenes")
    answer = detect("--strict")
    assert answer.code == 2
    assert answer.out == ""
    assert reason in answer.error
    assert subject in answer.error
    assert not (tmp_path / "run" / "events.geojson").exists()


@pytest.mark.parametrize("make", REFUSED, ids=names)
def test_alone_there_is_no_scene(tmp_path, detect, make):
    subject, reason = make(tmp_path / "scenes")
    answer = detect()
    assert answer.code == 2
    assert subject in answer.error
    assert reason in answer.error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("make", USELESS, ids=names)
def test_alone_its_site_is_not_observed(tmp_path, detect, make):
    _, reason = make(tmp_path / "scenes")
    answer = detect()
    assert answer.code == 0
    assert answer.out.startswith("Site 0: not observed: ")
    assert reason in answer.out
    assert places_that_say(tmp_path / "run", reason) == EVERYWHERE
    assert events(tmp_path / "run") == []


def test_two_files_with_the_same_id(tmp_path, detect):
    write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT])
    write_picture(tmp_path / "scenes" / "a_2024-04-20.tif", picture(house=True))
    write_picture(tmp_path / "scenes" / "a" / "2024-04-20.tif", picture(house=True))
    reason = "has the id 'a_2024-04-20' that"
    assert detect().code == 0
    assert places_that_say(tmp_path / "run", reason) == EVERYWHERE
    assert len(events(tmp_path / "run")) == 1
    assert reason in detect("--strict").error


class TestCatalogue:
    """What `catalog scan` wrote, and what became of it since."""

    @pytest.fixture
    def catalog(self, tmp_path, command):
        write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT])
        path = tmp_path / "catalog.json"
        assert command("catalog", "scan", tmp_path / "scenes", "-o", path).code == 0
        return path

    def test_two_items_with_the_same_id(self, tmp_path, detect, catalog):
        document = json.loads(catalog.read_text())
        document["features"].append(document["features"][1])
        catalog.write_text(json.dumps(document))
        reason = "has the id '2024-02-09' that item 2 has"
        assert detect(catalog="catalog.json").code == 0
        assert places_that_say(tmp_path / "run", reason) == EVERYWHERE
        assert len(events(tmp_path / "run")) == 1
        answer = detect("--strict", catalog="catalog.json")
        assert answer.code == 2
        assert f"item 4 {reason}" in answer.error

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda path: path.unlink(), "does not exist"),
            (lambda path: path.write_bytes(path.read_bytes()[:9000]), "damaged or cannot be read"),
            (lambda path: path.write_text("gone"), "is not a raster"),
        ],
        ids=["deleted", "truncated", "overwritten"],
    )
    def test_a_file_that_is_no_longer_whole(self, tmp_path, detect, catalog, spoil, reason):
        spoil(tmp_path / "scenes" / "2024-02-09.tif")
        answer = detect(catalog="catalog.json")
        assert answer.code == 0
        assert places_that_say(tmp_path / "run", reason) == EVERYWHERE
        [event] = events(tmp_path / "run")
        assert event["start_datetime"].startswith("2024-01-10")
        assert event["end_datetime"].startswith("2024-03-10")
        assert reason in detect("--strict", catalog="catalog.json").error

    def test_all_files_are_gone(self, tmp_path, detect, catalog):
        shutil.rmtree(tmp_path / "scenes")
        answer = detect(catalog="catalog.json")
        assert answer.code == 0
        assert "not observed: no usable look" in answer.out
        assert places_that_say(tmp_path / "run", "does not exist") == EVERYWHERE

    def test_only_one_scene_of_a_mosaic_is_damaged(self, tmp_path, detect, command):
        """The look goes on without it, and the scene has a row of its own."""
        half = SIDE // 2
        east = GeoBox((SIDE, half), GRID.affine * Affine.translation(half, 0), CRS)
        west = GeoBox((SIDE, half), GRID.affine, CRS)
        for day, house in (("2024-01-10", False), ("2024-02-09", True)):
            whole = picture(house=house)
            write_picture(tmp_path / "scenes" / f"west_{day}.tif", whole[:, :, :half], west)
            write_picture(tmp_path / "scenes" / f"east_{day}.tif", whole[:, :, half:], east)
        catalog = tmp_path / "catalog.json"
        assert command("catalog", "scan", tmp_path / "scenes", "-o", catalog).code == 0
        (tmp_path / "scenes" / "east_2024-02-09.tif").unlink()
        assert detect(catalog="catalog.json").code == 0
        assert len(events(tmp_path / "run")) == 1
        assert places_that_say(tmp_path / "run", "does not exist") == EVERYWHERE
        lost = [
            row for row in observed(tmp_path / "run") if row["scene_ids"] == ["east_2024-02-09"]
        ]
        assert [row["used"] for row in lost] == [False]


@pytest.mark.parametrize("spoilt", [0, 1, 2])
def test_damage_that_only_a_full_reading_finds(tmp_path, detect, command, monkeypatch, spoilt):
    """Overviews are whole, a block of the picture itself is not: also in the reference look."""
    monkeypatch.setattr(overview, "LONGEST_SIDE", 64)
    side = 4 * SIDE
    write_sites(tmp_path / "sites.geojson", (0, -side, side, 0))
    grid = GeoBox((side, side), GRID.affine, CRS)
    for number, house in enumerate((False, False, True)):
        pixels = np.tile(picture(seed=number), (1, 4, 4))
        pixels[:, :SIDE, :SIDE] = picture(house=house, seed=number)
        path = tmp_path / "scenes" / f"2024-0{number + 1}-10.tif"
        path.parent.mkdir(exist_ok=True)
        write_cog(path, pixels, grid, ("red", "green", "blue"), nodata=0)
    path = tmp_path / "scenes" / f"2024-0{spoilt + 1}-10.tif"
    with rasterio.open(path) as dataset:
        assert dataset.overviews(1)
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 64)
    assert detect().code == 0
    run = tmp_path / "run"
    assert places_that_say(run, "damaged or cannot be read") == EVERYWHERE
    [row] = [row for row in observed(run) if not row["used"]]
    assert row["scene_ids"] == [path.stem]
    assert len(events(run)) == (0 if spoilt == 2 else 1)


def test_degrees_with_a_pixel_size_in_metres(tmp_path, detect):
    """Scenes in EPSG:4326 go onto the metres that were asked for."""
    west, south, east, north = GRID.geographic_extent.boundingbox
    transform = Affine((east - west) / SIDE, 0, west, 0, (south - north) / SIDE, north)
    grid = GeoBox((SIDE, SIDE), transform, "EPSG:4326")
    for day, house in (("2024-01-10", False), ("2024-02-09", True), ("2024-03-10", True)):
        write_picture(tmp_path / "scenes" / f"{day}.tif", picture(house=house), grid)
    answer = detect("--gsd", "2", "--json")
    assert answer.code == 0
    [site] = answer.json()["sites"]
    assert site["gsd_m"] == 2
    [event] = events(tmp_path / "run")
    assert event["area_m2"] == pytest.approx(500, rel=0.3)

"""Odd, broken and hostile real files, each alone: what is expected of every one of them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely

from groundbreak.errors import RasterError
from groundbreak.raster.grid import site_grid, site_mask
from groundbreak.raster.read import inspect, read_picture, read_scene
from groundbreak.types import Asset, HrefPolicy, Scene, Site

pytestmark = pytest.mark.shared

THEN = datetime(2020, 6, 1, tzinfo=UTC)
RGB = ("red", "green", "blue")


@dataclass(frozen=True)
class Good:
    """Reading gives a picture: its bands by common name, CRS, GSD in metres, share valid."""

    bands: tuple[str | None, ...]
    crs: str | None
    gsd_m: float | None
    valid: float


@dataclass(frozen=True)
class Unplaced:
    """The picture can be read, but it lies nowhere: words of the refusal to place it."""

    bands: tuple[str | None, ...]
    words: str


@dataclass(frozen=True)
class Refused:
    """Words of the refusal, and whether the file can at least be inspected."""

    words: str
    inspected: bool = False


RGBN = (*RGB, "nir")
EXPECTED: dict[str, Good | Unplaced | Refused] = {
    "all_nodata_4band.tif": Good(("blue", "green", "red", "nir"), "EPSG:32628", 3.0, 0.0),
    "alpha_band_jpeg_3857.tif": Good(RGB, "EPSG:3857", 3.084, 0.0155),
    "antimeridian_4326.tif": Good((None,), "EPSG:4326", 97000.0, 0.041),
    "antimeridian_utm60.tif": Good((None,), "EPSG:32660", 100.01, 1.0),
    "cog_rgb_mask_015m.tif": Good(RGB, "EPSG:26913", 0.15, 0.969),
    "corrupt_jpeg_blocks.tif": Refused("damaged", inspected=True),
    "empty.tif": Refused("is empty"),
    "float_nan_nodata.tif": Unplaced((None,), "has no CRS"),
    "gcps_no_transform.tif": Good((None,), "EPSG:4326", 201.8, 1.0),
    "int16_nodata_cog.tif": Good((None,), "EPSG:32621", 100.05, 0.518),
    "internal_mask_band.tif": Good(RGB, "EPSG:26913", 0.15, 0.969),
    "mars_not_earth.tif": Refused("not of the Earth"),
    "paletted_utm17.tif": Good(RGB, "EPSG:32617", 141.5, 1.0),
    "rapideye_5m_collar_ships.tif": Good(RGB, "EPSG:32610", 5.0, 0.983),
    "rotated_no_crs.tif": Unplaced((None,), "has no CRS"),
    "s2_no_crs.tif": Unplaced(RGBN, "has no place"),
    "s2_paletted.tif": Good(RGB, "EPSG:32634", 10.0, 1.0),
    "s2_rgb_jpeg_ycbcr.tif": Good(RGB, "EPSG:32634", 10.0, 1.0),
    "s2_rotated_20deg.tif": Good(RGBN, "EPSG:32634", 10.0, 1.0),
    "south_up.tif": Good((None,), "EPSG:4326", 55500.0, 0.0),
    "text_named.tif": Refused("not a raster"),
    "truncated.tif": Refused("damaged", inspected=True),
    "uint16_nodata1_cog_overviews.tif": Good((None,), "EPSG:32621", 100.05, 0.518),
    "uint16_rgba_bgr_order.tif": Good(("blue", "green", "red"), "EPSG:32612", 1.379, 0.489),
    "shift_pair/reference.tif": Good(RGBN, "EPSG:32634", 10.0, 1.0),
    "shift_pair/shifted_dx1.8_dy-0.6.tif": Good(RGBN, "EPSG:32634", 10.0, 1.0),
    "two_tiles_two_crs/tile_east_4326.tif": Good(RGBN, "EPSG:4326", 9.17, 0.92),
    "two_tiles_two_crs/tile_west_32634.tif": Good(RGBN, "EPSG:32634", 10.0, 1.0),
}


def scene_of(path: Path) -> Scene:
    return Scene(path.stem, THEN, THEN, (Asset(str(path), ()),))


def read_own_grid(path: Path, gsd_m: float | None = None):
    """The scene on a grid around it, as detection would read it."""
    info = inspect(path)
    site = Site("own", "own", info.footprint)
    grid = site_grid(site, gsd_m or round(info.gsd_m, 2))
    names = [band.name for band in info.bands]
    return read_scene(scene_of(path), grid, names, HrefPolicy(root=str(path.parent)))


def test_every_fixture_has_its_expectation(shared: Path) -> None:
    folder = shared / "eo" / "fixtures"
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*.tif")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_fixture(shared: Path, name: str) -> None:
    path = shared / "eo" / "fixtures" / name
    expected = EXPECTED[name]
    if isinstance(expected, Refused):
        refuse = (read_picture, read_own_grid) if expected.inspected else (inspect, read_own_grid)
        for read in refuse:
            with pytest.raises(RasterError, match=expected.words) as caught:
                read(path)
            assert "\n" not in str(caught.value)
            assert name in str(caught.value)
        return
    info = inspect(path)
    pixels, _, valid = read_picture(path)
    assert tuple(b.common_name for b in info.bands) == expected.bands
    assert pixels.shape == (len(expected.bands), *info.shape)
    if isinstance(expected, Unplaced):
        assert not info.placed
        with pytest.raises(RasterError, match=expected.words):
            read_scene(
                scene_of(path),
                site_grid(Site("a", "a", shapely.box(18.5, 54.5, 18.6, 54.6)), 10.0),
                [band.name for band in info.bands],
                HrefPolicy(root=str(path.parent)),
            )
        return
    assert info.crs == expected.crs
    assert info.gsd_m == pytest.approx(expected.gsd_m, rel=0.01)
    assert valid.mean() == pytest.approx(expected.valid, abs=0.002)


COARSELY = {"int16_nodata_cog.tif": 1700.0, "uint16_nodata1_cog_overviews.tif": 310.0}
"""Pixel sizes to read large files at, from their overviews."""


@pytest.mark.parametrize(
    ("name", "gsd_m"),
    [
        (name, COARSELY.get(name))
        for name, expected in EXPECTED.items()
        if isinstance(expected, Good) and expected.gsd_m and expected.gsd_m < 1000
    ],
)
def test_on_its_own_grid_the_valid_area_stays(shared: Path, name: str, gsd_m: float | None) -> None:
    path = shared / "eo" / "fixtures" / name
    patch = read_own_grid(path, gsd_m)
    info = inspect(path)
    valid_m2 = patch.valid.sum() * patch.geobox.resolution.x**2
    height, width = info.shape
    expected_m2 = EXPECTED[name].valid * height * width * info.gsd_m**2
    assert valid_m2 == pytest.approx(expected_m2, rel=0.03, abs=50 * patch.geobox.resolution.x**2)
    assert not patch.pixels[:, ~patch.valid].any()
    assert patch.pixels.max(initial=0) <= 1


def test_rotated_paletted_and_jpeg_versions_show_the_same_place(shared: Path) -> None:
    folder = shared / "eo" / "fixtures"
    reference = read_own_grid(folder / "s2_rgb_jpeg_ycbcr.tif")
    paletted = read_own_grid(folder / "s2_paletted.tif")
    assert np.corrcoef(reference.pixels.ravel(), paletted.pixels.ravel())[0, 1] > 0.97


def test_two_tiles_in_two_crs_agree_where_they_overlap(shared: Path) -> None:
    folder = shared / "eo" / "fixtures" / "two_tiles_two_crs"
    west, east = folder / "tile_west_32634.tif", folder / "tile_east_4326.tif"
    outline = inspect(west).footprint.union(inspect(east).footprint)
    grid = site_grid(Site("both", "both", outline), 10.0)
    policy = HrefPolicy(root=str(folder))
    patches = [read_scene(scene_of(p), grid, RGB, policy) for p in (west, east)]
    both = patches[0].valid & patches[1].valid
    assert both.sum() > 3000
    first, second = (p.pixels[:, both] for p in patches)
    assert np.abs(first - second).mean() < 0.004


def test_a_raster_across_the_antimeridian_is_read_on_both_sides(shared: Path) -> None:
    path = shared / "eo" / "fixtures" / "antimeridian_4326.tif"
    _, _, valid = read_picture(path)  # 360 columns of a degree from 180 W
    rows, east = np.arange(7, 24), np.roll(valid, 180, axis=1)[7:24, 170:190]
    weight = np.cos(np.radians(-26.0 - rows))[:, np.newaxis] * np.ones_like(east)
    assert east[:, :10].any()
    assert east[:, 10:].any()
    site = Site("nz", "nz", shapely.box(170.0, -49.54, 190.0, -32.54))
    grid = site_grid(site, 10000.0)
    patch = read_scene(scene_of(path), grid, ["band1"], HrefPolicy(root=str(path.parent)))
    share = patch.valid[site_mask(site, grid)].mean()
    assert share == pytest.approx(np.average(east, weights=weight), abs=0.02)


def test_real_sets_of_other_formats(shared: Path) -> None:
    jp2 = shared / "pairs" / "oscd" / "train" / "A" / "paris.jp2"
    info = inspect(jp2)
    assert [b.common_name for b in info.bands] == list(RGBN)
    assert info.crs == "EPSG:4326"
    assert 8 < info.gsd_m < 12
    port = shared / "eo" / "ports" / "honolulu" / "honolulu_2023-01-08.tif"
    info = inspect(port)  # LERC, EPSG:3857
    assert [b.common_name for b in info.bands] == [*RGBN, "swir16"]
    assert info.gsd_m == pytest.approx(9.31, abs=0.04)
    assert info.bands[0].scale == 1e-4
    patch = read_own_grid(port, 10.0)
    assert patch.valid.mean() > 0.9
    assert 0.01 < np.median(patch.pixels[0][patch.valid]) < 0.3
    webp = next((shared / "pairs" / "levir" / "train" / "A").glob("*.webp"))
    pixels, names, valid = read_picture(webp)
    assert (pixels.shape, pixels.dtype, names) == ((3, 1024, 1024), np.uint8, RGB)
    assert valid.all()
    small = next((shared / "pairs" / "mshs_s2" / "train" / "A").glob("*.tif"))
    pixels, names, _ = read_picture(small)
    assert (pixels.shape[0], pixels.dtype, names) == (4, np.uint8, RGBN)


def test_bands_shown_in_other_colours_are_not_those_colours(shared: Path) -> None:
    info = inspect(shared / "eo" / "series" / "pucallpa_landsat" / "1985.tif")
    assert [b.common_name for b in info.bands] == ["swir16", "nir", "red", None]


def test_a_named_fourth_band_is_no_alpha(shared: Path) -> None:
    folder = shared / "eo" / "series" / "naip_north_dakota_wetlands"
    info = inspect(sorted(folder.glob("*.tif"))[0])
    assert [b.common_name for b in info.bands] == list(RGBN)
    assert info.valid_by == "nodata"

"""The one grid of a site, and where rasters lie."""

import itertools
import math

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from groundbreak.errors import RasterError, SiteError
from groundbreak.raster.grid import (
    blocks,
    check_size,
    site_crs,
    site_grid,
    site_mask,
    site_shape,
    tile_windows,
    utm_code,
)
from groundbreak.raster.placing import ground_gsd, outline
from groundbreak.types import Site

GEOD = Geod(ellps="WGS84")


def site(west: float, south: float, east: float, north: float) -> Site:
    return Site("s", "s", shapely.box(west, south, east, north))


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (3.0, 50.0, "EPSG:32631"),
        (-0.1, 51.5, "EPSG:32630"),
        (125.7, 39.0, "EPSG:32651"),
        (18.4, -33.9, "EPSG:32734"),
        (179.9, 10.0, "EPSG:32660"),
        (180.0, 10.0, "EPSG:32601"),
        (180.1, -10.0, "EPSG:32701"),
        (-180.0, 10.0, "EPSG:32601"),
        (539.9, 10.0, "EPSG:32660"),
        (10.0, 0.0, "EPSG:32632"),
    ],
)
def test_utm_zone(lon: float, lat: float, code: str) -> None:
    assert utm_code(lon, lat) == code


def test_grid_is_snapped_and_covers_the_site() -> None:
    place = site(18.50, 54.50, 18.53, 54.52)
    grid = site_grid(place, 10.0)
    assert str(grid.crs) == "EPSG:32634"
    assert grid.affine.c % 10 == 0
    assert grid.affine.f % 10 == 0
    assert (grid.affine.a, grid.affine.e, grid.affine.b) == (10.0, -10.0, 0.0)
    left, bottom, right, top = grid.boundingbox.bbox
    inner = site_shape(place).bounds
    assert left <= inner[0] < left + 10
    assert right - 10 < inner[2] <= right
    assert bottom <= inner[1] < bottom + 10
    assert top - 10 < inner[3] <= top


@given(
    lon=st.floats(-180, 180),
    lat=st.floats(-79, 83),
    side=st.floats(1e-7, 0.1),
    gsd=st.sampled_from([0.15, 0.3, 0.5, 2.0, 10.0, 30.0]),
)
def test_any_site_gets_one_stable_grid(lon: float, lat: float, side: float, gsd: float) -> None:
    place = site(lon, lat, lon + side, lat + side)
    grid = site_grid(place, gsd)
    assert grid == site_grid(Site("other", "name", place.geometry), gsd)
    assert min(grid.shape) >= 1
    steps = np.array([grid.affine.c, grid.affine.f]) / gsd
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    inner = site_shape(place).bounds
    assert grid.boundingbox.bbox[0] <= inner[0] + 1e-5 * gsd
    assert grid.boundingbox.bbox[3] >= inner[3] - 1e-5 * gsd


@pytest.mark.parametrize(("west", "east"), [(5.99, 6.03), (179.98, 180.03), (-180.02, -179.97)])
def test_a_site_across_a_zone_border_is_one_site_in_one_zone(west: float, east: float) -> None:
    grid = site_grid(site(west, -17.02, east, -17.0), 10.0)
    width_m = GEOD.inv(west, -17.01, east, -17.01)[2]
    assert grid.shape[1] * 10 == pytest.approx(width_m, rel=0.03)


def test_the_same_place_past_180_has_the_same_grid() -> None:
    assert site_grid(site(180.5, 10, 180.6, 10.1), 10) == site_grid(
        site(-179.5, 10, -179.4, 10.1), 10
    )


def test_a_site_smaller_than_a_pixel_has_that_pixel() -> None:
    place = site(18.500001, 54.500001, 18.500002, 54.500002)
    grid = site_grid(place, 10.0)
    assert tuple(grid.shape) == (1, 1)
    assert site_mask(place, grid).all()


def test_mask_follows_the_polygon_and_its_windows_agree() -> None:
    triangle = Site("t", "t", shapely.Polygon([(18.5, 54.5), (18.52, 54.5), (18.5, 54.51)]))
    grid = site_grid(triangle, 10.0)
    mask = site_mask(triangle, grid)
    assert mask.sum() * 100 == pytest.approx(site_shape(triangle).area, rel=0.05)
    assert mask.mean() < 0.6
    for window in tile_windows(grid, 50, 10):
        np.testing.assert_array_equal(site_mask(triangle, grid[window.slices]), mask[window.slices])


@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    size=st.integers(1, 300),
    overlap=st.integers(0, 299),
)
def test_windows_cover_everything(height: int, width: int, size: int, overlap: int) -> None:
    grid = site_grid(site(18.5, 54.5, 18.51, 54.51), 10.0).expand((height, width))
    if overlap >= size or (size - overlap) * 40 < max(height, width):
        return
    seen = np.zeros((height, width), int)
    windows = tile_windows(grid, size, overlap)
    for window in windows:
        assert window.shape == (min(size, height), min(size, width))
        assert tuple(grid[window.slices].shape) == window.shape
        seen[window.slices] += 1
    assert seen.min() == 1
    assert len(set(windows)) == len(windows)
    if height > size:
        tops = sorted({w.y0 for w in windows})
        assert all(b - a <= size - overlap for a, b in itertools.pairwise(tops))


def test_windows_refuse_an_overlap_that_never_ends() -> None:
    with pytest.raises(ValueError, match="overlap"):
        tile_windows(site_grid(site(0, 0, 0.1, 0.1), 10), 64, 64)


def test_a_site_too_large_is_refused() -> None:
    with pytest.raises(SiteError, match=r"site s: has .* more than 100 million"):
        check_size(site(0, 0, 1, 1), site_grid(site(0, 0, 1, 1), 10.0), 100_000_000)
    with pytest.raises(SiteError, match="too large for one UTM zone"):
        site_grid(site(-60, -10, 60, 10), 10.0)


@pytest.mark.parametrize(
    ("crs", "pixel", "origin", "gsd"),
    [
        ("EPSG:32634", 10.0, (339510, 6047250), 10.0),
        ("EPSG:3857", 10.0, (2060000, 7270000), 10.0 * math.cos(math.radians(54.6))),
        ("EPSG:4326", 0.0001, (18.5, 54.5), 11.13 * math.sqrt(math.cos(math.radians(54.5)))),
        ("EPSG:2263", 1.0, (980000, 190000), 0.3048),  # feet
    ],
)
def test_pixel_size_on_the_ground(
    crs: str, pixel: float, origin: tuple[float, float], gsd: float
) -> None:
    transform = Affine(pixel, 0, origin[0], 0, -pixel, origin[1])
    assert ground_gsd(crs, transform, (100, 100)) == pytest.approx(gsd, rel=0.006)
    turned = transform @ Affine.rotation(30) if crs != "EPSG:4326" else transform
    assert ground_gsd(crs, turned, (100, 100)) == pytest.approx(gsd, rel=0.006)


def test_outline_runs_past_180() -> None:
    across = outline("EPSG:32660", Affine(100, 0, 790000, 0, -100, 1100000), (200, 600))
    west, _, east, _ = across.bounds
    assert west < 180 < east
    assert east - west < 1.0
    # The same longitudes counted on from 360.
    shifted = outline("EPSG:4326", Affine(0.1, 0, 350.0, 0, -0.1, 10.0), (10, 20))
    assert shifted.bounds == pytest.approx((-10, 9, -8, 10))


@pytest.mark.parametrize(
    ("crs", "words"),
    [
        ("EPSG:999999", "is not known"),
        ("nonsense", "is not known"),
        ("+proj=longlat +a=3396190 +b=3376200 +no_defs", "not of the Earth"),
        (
            'ENGCRS["site",EDATUM["x"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],UNIT["metre",1]]',
            "does not place",
        ),
        ("EPSG:4978", "does not place"),
    ],
)
def test_a_crs_without_a_place_is_refused(crs: str, words: str) -> None:
    with pytest.raises(RasterError, match=words):
        ground_gsd(crs, Affine(1, 0, 0, 0, -1, 0), (10, 10))


def test_a_raster_outside_its_crs_is_refused() -> None:
    with pytest.raises(RasterError, match="outside its CRS"):
        outline("EPSG:4326", Affine(1, 0, 0, 0, -1, 400), (10, 10))


def test_site_crs_is_that_of_the_centroid() -> None:
    assert site_crs(site(5.0, 10, 6.5, 10.1)) == "EPSG:32631"
    assert site_crs(site(5.9, 10, 8.0, 10.1)) == "EPSG:32632"


@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(1, 100))
def test_blocks_cover_everything_once(height: int, width: int, size: int) -> None:
    grid = site_grid(site(18.5, 54.5, 18.51, 54.51), 10.0).expand((height, width))
    seen = np.zeros((height, width), int)
    for block in blocks(grid, size):
        assert max(block.shape) <= size
        seen[block.slices] += 1
    assert (seen == 1).all()

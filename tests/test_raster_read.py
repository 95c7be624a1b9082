"""Reading rasters onto grids: places, pixel types, valid pixels."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from groundbreak.errors import RasterError
from groundbreak.raster import source
from groundbreak.raster.offsets import OffsetDecision
from groundbreak.raster.read import inspect, read_mask, read_picture, read_scene
from groundbreak.raster.valid import FillColour
from groundbreak.types import Asset, Band, Georef, HrefPolicy, MaskAsset, MaskKind, Scene
from rasters import (
    HERE,
    RAMP_BANDS,
    RGB,
    THEN,
    UTM,
    expected_where,
    ramp,
    read,
    scene,
    where,
    write,
)

BLACK = (FillColour.BLACK,)
FILL = {FillColour.BLACK: 0, FillColour.WHITE: 255}
CRSS = (UTM, "EPSG:32633", "EPSG:3857", "EPSG:4326", "EPSG:3035")


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    crs=st.sampled_from(CRSS),
    lon=st.floats(-179.9, 179.9),
    lat=st.floats(-65, 65),
    gsd=st.sampled_from([0.5, 3.0, 10.0]),
    ratio=st.sampled_from([0.3, 0.8, 1.0, 1.2, 2.7, 9.0]),
    turn=st.sampled_from([0.0, 0.0, 17.0, 90.0, 200.0]),
    south_up=st.booleans(),
    shift=st.tuples(st.floats(-30, 30), st.floats(-30, 30)),
    dtype=st.sampled_from(["float32", "uint16"]),
)
def test_pixels_come_from_where_they_belong(
    tmp_path: Path, crs: str, lon: float, lat: float, gsd: float, ratio: float,
    turn: float, south_up: bool, shift: tuple[float, float], dtype: str,
) -> None:  # fmt: skip
    """Any CRS, place, pixel size, rotation: read back within half a pixel of the larger grid."""
    if crs != "EPSG:4326" and crs != "EPSG:3857":
        lon, lat = 18.5 + lon / 100, 52.0 + lat / 30  # where these CRSs are made for
    zone = f"EPSG:{(32600 if lat >= 0 else 32700) + int((lon + 180) // 6) + 1}"
    # A raster of 200 x 180 pixels around the place, in its own CRS.
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    unit = gsd / 111_000 if crs == "EPSG:4326" else gsd
    down = 1 if south_up else -1
    transform = (
        Affine.translation(x, y) @ Affine.rotation(turn) @ Affine.scale(unit, down * unit)
    ) @ Affine.translation(-100, -90)
    path = write(tmp_path / "ramp.tif", ramp((180, 200), dtype), transform, crs)
    # A grid of the same extent or so in UTM.
    east, north = Transformer.from_crs("EPSG:4326", zone, always_xy=True).transform(lon, lat)
    size = max(4, int(150 / ratio))
    step = gsd * ratio
    grid = GeoBox(
        (size, size + 3),
        Affine(step, 0, east + (shift[0] - 75) * gsd, 0, -step, north + (75 - shift[1]) * gsd),
        zone,
    )
    patch = read(path, grid, ("x", "y"), bands=RAMP_BANDS)
    found, expected = where(patch, dtype), expected_where(crs, transform, grid)
    inside = (expected > 0).all(axis=0) & (expected[0] < 200) & (expected[1] < 180)
    assume(inside.sum() > 20)
    assert (patch.valid != inside).mean() < 0.02
    # Away from the edge, where half of what would be averaged is missing.
    larger = max(
        1.0, np.abs(np.diff(expected, axis=2)).max(), np.abs(np.diff(expected, axis=1)).max()
    )
    deep = (expected > 2 * larger).all(axis=0) & patch.valid
    deep &= (expected[0] < 200 - 2 * larger) & (expected[1] < 180 - 2 * larger)
    assert np.abs(found - expected)[:, deep].max(initial=0) < 0.5 * larger


@pytest.mark.parametrize("west", [179.0, -181.0, 539.0])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize(
    "grid",
    [
        GeoBox((100, 100), Affine(1000, 0, 750000, 0, -1000, 8050000), "EPSG:32760"),
        GeoBox((100, 100), Affine(1000, 0, 150000, 0, -1000, 8050000), "EPSG:32701"),
        GeoBox((100, 120), Affine(0.01, 0, 179.5, 0, -0.01, -17.5), "EPSG:4326"),
        GeoBox((100, 120), Affine(0.01, 0, -180.5, 0, -0.01, -17.5), "EPSG:4326"),
    ],
    ids=["utm60", "utm1", "past180", "before-180"],
)
def test_rasters_and_grids_across_the_antimeridian(
    tmp_path: Path, west: float, crs: str, grid: GeoBox
) -> None:
    unit = 1.0 if crs == "EPSG:4326" else math.radians(1) * 6378137.0
    transform = Affine(0.01 * unit, 0, west * unit, 0, -0.01 * unit, -17.0 * unit)
    path = write(tmp_path / "ramp.tif", ramp((200, 200)), transform, crs)
    patch = read(path, grid, ("x", "y"), bands=RAMP_BANDS)
    expected = expected_where(crs, transform, grid)
    inside = (expected > 1).all(axis=0) & (expected < 199).all(axis=0)
    assert inside.mean() > 0.5
    assert patch.valid[inside].all()
    assert np.abs(where(patch) - expected)[:, inside].max() < 0.5


def test_a_global_raster_is_joined_at_its_seam(tmp_path: Path) -> None:
    pixels = np.tile(np.abs(np.arange(360) - 179.5)[np.newaxis, np.newaxis] / 360, (1, 60, 1))
    path = write(
        tmp_path / "globe.tif", pixels.astype("float32"), Affine(1, 0, -180, 0, -1, 30), "EPSG:4326"
    )
    grid = GeoBox((20, 20), Affine(20000, 0, 600000, 0, -20000, 400000), "EPSG:32660")
    patch = read(path, grid, ("band1",))
    assert patch.valid.all()
    assert patch.pixels.min() > 0.48


def test_aligned_pixels_are_copied_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 10000, (3, 80, 90), dtype="uint16")
    path = write(tmp_path / "a.tif", pixels, names=RGB)
    grid = GeoBox((40, 50), HERE @ Affine.translation(7, 11), UTM)
    patch = read(path, grid)
    assert patch.valid.all()
    np.testing.assert_allclose(patch.pixels, pixels[:, 11:51, 7:57] / 1e4, atol=1e-7)
    beyond = read(path, GeoBox((40, 50), HERE @ Affine.translation(-5, 60), UTM))
    assert beyond.valid.sum() == 20 * 45
    np.testing.assert_allclose(beyond.pixels[:, :20, 5:], pixels[:, 60:, :45] / 1e4, atol=1e-7)
    assert not beyond.pixels[:, ~beyond.valid].any()
    elsewhere = read(path, GeoBox((40, 50), HERE @ Affine.translation(500, 0), UTM))
    assert not elsewhere.valid.any()


def test_a_large_grid_is_the_same_as_its_windows(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (3, 1300, 1400), dtype="uint8")
    turned = HERE @ Affine.translation(-60, -80) @ Affine.rotation(4)
    path = write(tmp_path / "a.tif", pixels, turned)
    grid = GeoBox((1200, 1150), HERE, UTM)
    whole = read(path, grid)
    for window in (np.s_[0:300, 0:200], np.s_[900:1200, 950:1150], np.s_[1000:1050, 1020:1030]):
        part = read(path, grid[window])
        np.testing.assert_array_equal(part.valid, whole.valid[window])
        np.testing.assert_allclose(part.pixels, whole.pixels[:, *window], atol=0.02)


@pytest.mark.parametrize(
    "how", ["nodata", "alpha", "mask", "nan", "uint16 65535", "uint16 1", "catalogue"]
)
@pytest.mark.parametrize("gsd", [10.0, 7.0, 23.0, 90.0])
def test_what_is_not_valid_never_bleeds_into_the_picture(
    tmp_path: Path, how: str, gsd: float
) -> None:
    """A uniform picture with a wild value in its invalid half stays uniform at any pixel size."""
    valid = np.ones((200, 200), bool)
    valid[:, 120:] = False
    valid[40:60, 40:60] = False
    dtype = {"nan": "float32", "uint16 65535": "uint16", "uint16 1": "uint16"}.get(how, "uint8")
    good = {"uint8": 100, "uint16": 4000, "float32": 0.4}[dtype]
    bad = {"nodata": 0, "nan": np.nan, "uint16 65535": 65535, "uint16 1": 1}.get(how, 250)
    pixels = np.where(valid, good, bad).astype(dtype)[np.newaxis].repeat(3, 0)
    options: dict[str, Any] = {"names": RGB}
    bands: tuple[Band, ...] = ()
    if how == "alpha":
        pixels = np.concatenate([pixels, (valid * 255).astype("uint8")[np.newaxis]])
        options = {"photometric": "rgb", "alpha": "yes"}
    elif how == "mask":
        options["mask"] = valid
    elif how == "catalogue":
        bands = tuple(Band(i, name, name, nodata=bad) for i, name in enumerate(RGB, start=1))
    elif how != "nan":
        options["nodata"] = bad
    path = write(tmp_path / "a.tif", pixels, **options)
    side = int(2000 / gsd)
    grid = GeoBox((side, side), Affine(gsd, 0, HERE.c + 3, 0, -gsd, HERE.f - 3), UTM)
    patch = read(path, grid, bands=bands)
    shown = patch.pixels[:, patch.valid]
    np.testing.assert_allclose(
        shown, good / {"uint8": 255, "uint16": 1e4, "float32": 1}[dtype], atol=0.004
    )
    assert patch.valid.mean() == pytest.approx(valid.mean(), abs=3 * gsd / 2000)
    assert not patch.pixels[:, ~patch.valid].any()


@pytest.mark.parametrize("how", ["nan", "catalogue", "black"])
@pytest.mark.parametrize(("length", "gsd"), [(400, 43.0), (403, 52.0), (400, 90.0)])
def test_pixels_are_averaged_in_place_however_fill_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, length: int, gsd: float
) -> None:
    monkeypatch.setattr(source, "_POOLED_AT_ONCE", 20_000)
    rng = np.random.default_rng(3)
    ground = np.add.outer(np.arange(length), 2 * np.arange(length)) * 6 + 800
    pixels = (ground + rng.normal(0, 150, (3, length, length))).astype("uint16")
    if how == "nan":
        pixels = (pixels / 1e4).astype("float32")
    side = int(3900 / gsd)
    grid = GeoBox((side, side), Affine(gsd, 0, HERE.c + 30, 0, -gsd, HERE.f - 30), UTM)
    expected = read(write(tmp_path / "a.tif", pixels), grid)
    options: dict[str, Any] = {"nodata": np.nan} if how == "nan" else {}
    path = write(tmp_path / "b.tif", pixels, **options)
    bands = tuple(Band(i, n, n, nodata=7.0) for i, n in enumerate(RGB, 1)) if how[0] == "c" else ()
    patch = read(path, grid, bands=bands, fill=BLACK if how == "black" else ())
    assert patch.valid.all()
    error = patch.pixels - expected.pixels
    assert abs(error.mean()) < 5e-5  # half a pixel is 9e-4
    # Where the last block is a smaller one, GDAL cuts pixels in two.
    assert error.std() < (2e-4 if length == 400 else 1e-3)


@pytest.mark.parametrize("colour", FillColour)
@pytest.mark.parametrize("shift", [0.0, 4.0])
def test_filled_borders_on_request(tmp_path: Path, shift: float, colour: FillColour) -> None:
    value = FILL[colour]
    pixels = np.full((3, 300, 300), 90, np.uint8)
    collar = np.add.outer(np.arange(300), np.arange(300)) < 150
    pixels[:, collar] = value
    pond = np.zeros_like(collar)
    pond[200:230, 180:200] = True
    pixels[:, pond] = value
    path = write(tmp_path / "a.tif", pixels, photometric="rgb")
    grid = GeoBox((300, 300), HERE @ Affine.translation(shift / 10, 0), UTM)
    assert read(path, grid).valid.mean() > 0.99
    patch = read(path, grid, fill=(colour,))
    assert patch.valid[200:230, 182:198].all()
    assert not patch.valid[:60, :60].any()
    assert patch.valid[100:, 60:298].all()
    # A window that does not touch the border itself knows of it all the same.
    inner = read(path, grid[60:100, 60:100], fill=(colour,))
    np.testing.assert_array_equal(inner.valid, patch.valid[60:100, 60:100])
    assert 0.1 < inner.valid.mean() < 0.9


@pytest.mark.parametrize("colour", FillColour)
def test_borders_of_lossy_pictures_have_almost_the_colour(
    tmp_path: Path, colour: FillColour
) -> None:
    rng = np.random.default_rng(2)
    pixels = rng.integers(60, 200, (3, 256, 256), dtype="uint8")
    pixels[:, :, :64] = FILL[colour]
    path = write(
        tmp_path / "a.tif",
        pixels,
        compress="jpeg",
        photometric="ycbcr",
        tiled=True,
        blockxsize=128,
        blockysize=128,
    )
    patch = read(path, GeoBox((256, 256), HERE, UTM), fill=(colour,))
    assert not patch.valid[:, :56].any()
    assert patch.valid[:, 72:].all()


@pytest.mark.parametrize("colour", FillColour)
def test_filled_borders_of_colour_tables_are_known_by_their_colour(
    tmp_path: Path, colour: FillColour
) -> None:
    indices = np.zeros((1, 60, 60), np.uint8)
    indices[:, :, :20], indices[:, :, 40:] = 1, 2
    table = {0: (9, 90, 9, 255), 1: (0, 0, 0, 255), 2: (255, 255, 255, 255)}
    path = write(tmp_path / "a.tif", indices, colormap=table, photometric="palette")
    valid = read(path, GeoBox((60, 60), HERE, UTM), fill=(colour,)).valid
    np.testing.assert_array_equal(valid, (indices != (1 if colour == "black" else 2))[0])


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_white_is_fill_in_8_bits_only(tmp_path: Path, dtype: str) -> None:
    most = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    for value in (255, most):
        pixels = np.full((3, 60, 60), value, dtype)
        pixels[:, :, 30:] = 0.1 if dtype == "float32" else 1000
        path = write(tmp_path / f"{value}.tif", pixels, photometric="rgb")
        assert read(path, GeoBox((60, 60), HERE, UTM), fill=tuple(FillColour)).valid.all()


def test_colour_table_becomes_colours(tmp_path: Path) -> None:
    indices = np.zeros((1, 40, 40), np.uint8)
    indices[:, :, 20:], indices[:, 30:, 30:] = 1, 2
    table = {0: (255, 0, 0, 255), 1: (0, 0, 200, 255), 2: (9, 9, 9, 255)}
    path = write(tmp_path / "a.tif", indices, colormap=table, photometric="palette", nodata=2)
    patch = read(path, GeoBox((40, 40), HERE, UTM))
    np.testing.assert_allclose(patch.pixels[:, 5, 5], [1, 0, 0])
    np.testing.assert_allclose(patch.pixels[:, 5, 35], [0, 0, 200 / 255], atol=1e-6)
    assert not patch.valid[35, 35]
    pixels, names, valid = read_picture(path)
    assert (pixels.shape, names, valid[35, 35]) == ((3, 40, 40), RGB, False)


def test_band_order_by_colour(tmp_path: Path) -> None:
    pixels = np.stack([np.full((20, 20), v, np.uint8) for v in (10, 20, 30)])
    colours = (ColorInterp.blue, ColorInterp.green, ColorInterp.red)
    path = write(tmp_path / "a.tif", pixels, colours=colours)
    patch = read(path, GeoBox((20, 20), HERE, UTM))
    np.testing.assert_allclose(patch.pixels[:, 3, 3] * 255, [30, 20, 10], atol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "value", "scale", "expected"),
    [
        ("uint8", 51, None, 0.2), ("uint16", 2000, None, 0.2), ("int16", 2000, None, 0.2),
        ("uint32", 2000, None, 0.2), ("int32", 2000, None, 0.2), ("float64", 0.2, None, 0.2),
        ("float32", 0.2, None, 0.2), ("uint16", 400, (0.001, -0.2), 0.2),
        ("int8", 100, (0.002, 0), 0.2),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_any_pixel_type_and_the_files_own_scale(
    tmp_path: Path, dtype: str, value: float, scale: Any, expected: float, shift: float
) -> None:
    path = write(tmp_path / "a.tif", np.full((1, 30, 30), value, dtype))
    if scale:
        with rasterio.open(path, "r+") as dataset:
            dataset.scales, dataset.offsets = (scale[0],), (scale[1],)
    patch = read(path, GeoBox((20, 20), HERE @ Affine.translation(2 + shift, 2), UTM), ("band1",))
    np.testing.assert_allclose(patch.pixels, expected, atol=1e-6)
    catalogue_wins = (Band(1, "band1", scale=1e-3 if dtype != "float32" else 0.5, offset=0.0),)
    patch = read(path, patch.geobox, ("band1",), bands=catalogue_wins)
    assert abs(float(patch.pixels.mean()) - expected) > 0.01


def test_bands_over_several_files_of_different_pixel_size(tmp_path: Path) -> None:
    red = write(tmp_path / "B04.tif", np.full((1, 60, 60), 3000, "uint16"), nodata=0)
    swir = np.full((1, 30, 30), 2000, "uint16")
    swir[:, :, :10] = 0
    swir = write(tmp_path / "B11.tif", swir, HERE @ Affine.scale(2), nodata=0)
    assets = (
        Asset(str(red), (Band(1, "B04", "red"),)),
        Asset(str(swir), (Band(1, "B11", "swir16"),)),
    )
    given = Scene("s", THEN, THEN, assets, properties={"s2:processing_baseline": "04.00"})
    grid = GeoBox((60, 60), HERE, UTM)
    patch = read_scene(given, grid, ("swir16", "B04"), HrefPolicy(root=str(tmp_path)))
    assert patch.bands == ("swir16", "B04")
    np.testing.assert_allclose(patch.pixels[:, 30, 30], [0.1, 0.2], atol=1e-6)
    assert not patch.valid[:, :20].any()
    assert patch.valid[:, 21:].all()
    kept = OffsetDecision(0.0, "confirmed by dark pixels", False)
    patch = read_scene(given, grid, ("red",), HrefPolicy(root=str(tmp_path)), offset=kept)
    np.testing.assert_allclose(patch.pixels[:, 30, 30], 0.3, atol=1e-6)
    with pytest.raises(
        RasterError, match=r"scene s: has no band 'green', only B04=red, B11=swir16"
    ):
        read_scene(given, grid, ("green",), HrefPolicy(root=str(tmp_path)))


def test_a_panchromatic_scene_is_the_same_in_all_colours(tmp_path: Path) -> None:
    grey = write(tmp_path / "pan.tif", ramp((40, 40), "uint16")[:1])
    near = write(tmp_path / "nir.tif", np.full((1, 40, 40), 50, "uint8"))
    grid = GeoBox((40, 40), HERE, UTM)
    assets = [Asset(str(near), (Band(1, "nir", "nir"),)), Asset(str(grey), (Band(1, "P", "pan"),))]
    given = Scene("s", THEN, THEN, tuple(assets))
    patch = read_scene(given, grid, ("red", "nir", "green", "blue"), HrefPolicy(root=str(tmp_path)))
    assert patch.bands == ("red", "nir", "green", "blue")
    assert patch.valid.all()
    np.testing.assert_array_equal(patch.pixels[0], patch.pixels[2])
    np.testing.assert_array_equal(patch.pixels[0], patch.pixels[3])
    assert np.ptp(patch.pixels[0]) > 0
    assert np.ptp(patch.pixels[1]) == 0
    red = write(tmp_path / "red.tif", ramp((40, 40), "uint16")[:1])
    coloured = replace(given, assets=(*assets, Asset(str(red), (Band(1, "red", "red"),))))
    with pytest.raises(RasterError, match="no band 'green'"):
        read_scene(coloured, grid, ("red", "green"), HrefPolicy(root=str(tmp_path)))


def test_a_band_number_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones((1, 9, 9), np.uint8))
    with pytest.raises(RasterError, match="has 1 bands, but 'red' is given as number 3"):
        read(path, GeoBox((9, 9), HERE, UTM), ("red",), bands=(Band(3, "red", "red"),))


def test_saturation_is_marked_in_16_bits_only(tmp_path: Path) -> None:
    for dtype, top in (("uint8", 255), ("uint16", 65535)):
        pixels = np.full((3, 20, 20), 50, dtype)
        pixels[:, :5] = top
        pixels[0, 10:12] = top  # only one band
        path = write(tmp_path / f"{dtype}.tif", pixels, names=RGB)
        patch = read(path, GeoBox((20, 20), HERE, UTM))
        assert patch.saturated.sum() == (100 if dtype == "uint16" else 0)
        assert patch.valid.all()


def test_ground_control_points(tmp_path: Path) -> None:
    turned = HERE @ Affine.rotation(25)
    corners = [(r, c) for r in (0, 60, 120) for c in (0, 80, 160)]
    points = [GroundControlPoint(r, c, *(turned @ (c, r)), 0.0) for r, c in corners]
    path = tmp_path / "gcps.tif"
    profile = {"driver": "GTiff", "count": 2, "height": 120, "width": 160, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, gcps=points, crs=UTM) as dataset:
        dataset.write(ramp((120, 160)))
    info = inspect(path)
    assert info.gcps
    assert info.crs == UTM
    grid = GeoBox((100, 100), HERE @ Affine.translation(0, 0), UTM)
    patch = read(path, grid, ("x", "y"), bands=RAMP_BANDS)
    expected = expected_where(UTM, turned, grid)
    inside = (expected > 1).all(axis=0) & (expected[0] < 159) & (expected[1] < 119)
    assert inside.sum() > 2000
    assert patch.valid[inside].all()
    assert np.abs(where(patch) - expected)[:, inside].max() < 0.5


def test_a_picture_without_place_is_placed_by_the_catalogue(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ramp((50, 60)), Affine.identity(), None)
    grid = GeoBox((20, 20), HERE @ Affine.translation(5, 6), UTM)
    with pytest.raises(RasterError, match="has no place on the ground; give crs, west"):
        read(path, grid, ("x", "y"), bands=RAMP_BANDS)
    patch = read(path, grid, ("x", "y"), bands=RAMP_BANDS, georef=Georef(UTM, HERE, (50, 60)))
    np.testing.assert_allclose(where(patch)[:, 0, 0], [5.5, 6.5], atol=1e-3)
    with pytest.raises(RasterError, match="60 x 50 pixels, but its place is given for 61 x 50"):
        read(path, grid, ("x", "y"), bands=RAMP_BANDS, georef=Georef(UTM, HERE, (50, 61)))


def test_a_picture_with_a_world_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (3, 50, 60), dtype="uint8")
    with rasterio.open(
        tmp_path / "p.png", "w", driver="PNG", count=3, height=50, width=60, dtype="uint8"
    ) as dataset:
        dataset.write(pixels)
    (tmp_path / "p.pgw").write_text("10\n0\n0\n-10\n339515\n6047245\n")
    info = inspect(tmp_path / "p.png")
    assert info.transform == HERE
    assert info.crs is None
    with pytest.raises(RasterError, match="has no CRS"):
        read(tmp_path / "p.png", GeoBox((50, 60), HERE, UTM))
    from pyproj import CRS

    (tmp_path / "p.prj").write_text(CRS(UTM).to_wkt())
    fresh = (tmp_path / "p.png").rename(tmp_path / "q.png")
    for ending in ("pgw", "prj"):
        (tmp_path / f"p.{ending}").rename(tmp_path / f"q.{ending}")
    patch = read(fresh, GeoBox((50, 60), HERE, UTM))
    np.testing.assert_allclose(patch.pixels, pixels / 255, atol=1e-6)


def test_masks_are_read_by_the_nearest_code(tmp_path: Path) -> None:
    codes = np.random.default_rng(4).choice(np.array([0, 4, 9, 11], np.uint8), (1, 30, 30))
    path = write(tmp_path / "a_SCL.tif", codes, HERE @ Affine.scale(2), nodata=0)
    grid = GeoBox((70, 60), HERE, UTM)
    policy = HrefPolicy(root=str(tmp_path))
    values, reached = read_mask(scene(), MaskAsset(str(path), MaskKind.SCL), grid, policy)
    np.testing.assert_array_equal(values[:60], codes[0].repeat(2, 0).repeat(2, 1))
    assert reached[:60].all()
    assert not reached[60:].any()
    assert values.dtype == np.uint8
    many = write(
        tmp_path / "a_udm2.tif",
        np.arange(8, dtype="uint8")[:, None, None] * np.ones((1, 60, 60), "uint8"),
    )
    values, _ = read_mask(scene(), MaskAsset(str(many), MaskKind.UDM2), grid, policy)
    assert values.shape == (8, 70, 60)
    values, _ = read_mask(scene(), MaskAsset(str(many), MaskKind.UDM2, band=6), grid, policy)
    assert values.shape == (70, 60)
    assert values[5, 5] == 5
    with pytest.raises(RasterError, match="no band 9"):
        read_mask(scene(), MaskAsset(str(many), MaskKind.UDM2, band=9), grid, policy)

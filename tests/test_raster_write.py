"""Rasters of our own making: written whole or not at all, cut into tiles, read back."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from groundbreak.errors import OutputError, RasterError
from groundbreak.raster.grid import tile_windows
from groundbreak.raster.read import inspect, read_onto, read_window
from groundbreak.raster.tiling import TileConfig, TileSource, cut_tiles, write_manifest
from groundbreak.raster.write import RasterSink, write_cog
from groundbreak.types import Box

GRID = GeoBox((700, 900), Affine(2, 0, 500000, 0, -2, 4000000), "EPSG:32633")
WHOLE = (slice(0, 700), slice(0, 900))


def noise(count: int = 3, grid: GeoBox = GRID, dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(0).integers(1, 10000, (count, *grid.shape)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(("size", "fast"), [(512, False), (300, False), (300, True)])
def test_what_is_streamed_is_what_is_read(
    tmp_path: Path, dtype: str, size: int, fast: bool
) -> None:
    values = noise(dtype=dtype)
    path = tmp_path / "deep" / "a.tif"
    names = ("a", "b", "c")
    with RasterSink(path, GRID, 3, dtype, nodata=0, band_names=names, fast=fast) as sink:
        for window in tile_windows(GRID, size, 0):
            sink.write(window, values[:, *window.slices])
        assert not path.exists()
    np.testing.assert_array_equal(read_window(path, WHOLE), values)
    window = Box(600, 640, 880, 900)
    np.testing.assert_array_equal(read_window(path, window, bands=[3]), values[2:, 600:640, 880:])
    info = inspect(path)
    assert [band.name for band in info.bands] == ["a", "b", "c"]
    assert (info.crs, info.transform, info.bands[0].nodata) == ("EPSG:32633", GRID.affine, 0)


def test_a_sink_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with RasterSink(tmp_path / "a.tif", GRID, 1, "uint8") as sink:
            sink.write(Box(0, 10, 0, 10), np.ones((1, 10, 10), np.uint8))
            raise KeyError("trouble elsewhere")

    with pytest.raises(KeyError):
        write_half()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.tif").write_bytes(b"older")
    with pytest.raises(KeyError):
        write_half()
    assert (tmp_path / "a.tif").read_bytes() == b"older"


def test_a_sink_checks_what_it_is_given(tmp_path: Path) -> None:
    with (
        RasterSink(tmp_path / "a.tif", GRID, 2, "uint8") as sink,
        pytest.raises(ValueError, match=r"expected an array of \(2, 10, 20\)"),
    ):
        sink.write(Box(0, 10, 0, 20), np.ones((1, 10, 20), np.uint8))
    with pytest.raises(ValueError, match="not open"):
        sink.write(Box(0, 10, 0, 20), np.ones((2, 10, 20), np.uint8))


def test_a_cog_has_tiles_overviews_and_all_it_was_told(tmp_path: Path) -> None:
    values = noise()
    values[:, :100] = 0
    path = tmp_path / "a.tif"
    write_cog(path, values, GRID, ("red", "green", "blue"), 0, {"LOOK": "x"}, scale=1e-4)
    with rasterio.open(path) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.block_shapes[0] == (512, 512)
        np.testing.assert_array_equal(dataset.read(), values)
    info = inspect(path)
    assert info.overviews == (2,)
    assert info.tags["LOOK"] == "x"
    assert info.bands[1].scale == 1e-4
    reduced, valid = read_onto(path, GRID.zoom_to((70, 90)))
    assert reduced.shape == (3, 70, 90)
    assert valid.mean() == pytest.approx(6 / 7, abs=0.02)
    assert reduced[:, valid].mean() == pytest.approx(values[:, 100:].mean(), rel=0.01)
    with pytest.raises(ValueError, match="expected a grid"):
        write_cog(path, values[:, :10], GRID, ("red",))


def test_an_own_file_that_is_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(RasterError, match="does not exist"):
        read_window(tmp_path / "a.tif", WHOLE)
    write_cog(tmp_path / "a.tif", noise(), GRID, ())
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(content[:-1000])
    with pytest.raises(RasterError, match="damaged"):
        read_window(tmp_path / "b.tif", WHOLE)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        write_cog(tmp_path / "file" / "a.tif", noise(), GRID, ())


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """As on a disk that is full: writes beyond ``size`` bytes fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_whole(path: Path, way: str) -> None:
    if way == "cog":
        write_cog(path, noise(), GRID, ())
        return
    with RasterSink(path, GRID, 3, "uint16") as sink:
        sink.write(Box(0, 700, 0, 900), noise())


@pytest.mark.parametrize("way", ["cog", "sink"])
@pytest.mark.parametrize("missing", [1, 60, 5_000, 3_000_000])
def test_a_file_that_does_not_fit_is_never_left_behind(
    tmp_path: Path, way: str, missing: int
) -> None:
    """GDAL says nothing when the last bytes of a file cannot be written."""
    write_whole(tmp_path / "whole.tif", way)
    size = (tmp_path / "whole.tif").stat().st_size
    with (
        files_no_larger_than(size - missing),
        pytest.raises(OutputError, match=r"a\.tif: cannot be written") as caught,
    ):
        write_whole(tmp_path / "out" / "a.tif", way)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def look(look_id: str, value: float, grid: GeoBox = GRID) -> TileSource:
    def read(window: Box) -> tuple[np.ndarray, np.ndarray]:
        pixels = np.full((3, *window.shape), value, np.float32)
        usable = np.ones(window.shape, bool)
        usable[: max(0, 350 - window.y0)] = False
        return pixels, usable

    then = datetime(2021, 3, 1, 10, 30, tzinfo=UTC)
    return TileSource(look_id, then, then, ("red", "green", "blue"), read)


def test_tiles_cover_the_site_and_the_manifest_finds_them(tmp_path: Path) -> None:
    config = TileConfig(size=256, overlap=32)
    tiles = cut_tiles("harbour", GRID, [look("one", 0.25), look("two/b", 0.0)], tmp_path, config)
    far = GeoBox((100, 120), Affine(10, 0, 805000, 0, -10, 1000000), "EPSG:32660")
    tiles += cut_tiles("far", far, [look("one", 0.5)], tmp_path, config)
    write_manifest(tiles, tmp_path / "manifest.parquet")

    import geopandas as gpd

    table = gpd.read_parquet(tmp_path / "manifest.parquet")
    assert len(table) == 2 * 3 * 4 + 1
    first = table[(table.site_id == "harbour") & (table.look_id == "one")]
    covered = first.to_crs("EPSG:32633").union_all()
    assert covered.symmetric_difference(GRID.extent.geom).area < 100
    assert table.start.dt.tz is not None
    assert table.start[0].isoformat() == "2021-03-01T10:30:00+00:00"
    for row in table.itertuples():
        info = inspect(tmp_path / row.path)
        assert info.shape == (256, 256)
        assert info.crs == row.crs
        assert info.footprint.centroid.distance(row.geometry.centroid) < 1e-6
    shown = read_window(tmp_path / first.iloc[-1].path, (slice(0, 256), slice(0, 256)))
    assert (shown == 2500).all()
    dark = table[table.look_id == "two/b"].iloc[-1]
    assert (read_window(tmp_path / dark.path, (slice(0, 9), slice(0, 9))) == 1).all()
    top = first[first.row == 0].iloc[0]
    assert top.usable_fraction == 0
    assert not read_window(tmp_path / top.path, (slice(0, 256), slice(0, 256))).any()


def test_a_small_site_is_padded(tmp_path: Path) -> None:
    small = GRID[600:640, 10:30]
    (tile,) = cut_tiles("a", small, [look("l", 0.3)], tmp_path, TileConfig(size=64, overlap=8))
    values = read_window(tile.path, (slice(0, 64), slice(0, 64)))
    assert values.shape == (3, 64, 64)
    assert tile.geobox.affine == small.affine
    assert not values[:, 40:].any()
    assert not values[:, :, 20:].any()


def test_tiles_with_too_little_to_see_are_left_out(tmp_path: Path) -> None:
    config = TileConfig(size=256, overlap=32, min_usable=0.5)
    tiles = cut_tiles("a", GRID, [look("l", 0.3)], tmp_path, config)
    assert {tile.row for tile in tiles} == {1, 2}
    assert all(tile.usable_fraction >= 0.5 for tile in tiles)


def test_a_manifest_of_nothing_and_across_the_antimeridian(tmp_path: Path) -> None:
    import geopandas as gpd

    write_manifest([], tmp_path / "none.parquet")
    assert len(gpd.read_parquet(tmp_path / "none.parquet")) == 0
    across = GeoBox((100, 100), Affine(100, 0, 825000, 0, -100, 1000000), "EPSG:32660")
    tiles = cut_tiles("a", across, [look("l", 0.3)], tmp_path, TileConfig(size=128, overlap=0))
    write_manifest(tiles, tmp_path / "a.parquet")
    outline = gpd.read_parquet(tmp_path / "a.parquet").geometry[0]
    west, _, east, _ = outline.bounds
    assert (west, east) == (-180, 180)
    assert outline.geom_type == "MultiPolygon"
    assert b"1.1.0" in pq.read_schema(tmp_path / "a.parquet").metadata[b"geo"]


def test_ids_that_are_no_file_names_stay_apart(tmp_path: Path) -> None:
    names = ["a/b", "a b", "../up", "a_b"]
    config = TileConfig(size=1024, overlap=0)
    tiles = [cut_tiles(name, GRID, [look("l", 0.3)], tmp_path, config)[0] for name in names]
    assert len({tile.path for tile in tiles}) == 4
    assert all(tile.path.resolve().is_relative_to(tmp_path) for tile in tiles)

"""Rasters that are hostile, damaged, huge, remote, or read by many threads at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from groundbreak.errors import HrefError, RasterError
from groundbreak.raster.read import inspect, read_picture, read_scene
from groundbreak.types import Asset, Georef, HrefPolicy, Scene
from rasters import (
    HERE,
    RGB,
    THEN,
    UTM,
    read,
    write,
)

VRT = """<VRTDataset rasterXSize="9" rasterYSize="9"><GeoTransform>0,1,0,0,0,-1</GeoTransform>
<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{}</SourceFilename>
<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""


def test_a_vrt_by_another_name_is_not_read(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.tif", np.full((1, 9, 9), 77, np.uint8))
    for name in ("innocent.tif", "innocent.jp2"):
        (tmp_path / name).write_text(VRT.format(secret))
        with pytest.raises(RasterError, match="not a raster of a format"):
            read_picture(tmp_path / name)


POINTER = """<PAMDataset><Metadata domain='OVERVIEWS'>
<MDI key='OVERVIEW_FILE'>{}</MDI></Metadata></PAMDataset>"""


def pointing(path: Path, secret: Path) -> None:
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(secret))


@pytest.mark.parametrize("way", ["ovr", "msk", "aux"])
def test_what_lies_beside_a_file_leads_nowhere(tmp_path: Path, way: str) -> None:
    secret = write(tmp_path / "secret.tif", np.full((1, 128, 128), 77, np.uint8))
    path = write(tmp_path / "a.tif", np.full((1, 256, 256), 5, np.uint8))
    beside, text = {"aux": ("aux.xml", POINTER)}.get(way, (way, VRT))
    (tmp_path / f"a.tif.{beside}").write_text(text.format(secret))
    patch = read(path, GeoBox((20, 20), HERE @ Affine.scale(12.8), UTM), ("band1",))
    np.testing.assert_allclose(patch.pixels, 5 / 255, atol=1e-6)
    assert patch.valid.all()


def test_capitals_lead_nowhere_either(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.tif", np.eye(256, dtype=np.uint8)[None])
    path = write(tmp_path / "a.tif", np.full((1, 256, 256), 5, np.uint8))
    write(tmp_path / "overview.tif", np.full((1, 128, 128), 5, np.uint8)).rename(
        tmp_path / "a.tif.ovr"
    )
    flags = "<Metadata><MDI key='INTERNAL_MASK_FLAGS_1'>2</MDI></Metadata>"
    text = VRT.replace('"9"', '"256"').replace("<GeoTransform>", f"{flags}<GeoTransform>")
    (tmp_path / "a.tif.MSK").write_text(text.format(secret))
    assert read_picture(path)[2].all()


@pytest.mark.parametrize("beside", [False, True])
def test_a_tiff_whose_overviews_are_another_file_is_refused(tmp_path: Path, beside: bool) -> None:
    secret = write(tmp_path / "secret.tif", np.full((1, 128, 128), 77, np.uint8))
    path = write(tmp_path / "a.tif", np.full((1, 256, 256), 5, np.uint8))
    if beside:
        overview = write(tmp_path / "overview.tif", np.full((1, 128, 128), 5, np.uint8))
        pointing(overview, secret)
        overview.rename(tmp_path / "a.tif.ovr")
    else:
        pointing(path, secret)
    with pytest.raises(RasterError, match="takes its overviews from another file"):
        read_picture(path)


def test_overviews_and_masks_beside_a_file_are_used(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.full((1, 256, 256), 50, np.uint8))
    valid = np.ones((256, 256), bool)
    valid[:, 128:] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(valid)
    assert (tmp_path / "a.tif.msk").exists()
    patch = read(path, GeoBox((256, 256), HERE, UTM), ("band1",))
    np.testing.assert_array_equal(patch.valid, valid)


def test_damage_is_told_in_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 255, (3, 256, 256), dtype="uint8")
    whole = write(
        tmp_path / "whole.tif", pixels, tiled=True, blockxsize=64, blockysize=64, compress="deflate"
    ).read_bytes()
    cases = {"cut.tif": whole[: len(whole) // 2], "head.tif": whole[:100], "zeros.tif": bytes(500)}
    for driver, ending in (
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("JP2OpenJPEG", "jp2"),
        ("WEBP", "webp"),
    ):
        file = tmp_path / f"whole.{ending}"
        with rasterio.open(
            file, "w", driver=driver, count=3, height=256, width=256, dtype="uint8"
        ) as dataset:
            dataset.write(pixels)
        content = file.read_bytes()
        cases[f"cut.{ending}"] = content[: len(content) // 2]
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RasterError) as caught:
            read_picture(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    for name, words in (("none.tif", "does not exist"), (".", "is a folder")):
        with pytest.raises(RasterError, match=words):
            inspect(tmp_path / name)
    # A good window of a damaged file can be read; a damaged one is never given as zeros.
    georef = Georef(UTM, HERE, (256, 256))
    assert read(tmp_path / "cut.tif", GeoBox((60, 60), HERE, UTM), georef=georef).valid.all()
    with pytest.raises(RasterError, match="damaged"):
        read(tmp_path / "cut.tif", GeoBox((256, 256), HERE, UTM), georef=georef)


def test_a_ten_gigapixel_file_is_read_coarsely(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 100_000, "width": 100_000, "dtype": "uint8"}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "bigtiff": "yes"}
    with rasterio.open(path, "w", **profile, crs=UTM, transform=HERE, sparse_ok=True) as dataset:
        corner = rasterio.windows.Window(0, 0, 4096, 4096)
        dataset.write(np.full((1, 4096, 4096), 99, np.uint8), window=corner)
    patch = read(path, GeoBox((100, 100), HERE @ Affine.scale(1000), UTM), ("band1",))
    np.testing.assert_allclose(patch.pixels[0, :4, :4], 99 / 255, atol=1e-3)
    assert patch.pixels[0, 5:, 5:].max() == 0
    window = GeoBox((300, 300), HERE @ Affine.translation(3900, 3900), UTM)
    patch = read(path, window, ("band1",))
    assert (patch.pixels > 0).sum() == 196**2
    with pytest.raises(RasterError, match="too large"):
        read_picture(path)


def test_complex_pixels_are_no_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "sar.tif", np.ones((1, 9, 9), "complex64"))
    with pytest.raises(RasterError, match="complex"):
        inspect(path)


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    grid = GeoBox((9, 9), HERE, UTM)
    path = write(tmp_path / "a.tif", np.full((1, 9, 9), 51, np.uint8))
    assert read(path, grid, ("band1",)).pixels[0, 0, 0] == pytest.approx(0.2)
    other = write(tmp_path / "b.tif", np.full((1, 9, 9), 102, np.uint8))
    other.replace(path)
    assert read(path, grid, ("band1",)).pixels[0, 0, 0] == pytest.approx(0.4)


def test_many_threads_read_the_same_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    turned = HERE @ Affine.rotation(3)
    paths = [
        write(
            tmp_path / f"{i}.tif",
            rng.integers(1, 255, (3, 300, 300), dtype="uint8"),
            turned,
            compress="deflate",
        )
        for i in range(3)
    ]
    grid = GeoBox((200, 200), HERE @ Affine.translation(20, 30), UTM)
    jobs = [(path, window) for path in paths for window in (np.s_[:90, :], np.s_[90:, :])] * 6
    expected = {(p, str(w)): read(p, grid[w]).pixels for p, w in jobs[:6]}
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for path, window in jobs[number:] + jobs[:number]:
            np.testing.assert_array_equal(
                read(path, grid[window]).pixels, expected[path, str(window)]
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


class Remote(BytesIO):
    """A file on the network that fails after a number of reads."""

    def __init__(self, content: bytes, good_reads: int = 10_000) -> None:
        super().__init__(content)
        self.left = good_reads
        self.error: Exception | None = None

    def read(self, size: int | None = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            self.error = RasterError("https://a.org/x.tif", "the server went away")
            return b""
        return super().read(size)


def test_remote_files_are_read_through_the_opener(tmp_path: Path) -> None:
    pixels = np.random.default_rng(7).integers(1, 255, (3, 300, 300), dtype="uint8")
    content = write(
        tmp_path / "a.tif", pixels, tiled=True, blockxsize=64, blockysize=64
    ).read_bytes()
    href = "https://a.org/x.tif?sig=SECRET"
    given = Scene("s", THEN, THEN, (Asset(href, ()),))
    grid, policy = GeoBox((100, 100), HERE, UTM), HrefPolicy(hosts=("a.org",))
    opened: list[Remote] = []

    def opener(address: str) -> Remote:
        assert address == href
        opened.append(Remote(content))
        return opened[-1]

    with ThreadPoolExecutor(3) as pool:
        patches = list(
            pool.map(lambda _: read_scene(given, grid, RGB, policy, opener=opener), range(6))
        )
    for patch in patches:
        np.testing.assert_allclose(patch.pixels, pixels[:, :100, :100] / 255, atol=1e-6)
    assert all(file.closed for file in opened)
    for good in (1, 2, 4):
        with pytest.raises(RasterError, match="server went away"):
            read_scene(given, grid, RGB, policy, opener=lambda _, n=good: Remote(content, n))
    with pytest.raises(RasterError, match="not read here") as caught:
        read_scene(given, grid, RGB, policy)
    assert "SECRET" not in str(caught.value)
    with pytest.raises(RasterError, match="not a raster") as caught:
        read_scene(given, grid, RGB, policy, opener=lambda _: Remote(VRT.encode()))
    assert "SECRET" not in str(caught.value)
    with pytest.raises(HrefError):
        read_scene(given, grid, RGB, HrefPolicy(), opener=opener)

"""Small rasters made for the tests of reading; the pixels of a ramp say where they are."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from groundbreak.raster.read import read_scene
from groundbreak.types import Asset, Band, Georef, HrefPolicy, Patch, Scene

THEN = datetime(2020, 6, 1, tzinfo=UTC)
UTM = "EPSG:32634"
RGB = ("red", "green", "blue")
HERE = Affine(10, 0, 339510, 0, -10, 6047250)


def write(
    path: Path, pixels: np.ndarray, transform: Affine = HERE, crs: str | None = UTM, **more: Any
) -> Path:
    """A GeoTIFF; ``names``, ``colours``, ``mask``, ``colormap``, ``tags`` are set after writing."""
    after = {k: more.pop(k) for k in ("names", "colours", "mask", "colormap") if k in more}
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width}
    profile |= {"dtype": pixels.dtype.name, "crs": crs, "transform": transform} | more
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **profile) as dataset,
    ):
        if "colours" in after:
            dataset.colorinterp = after["colours"]
        dataset.write(pixels)
        for index, name in enumerate(after.get("names", ()), start=1):
            dataset.set_band_description(index, name)
        if "mask" in after:
            dataset.write_mask(after["mask"])
        if "colormap" in after:
            dataset.write_colormap(1, after["colormap"])
    return path


def scene(
    *paths: Path, bands: tuple[Band, ...] = (), georef: Georef | None = None, **properties: Any
) -> Scene:
    assets = tuple(Asset(str(path), bands, georef) for path in paths)
    return Scene("s", THEN, THEN, assets, properties=properties)


def read(path: Path, grid: GeoBox, names: tuple[str, ...] = RGB, **options: Any) -> Patch:
    more = {k: options.pop(k) for k in ("bands", "georef") if k in options}
    return read_scene(
        scene(path, **more), grid, names, HrefPolicy(root=str(path.parent)), **options
    )


def ramp(shape: tuple[int, int], dtype: str = "float32") -> np.ndarray:
    """Two bands that hold the column and the row of every pixel's centre."""
    row, column = np.mgrid[: shape[0], : shape[1]] + 0.5
    pixels = np.stack([column, row])
    return np.rint(pixels * 10).astype(dtype) if dtype != "float32" else pixels.astype(dtype)


RAMP_BANDS = (Band(1, "x", scale=1e-4), Band(2, "y", scale=1e-4))


def where(patch: Patch, dtype: str = "float32") -> np.ndarray:
    """Columns and rows that a patch of a ramp was read from."""
    return patch.pixels.astype(float) * (1e4 if dtype == "float32" else 1e3)


def expected_where(crs: str, transform: Affine, grid: GeoBox) -> np.ndarray:
    """The same by pyproj, pixel by pixel; x continuous with the raster's middle."""
    row, column = np.mgrid[: grid.shape[0], : grid.shape[1]] + 0.5
    affine = grid.affine
    x = affine.a * column + affine.b * row + affine.c
    y = affine.d * column + affine.e * row + affine.f
    x, y = Transformer.from_crs(str(grid.crs), crs, always_xy=True).transform(x, y)
    period = {"EPSG:4326": 360.0, "EPSG:3857": 2 * math.pi * 6378137.0}.get(crs)
    if period:
        middle = transform.c + 100 * transform.a
        x = middle + (x - middle + period / 2) % period - period / 2
    back = ~transform
    return np.stack([back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f])

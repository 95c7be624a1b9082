"""The only file that opens rasters for reading."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import from_gcps

from groundbreak.errors import RasterError
from groundbreak.raster.bands import Naming, name_bands
from groundbreak.raster.info import RasterInfo
from groundbreak.raster.placing import ground_gsd, outline
from groundbreak.types import Band, BoolArray

log = logging.getLogger(__name__)

MAGIC = (
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "GTiff"),
    (re.compile(rb"\0\0\0\x0cjP  |\xffO\xffQ"), "JP2OpenJPEG"),
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
)
"""Formats that hold pixels and nothing else, by their first bytes.

GDAL is told the one driver to use: left to choose, it would also take a VRT, whatever the file is
called, and a VRT may name any file of the machine.
"""

GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    "GDAL_CACHEMAX": 128,
}


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    """Open a raster of an allowed format; whatever goes wrong with it is a ``RasterError``."""
    with rasterio.Env(**GDAL_OPTIONS):
        try:
            with rasterio.open(path.absolute(), driver=_driver(path), sharing=False) as dataset:
                yield dataset
        except (RasterioError, OSError) as error:
            raise _broken(path, error) from error


def _driver(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    for magic, driver in MAGIC:
        if magic.match(head):
            return driver
    raise RasterError(
        str(path),
        "is not a raster of a format that is read" if head else "is empty",
        "give GeoTIFF, JPEG 2000, PNG, JPEG or WebP",
    )


def _broken(path: Path, error: Exception) -> RasterError:
    if not path.exists():
        return RasterError(str(path), "does not exist")
    cause = " ".join(str(error.__cause__ or error).split())
    return RasterError(str(path), f"is damaged or cannot be read ({cause[:160]})")


def inspect(path: Path) -> RasterInfo:
    """What a raster says about itself.

    Raises:
        RasterError: it is not a raster, or it is damaged, or it is not of the Earth.
    """
    with _opened(path) as dataset:
        naming = _naming(dataset)
        crs, transform, by_gcps = _placement(dataset)
        shape = (int(dataset.height), int(dataset.width))
        footprint, gsd_m = None, None
        if crs is not None and transform is not None:
            try:
                footprint, gsd_m = outline(crs, transform, shape), ground_gsd(crs, transform, shape)
            except RasterError as error:
                raise RasterError(str(path), f"{error.subject} {error.problem}") from error
        return RasterInfo(
            path=str(path),
            driver=dataset.driver,
            shape=shape,
            dtype=dataset.dtypes[0],
            bands=naming.bands,
            crs=crs,
            transform=transform,
            gcps=by_gcps,
            footprint=footprint,
            gsd_m=gsd_m,
            valid_by=_valid_by(dataset),
            paletted=_is_paletted(dataset),
            overviews=tuple(dataset.overviews(1)),
            tags=dict(dataset.tags()),
            note=naming.note,
        )


def read_picture(path: Path) -> tuple[NDArray[Any], tuple[str, ...], BoolArray]:
    """Read a whole picture as it is, wherever it lies (or if it lies nowhere).

    A colour table becomes red, green and blue; an alpha band becomes ``valid``.

    Returns:
        Pixels (bands, height, width) in the file's own type, the names of the bands (the common
        name where there is one), and which pixels are valid (height, width).

    Raises:
        RasterError: it is not a raster, or it is damaged.
    """
    with _opened(path) as dataset:
        naming = _naming(dataset)
        if _is_paletted(dataset):
            pixels = _palette(dataset)[:, dataset.read(1)]
        else:
            pixels = dataset.read([band.index for band in naming.bands])
        valid = dataset.dataset_mask() > 0
    return pixels, tuple(band.common_name or band.name for band in naming.bands), valid


def _is_alpha(dataset: DatasetReader, index: int) -> bool:
    described = (dataset.descriptions[index - 1] or "alpha").strip().lower()
    return dataset.colorinterp[index - 1] == ColorInterp.alpha and described in {"alpha", "mask"}


def _is_paletted(dataset: DatasetReader) -> bool:
    return dataset.count == 1 and dataset.colorinterp[0] == ColorInterp.palette


def _palette(dataset: DatasetReader) -> NDArray[np.uint8]:
    table = np.zeros((3, 1 << 16 if dataset.dtypes[0] == "uint16" else 256), np.uint8)
    for index, colour in dataset.colormap(1).items():
        table[:, index] = colour[:3]
    return table


def _naming(dataset: DatasetReader) -> Naming:
    indices = [i for i in dataset.indexes if not _is_alpha(dataset, i)]
    if _is_paletted(dataset):
        indices = [1, 1, 1]
    bands = [
        Band(
            index=i,
            name="",
            scale=_unless(dataset.scales[i - 1], 1.0, dataset.offsets[i - 1], 0.0),
            offset=_unless(dataset.offsets[i - 1], 0.0, dataset.scales[i - 1], 1.0),
            nodata=dataset.nodatavals[i - 1],
        )
        for i in indices
    ]
    if _is_paletted(dataset):
        return name_bands(bands, ["red", "green", "blue"], ["red", "green", "blue"])
    return name_bands(
        bands,
        [dataset.descriptions[i - 1] for i in indices],
        [dataset.colorinterp[i - 1].name.lower() for i in indices],
    )


def _unless(value: float, neutral: float, other: float, other_neutral: float) -> float | None:
    """GDAL says scale 1 and offset 0 where a file says nothing."""
    return None if value == neutral and other == other_neutral else float(value)


def _valid_by(dataset: DatasetReader) -> str | None:
    if any(_is_alpha(dataset, i) for i in dataset.indexes):
        return "alpha"
    flags = dataset.mask_flag_enums[0]
    if MaskFlags.nodata in flags:
        return "nodata"
    return "mask" if MaskFlags.per_dataset in flags else None


def _placement(dataset: DatasetReader) -> tuple[str | None, Affine | None, bool]:
    """CRS, transform, and whether they come from ground control points."""
    points, points_crs = dataset.gcps
    if dataset.crs is not None or not points:
        moved = dataset.transform != Affine.identity()
        return _crs_text(dataset.crs), dataset.transform if moved else None, False
    return _crs_text(points_crs), from_gcps(points), True


def _crs_text(crs: Any) -> str | None:
    if not crs:
        return None
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())

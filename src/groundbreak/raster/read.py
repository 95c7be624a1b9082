"""The only file that opens rasters for reading.

Thread-safe: every thread has its own datasets. What GDAL may do is narrowed down: it is told the
one format that a file begins as, it finds nothing beside the file, and it has no network.
"""

from __future__ import annotations

import logging
import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import local
from typing import IO, Any
from uuid import uuid4

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError  # not public, but raised all the same
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from groundbreak.errors import InputError, RasterError
from groundbreak.raster.bands import find_band, missing_band
from groundbreak.raster.href import Opener, is_remote, resolve_href, shown
from groundbreak.raster.info import RasterInfo
from groundbreak.raster.offsets import OffsetDecision, baseline_offset
from groundbreak.raster.placing import ground_gsd, outline
from groundbreak.raster.sidecars import TIFF_MAGIC, tiff_neighbours
from groundbreak.raster.source import Source, with_file_scaling
from groundbreak.raster.values import at_maximum, to_reflectance
from groundbreak.types import (
    Asset,
    Band,
    BoolArray,
    Box,
    HrefPolicy,
    MaskAsset,
    Patch,
    Scene,
)

log = logging.getLogger(__name__)

MAGIC = (
    (TIFF_MAGIC, "GTiff"),
    (re.compile(rb"\0\0\0\x0cjP  |\xffO\xffQ"), "JP2OpenJPEG"),
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
)
"""Formats that hold pixels and nothing else, by their first bytes.

GDAL is told the one driver to use: left to choose, it would also take a VRT, whatever the file is
called, and a VRT may name any file of the machine.
"""

# SystemError is what rasterio makes of an error that GDAL does not explain.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError, SystemError)

GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    # What is damaged must not be read as black.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
    "GDAL_CACHEMAX": 384 << 20,  # bytes
}
_KEPT_OPEN = 8
_WHOLE_PX = 1 << 29
_VISIBLE = frozenset({"red", "green", "blue"})


def inspect(path: Path) -> RasterInfo:
    """What a raster says about itself.

    Raises:
        RasterError: it is not a raster, or it is damaged, or it is not of the Earth.
    """
    with _opened(str(path)) as source:
        dataset, naming = source.dataset, source.naming
        footprint = gsd_m = None
        if source.crs is not None and source.transform is not None:
            place = source.crs, source.transform, source.shape
            try:
                footprint, gsd_m = outline(*place), ground_gsd(*place)
            except RasterError as error:
                raise RasterError(str(path), f"{error.subject} {error.problem}") from error
        return RasterInfo(
            path=str(path),
            driver=dataset.driver,
            shape=source.shape,
            dtype=dataset.dtypes[0],
            bands=naming.bands,
            crs=source.crs,
            transform=source.transform,
            gcps=bool(source.gcps),
            footprint=footprint,
            gsd_m=gsd_m,
            valid_by=source.valid_by,
            paletted=source.paletted,
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
    with _opened(str(path)) as source:
        bands = source.naming.bands
        if source.shape[0] * source.shape[1] > _WHOLE_PX:
            raise RasterError(str(path), "is too large to be read as one picture")
        pixels, valid = source.read(source.whole(), bands)
    return pixels, tuple(band.common_name or band.name for band in bands), valid


def read_scene(
    scene: Scene,
    geobox: GeoBox,
    bands: Sequence[str],
    policy: HrefPolicy,
    *,
    zero_is_nodata: bool = False,
    opener: Opener | None = None,
    offset: OffsetDecision | None = None,
) -> Patch:
    """Read bands of a scene onto a grid, as reflectance-like values.

    Args:
        scene: its assets together have the bands.
        geobox: the grid, or a window of it.
        bands: names or common names, in the order wanted.
        policy: which addresses may be read.
        zero_is_nodata: zeros connected to the border of a picture are fill.
        opener: opens http(s) addresses.
        offset: what to add to 16-bit digital numbers; None = by the scene's metadata.

    Returns:
        The pixels. ``valid`` holds where all the bands have a picture; ``saturated`` where all
        visible bands of a 16-bit picture are at the type's maximum. In 8 bits nothing counts as
        saturated: white roofs are 255 there, and they are what is looked for.

    Raises:
        HrefError: an address may not be read.
        RasterError: a file is damaged, has no place, or a band is missing.
    """
    offset = offset or baseline_offset(scene)
    pixels = np.zeros((len(bands), *geobox.shape), np.float32)
    valid = np.ones(geobox.shape, bool)
    saturated = np.ones(geobox.shape, bool)
    judged = False
    for asset, wanted in _by_asset(scene, bands, policy, opener):
        with _opened(asset.href, policy, opener) as source:
            scaled = with_file_scaling([band for _, band in wanted], source.naming.bands)
            placement = source.placement(asset.georef)
            dn, seen = source.onto(placement, scaled, geobox, zero_is_nodata)
        valid &= seen
        for (place, _), band, values in zip(wanted, scaled, dn, strict=True):
            pixels[place] = to_reflectance(values, band, offset)
            if bands[place] in _VISIBLE or band.common_name in _VISIBLE:
                judged = True
                saturated &= at_maximum(values)
    pixels[:, ~valid] = 0.0
    saturated = saturated & valid if judged else np.zeros_like(valid)
    return Patch(geobox, tuple(bands), pixels, valid, saturated)


def read_mask(
    scene: Scene,
    mask: MaskAsset,
    geobox: GeoBox,
    policy: HrefPolicy,
    *,
    opener: Opener | None = None,
) -> tuple[NDArray[Any], BoolArray]:
    """Read the codes of a delivered mask onto a grid, by the nearest pixel.

    Returns:
        Codes in the file's own type, (height, width) of one band, (bands, height, width) of a
        file with several; and where the mask reaches (height, width).

    Raises:
        HrefError: the address may not be read.
        RasterError: the file is damaged, has no place, or lacks the band.
    """
    with _opened(mask.href, policy, opener) as source:
        count = source.dataset.count
        if mask.band is not None and not 1 <= mask.band <= count:
            raise RasterError(source.name, f"has no band {mask.band} for the mask of {scene.id}")
        indices = [mask.band] if mask.band is not None else list(range(1, count + 1))
        placement = source.placement(mask.georef)
        bands = [Band(index, str(index)) for index in indices]
        codes, reached = source.onto(placement, bands, geobox, codes=True)
    return (codes[0] if len(indices) == 1 else codes), reached


def read_window(
    path: Path, window: Box | tuple[slice, slice], bands: Sequence[int] | None = None
) -> NDArray[Any]:
    """Read a window of a file of our own making, as it is.

    Args:
        path: the file.
        window: of its pixels.
        bands: counted from 1; None = all.

    Returns:
        (bands, height, width) in the file's own type.

    Raises:
        RasterError: the file is missing or damaged.
    """
    rows, cols = window.slices if isinstance(window, Box) else window
    with _opened(str(path)) as source:
        height, width = source.shape
        file_window = rasterio.windows.Window.from_slices(rows, cols, height=height, width=width)
        indices = list(bands) if bands is not None else None
        values: NDArray[Any] = source.dataset.read(indices, window=file_window)
    return values


def read_overview(path: Path, max_side: int) -> tuple[NDArray[Any], BoolArray, GeoBox]:
    """Read a whole file of our own making, reduced to at most ``max_side`` pixels a side.

    Returns:
        (bands, height, width) in the file's own type, its valid pixels, its grid.

    Raises:
        RasterError: the file is missing, damaged, or has no place.
    """
    with _opened(str(path)) as source:
        placement = source.placement()
        full = GeoBox(source.shape, placement.transform, placement.crs)
        reduction = max(1.0, max(source.shape) / max_side)
        height, width = (max(1, round(side / reduction)) for side in source.shape)
        target = full.zoom_to((height, width))
        values, valid = source.onto(placement, source.naming.bands, target)
    return values, valid, target


def _by_asset(
    scene: Scene, bands: Sequence[str], policy: HrefPolicy, opener: Opener | None
) -> list[tuple[Asset, list[tuple[int, Band]]]]:
    """Which asset has which of the wanted bands: (asset, [(place in the result, band)])."""
    known = [(asset, asset.bands or _file_bands(asset, policy, opener)) for asset in scene.assets]
    wanted: dict[int, list[tuple[int, Band]]] = {}
    for place, name in enumerate(bands):
        for number, (_, have) in enumerate(known):
            band = find_band(have, name)
            if band is not None:
                wanted.setdefault(number, []).append((place, band))
                break
        else:
            raise missing_band(f"scene {scene.id}", name, [b for _, have in known for b in have])
    return [(known[number][0], chosen) for number, chosen in wanted.items()]


def _file_bands(asset: Asset, policy: HrefPolicy, opener: Opener | None) -> tuple[Band, ...]:
    with _opened(asset.href, policy, opener) as source:
        return source.naming.bands


class _Kept(local):
    """Local files that this thread has open: a picture is read window by window."""

    def __init__(self) -> None:
        self.sources: OrderedDict[tuple[Any, ...], Source] = OrderedDict()

    def get(self, path: Path, name: str) -> tuple[tuple[Any, ...], Source]:
        """The open file, opened if need be; a file that was changed or replaced is opened anew."""
        stat = path.stat()
        key = (str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size, os.getpid())
        source = self.sources.pop(key, None) or _open_local(path, name)
        self.sources[key] = source
        while len(self.sources) > _KEPT_OPEN:
            self.sources.popitem(last=False)[1].dataset.close()
        return key, source

    def drop(self, key: tuple[Any, ...]) -> None:
        """Close a file that made trouble."""
        source = self.sources.pop(key, None)
        if source is not None:
            source.dataset.close()


_kept = _Kept()


@contextmanager
def _opened(
    href: str, policy: HrefPolicy | None = None, opener: Opener | None = None
) -> Iterator[Source]:
    """Open a raster; whatever goes wrong with it is a ``RasterError``.

    Without a policy, ``href`` is a local path that the user named.
    """
    address = resolve_href(href, policy) if policy is not None else str(Path(href).absolute())
    if is_remote(address):
        with _opened_remote(address, opener) as source:
            yield source
        return
    key: tuple[Any, ...] = ()
    with rasterio.Env(**GDAL_OPTIONS):
        try:
            key, source = _kept.get(Path(address), href)
            yield source
        except GDAL_ERRORS as error:
            _kept.drop(key)
            raise _broken(href, error) from error


def _open_local(path: Path, name: str) -> Source:
    with path.open("rb") as file:
        driver = _driver(file, name)
    neighbours = tiff_neighbours(path)
    for each in neighbours:
        with rasterio.open(each, driver="GTiff", sharing=False) as dataset:
            _refuse_pointers(dataset, name)
    options = {"GDAL_DISABLE_READDIR_ON_OPEN": "NO" if neighbours else "EMPTY_DIR"}
    with rasterio.Env(**options):
        dataset = rasterio.open(path, driver=driver, sharing=False)
        _refuse_pointers(dataset, name)
        source = Source(dataset, name, path)
        # GDAL looks for what lies beside the file only now, and remembers it.
        _ = dataset.overviews(1), dataset.mask_flag_enums
    return source


def _refuse_pointers(dataset: DatasetReader, name: str) -> None:
    """A TIFF may say that its overviews are in any other file, which GDAL then reads for them."""
    if dataset.tags(ns="OVERVIEWS"):
        dataset.close()
        raise RasterError(name, "takes its overviews from another file", "give the raster itself")


@contextmanager
def _opened_remote(address: str, opener: Opener | None) -> Iterator[Source]:
    name = shown(address)
    if opener is None:
        raise RasterError(name, "lies on the network, which is not read here")
    alias = f"/{uuid4().hex}/asset"
    with ExitStack() as stack:
        files = [stack.enter_context(opener(address))]

        def reopen(path: str, mode: str = "rb") -> IO[bytes]:
            if path != alias:
                raise FileNotFoundError(path)
            files.append(stack.enter_context(opener(address)))
            return files[-1]

        stack.enter_context(rasterio.Env(**GDAL_OPTIONS))
        try:
            driver = _driver(files[0], name)
            dataset = rasterio.open(alias, driver=driver, sharing=False, opener=reopen)
            with dataset:
                _refuse_pointers(dataset, name)
                yield Source(dataset, name)
        except GDAL_ERRORS as error:
            raise _lost(files) or _broken(name, error) from error
        lost = _lost(files)
        if lost is not None:
            raise lost


def _lost(files: Sequence[IO[bytes]]) -> InputError | None:
    """Why reading over the network failed; inside GDAL it could not be raised."""
    errors = (getattr(file, "error", None) for file in files)
    return next((error for error in errors if error is not None), None)


def _driver(file: IO[bytes], name: str) -> str:
    head = file.read(16)
    for magic, driver in MAGIC:
        if magic.match(head):
            return driver
    raise RasterError(
        name,
        "is not a raster of a format that is read" if head else "is empty",
        "give GeoTIFF, JPEG 2000, PNG, JPEG or WebP",
    )


def _broken(name: str, error: Exception) -> RasterError:
    if isinstance(error, FileNotFoundError):
        return RasterError(name, "does not exist")
    if isinstance(error, IsADirectoryError):
        return RasterError(name, "is a folder, not a raster")
    if isinstance(error, PermissionError):
        return RasterError(name, "may not be read")
    cause = " ".join(str(error.__cause__ or error).split())
    return RasterError(name, f"is damaged or cannot be read ({cause[:160]})")

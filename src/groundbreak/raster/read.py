"""Reads rasters: whole, in windows, or onto a grid as reflectance-like values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.windows
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from groundbreak.errors import RasterError, UnreachedError
from groundbreak.raster.bands import PAN, VISIBLE, find_band, missing_band, panchromatic
from groundbreak.raster.href import Opener
from groundbreak.raster.info import RasterInfo
from groundbreak.raster.offsets import OffsetDecision, baseline_offset
from groundbreak.raster.opening import opened
from groundbreak.raster.placing import ground_gsd, outline
from groundbreak.raster.source import with_file_scaling
from groundbreak.raster.valid import FillColour, has_data
from groundbreak.raster.values import at_maximum, is_stretched, to_reflectance
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

_WHOLE_PX = 1 << 29
_CHUNK = 1 << 22


def inspect(path: Path) -> RasterInfo:
    """What a raster says about itself.

    Raises:
        RasterError: it is not a raster, or it is damaged, or it is not of the Earth.
    """
    with opened(str(path)) as source:
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
    with opened(str(path)) as source:
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
    fill: Collection[FillColour] = (),
    opener: Opener | None = None,
    offset: OffsetDecision | None = None,
    scale: float | None = None,
) -> Patch:
    """Read bands of a scene onto a grid, as reflectance-like values.

    Args:
        scene: its assets together have the bands.
        geobox: the grid, or a window of it.
        bands: names or common names, in the order wanted.
        policy: which addresses may be read.
        fill: pixels of these colours are no data if connected to the border of a picture.
        opener: opens http(s) addresses.
        offset: what to add to digital numbers (reflectance x 10000); None = by the metadata.
        scale: reflectance per digital number of bands that state none; None = the usual one.

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
    judged = stretched = False
    for asset, wanted in _by_asset(scene, bands, policy, opener):
        with opened(asset.href, policy, opener) as source:
            scaled = with_file_scaling([band for _, band in wanted], source.naming.bands)
            placement = source.placement(asset.georef)
            once = list(dict.fromkeys(scaled))  # one band may be wanted at several places
            dn, seen = source.onto(placement, once, geobox, fill)
        valid &= seen
        for (place, _), band in zip(wanted, scaled, strict=True):
            values = dn[once.index(band)]
            silent = band.scale is None and band.offset is None
            told = replace(band, scale=scale) if silent else band
            pixels[place] = to_reflectance(values, told, offset)
            stretched |= is_stretched(values, told)
            if bands[place] in VISIBLE or band.common_name in VISIBLE:
                judged = True
                saturated &= at_maximum(values)
    pixels[:, ~valid] = 0.0
    saturated = saturated & valid if judged else np.zeros_like(valid)
    return Patch(geobox, tuple(bands), pixels, valid, saturated, stretched)


def read_unscaled(
    scene: Scene,
    geobox: GeoBox,
    bands: Sequence[str],
    policy: HrefPolicy,
    opener: Opener | None = None,
) -> NDArray[Any] | None:
    """Read bands of a scene as they are stored, where nothing says what the numbers mean.

    Args:
        scene: its assets together have the bands.
        geobox: where; the nearest pixels count.
        bands: names or common names.
        policy: which addresses may be read.
        opener: opens http(s) addresses.

    Returns:
        Numbers (bands, pixels) where all bands have data and are not black; None where one of the
        bands states a scale or an offset, or has 8 bits.

    Raises:
        HrefError: an address may not be read.
        RasterError: a file is damaged, has no place, or a band is missing.
    """
    numbers: list[NDArray[Any]] = []
    valid = np.ones(geobox.shape, bool)
    for asset, wanted in _by_asset(scene, bands, policy, opener):
        with opened(asset.href, policy, opener) as source:
            stated = with_file_scaling([band for _, band in wanted], source.naming.bands)
            if source.bits <= 8 or any(b.scale is not None or b.offset is not None for b in stated):
                return None
            placement = source.placement(asset.georef)
            dn, seen = source.onto(placement, stated, geobox, codes=True)
        valid &= seen & has_data(dn, [source.nodata(band) for band in stated])
        numbers += list(dn)
    joined = np.stack(numbers)
    return joined[:, valid & (joined != 0).any(axis=0)]


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
    with opened(mask.href, policy, opener) as source:
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
    with opened(str(path)) as source:
        height, width = source.shape
        file_window = rasterio.windows.Window.from_slices(rows, cols, height=height, width=width)
        indices = list(bands) if bands is not None else None
        values: NDArray[Any] = source.dataset.read(indices, window=file_window)
    return values


def read_through(path: Path) -> None:
    """Read all of a file of our own making, to see whether that can be done.

    Raises:
        UnreachedError: it is missing, or its bytes cannot be had now.
        RasterError: what it holds is damaged.
    """
    try:
        # GDAL does not tell a fault of the disk from one of the content.
        with path.open("rb") as file:
            while file.read(_CHUNK):
                pass
    except OSError as error:
        raise UnreachedError(str(path), f"cannot be read now ({error.strerror})") from error
    with opened(str(path)) as source:
        source.placement()
        for _, window in source.dataset.block_windows(1):
            source.dataset.read(window=window)


def read_onto(path: Path, geobox: GeoBox, *, codes: bool = False) -> tuple[NDArray[Any], BoolArray]:
    """Read a whole file of our own making onto another grid.

    Args:
        path: the file.
        geobox: the grid.
        codes: the values are codes: the nearest one counts.

    Returns:
        (bands, height, width) in the file's own type, and its valid pixels (height, width).

    Raises:
        RasterError: the file is missing, damaged, or has no place.
    """
    with opened(str(path)) as source:
        return source.onto(source.placement(), source.naming.bands, geobox, codes=codes)


def _by_asset(
    scene: Scene, bands: Sequence[str], policy: HrefPolicy, opener: Opener | None
) -> list[tuple[Asset, list[tuple[int, Band]]]]:
    """Which asset has which of the wanted bands: (asset, [(place in the result, band)]).

    Red, green and blue of a panchromatic scene are its one band.
    """
    known = [(asset, asset.bands or _file_bands(asset, policy, opener)) for asset in scene.assets]
    if panchromatic([asset.bands for asset in scene.assets]):
        bands = [PAN if name in VISIBLE else name for name in bands]
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
    with opened(asset.href, policy, opener) as source:
        return source.naming.bands

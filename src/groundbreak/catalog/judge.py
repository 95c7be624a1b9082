"""A raster file, judged: what its bands are, where it lies, when it was taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from affine import Affine
from shapely.geometry.base import BaseGeometry

from groundbreak.catalog.assets import finer_pictures, shows
from groundbreak.catalog.dates import Acquired
from groundbreak.catalog.listing import Entry
from groundbreak.catalog.names import Part
from groundbreak.catalog.products import Product, product
from groundbreak.catalog.unnatural import shown_instead
from groundbreak.errors import RasterError
from groundbreak.raster.bands import VISIBLE, common_name
from groundbreak.raster.info import RasterInfo
from groundbreak.raster.placing import ground_gsd, outline, parse_crs
from groundbreak.types import Band

_PLACEHOLDER = re.compile(r"band ?\d+", re.IGNORECASE)  # counts bands, and says nothing of them
_SENSOR_TAGS = ("SENSOR", "SENSOR_ID", "SPACECRAFT_NAME", "SPACECRAFT_ID", "SATELLITE", "PLATFORM")


class LeftOutError(ValueError):
    """Why a file is left out, in words that read on from its name."""


@dataclass(frozen=True)
class Placed:
    """Where a raster lies. ``by`` says who else than the file says so."""

    crs: str
    transform: Affine
    footprint: BaseGeometry
    gsd_m: float
    by: str | None = None


@dataclass(frozen=True)
class Image:
    """A file with image bands, judged: what, where, when."""

    part: Part
    info: RasterInfo
    bands: tuple[Band, ...]
    placed: Placed
    acquired: Acquired
    entry: Entry | None = None
    sidecar: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """What its bands show, by common names where there are any."""
        return shows(self.bands)


def judge(
    part: Part,
    info: RasterInfo,
    acquired: Acquired,
    entry: Entry | None = None,
    sidecar: Mapping[str, Any] | None = None,
) -> Image:
    """What a file is and where it lies, by itself, its name and what the user says of it.

    Raises:
        LeftOutError: it is not placed, or what the user says of it does not fit it.
    """
    notes = [acquired.note] if acquired.note else []
    placed = _placed(info, entry, notes)
    known = product(part.path)
    sensor = sensor_of(info, entry, known)
    bands = _named(part, info, entry, known, sensor, notes)
    return Image(
        part,
        info,
        tuple(_scaled(band, info, known) for band in bands),
        placed,
        acquired,
        entry,
        sidecar or {},
        tuple(notes),
    )


def _placed(info: RasterInfo, entry: Entry | None, notes: list[str]) -> Placed:
    crs, transform, by = info.crs, info.transform, None
    if entry is not None and entry.corners is not None:
        west, south, east, north = entry.corners
        height, width = info.shape
        transform = Affine((east - west) / width, 0, west, 0, (south - north) / height, north)
        crs, by = entry.crs or "EPSG:4326", "dates.csv"
    elif entry is not None and entry.crs is not None:
        crs, by = entry.crs, "dates.csv"
    elif crs is None and transform is not None and _are_degrees(transform, info.shape):
        crs, by = "EPSG:4326", "world file"
        notes.append("its world file is in degrees and names no CRS: EPSG:4326 is assumed")
    if transform is None:
        raise LeftOutError(
            "does not say where it lies: give it a world file, or its corners in dates.csv"
        )
    if crs is None:
        raise LeftOutError(
            "has no CRS: put a .prj beside it, or name it in the column crs of dates.csv"
        )
    if info.crs is not None and by is not None and not _same_place(info, crs, transform):
        notes.append("dates.csv overrides where the file says that it lies")
    if by is None and info.footprint is not None and info.gsd_m is not None:
        return Placed(crs, transform, info.footprint, info.gsd_m)
    try:
        parse_crs(crs)
        shape = outline(crs, transform, info.shape)
        return Placed(crs, transform, shape, ground_gsd(crs, transform, info.shape), by)
    except RasterError as error:
        raise LeftOutError(f"cannot be placed: {error.subject} {error.problem}") from error


def _same_place(info: RasterInfo, crs: str, transform: Affine) -> bool:
    """Whether dates.csv says what the file says."""
    if info.crs is None or info.transform is None:
        return False
    try:
        return parse_crs(crs) == parse_crs(info.crs) and transform.almost_equals(info.transform)
    except RasterError:
        return False


def _are_degrees(transform: Affine, shape: tuple[int, int]) -> bool:
    corners = [transform * corner for corner in ((0, 0), (shape[1], shape[0]))]
    return all(abs(x) <= 180 and abs(y) <= 90 for x, y in corners)


def sensor_of(info: RasterInfo, entry: Entry | None, known: Product) -> str | None:
    """The sensor in words: as the user says, as the file says, as its name tells."""
    tags = {key.upper(): value for key, value in info.tags.items()}
    said = [entry.sensor if entry else None, *(tags.get(name) for name in _SENSOR_TAGS)]
    told = [
        known.properties.get(key) for key in ("groundbreak:sensor", "platform", "constellation")
    ]
    return next((str(text).strip() for text in (*said, *told) if text and str(text).strip()), None)


def _named(
    part: Part,
    info: RasterInfo,
    entry: Entry | None,
    known: Product,
    sensor: str | None,
    notes: list[str],
) -> list[Band]:
    """The bands with their names: as the user says, as the file's name or the file says."""
    bands = list(info.bands)
    unnamed = info.note is not None or all(_PLACEHOLDER.fullmatch(b.name) for b in bands)
    if entry is not None and entry.bands:
        names = list(entry.bands)
        if len(names) == len(bands) + 1 and common_name(names[-1]) is None:
            names.pop()  # the alpha band, which is not among the image bands
        if len(names) != len(bands):
            raise LeftOutError(
                f"has {len(bands)} bands, but dates.csv names {len(entry.bands)} "
                f"in line {entry.line}"
            )
    elif part.band is not None and len(bands) == 1:
        names = [part.band]
    elif unnamed and len(bands) in known.order:
        names = list(known.order[len(bands)])
        notes.append(f"bands taken in the order of the product: {', '.join(names)}")
    else:
        names = [band.name for band in bands]
        if len(names) == 3 and {*names} == VISIBLE and (instead := shown_instead(part.path)):
            raise LeftOutError(
                f"shows {instead} by its name, not natural colours (if it does show "
                "them, rename it, or name its bands in dates.csv)"
            )
        if info.note:
            notes.append(info.note)
    listed = entry is not None and bool(entry.bands)
    return [
        replace(
            band,
            name=name,
            common_name=common_name(name, sensor)
            if listed or not _PLACEHOLDER.fullmatch(name)
            else None,
        )
        for band, name in zip(bands, names, strict=True)
    ]


def _scaled(band: Band, info: RasterInfo, known: Product) -> Band:
    """The band with the product's scaling where the file states none (never for 8 bits)."""
    if info.dtype not in ("uint16", "int16"):
        return band
    if known.nodata is not None and band.nodata is None:
        band = replace(band, nodata=known.nodata)
    if known.scaling is not None and band.scale is None and band.offset is None:
        band = replace(band, scale=known.scaling[0], offset=known.scaling[1])
    return band


def choose(images: Iterable[Image]) -> tuple[list[Image], list[Image]]:
    """The files of a product that together show each band once, the finest first.

    Whole pictures come before single bands, and pictures made for people (true colour) last.

    Returns:
        The chosen files, and those that show again what a chosen one shows.
    """
    images = list(images)
    pictures_first = finer_pictures(
        [(image.names, image.placed.gsd_m, image.part.visual) for image in images]
    )

    def rank(image: Image) -> tuple[Any, ...]:
        path = image.part.path
        return (
            image.part.visual != pictures_first,
            image.part.band is not None,
            "_SR" not in path and "FRE_" not in path,  # surface, slope-corrected reflectance first
            round(image.placed.gsd_m, 3),
            path.lower().endswith((".jp2", ".j2k")),  # slower to read
            path,
        )

    chosen: list[Image] = []
    again: list[Image] = []
    for image in sorted(images, key=rank):
        taken = frozenset[str]().union(*(other.names for other in chosen))
        (again if image.names & taken else chosen).append(image)
    return chosen, again

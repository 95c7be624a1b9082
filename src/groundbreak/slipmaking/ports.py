"""Pictures of real ports with their outlined berths, as the pair maker wants them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage

from groundbreak.errors import DataError
from groundbreak.raster.read import inspect, read_picture
from groundbreak.scaling import to_unit
from groundbreak.slipmaking.water import find_water
from groundbreak.types import BoolArray, FloatArray

BERTHS = ("slip", "basin", "drydock", "marina")
"""Kinds of outline that hold berth water; the other kind, ``negative``, is plain waterfront."""
UNPLACED_GSD_M = 3.0
"""Pixel size of a picture that does not say where it lies (PlanetScope's visual product)."""

Ring = NDArray[np.float64]
"""Vertices (n, 2) of an outline in pixels, x right and y down, 0, 0 the upper left corner."""


@dataclass(frozen=True)
class Outline:
    """One outlined berth, or a box without one."""

    name: str
    kind: str
    ring: Ring

    def mask(self, shape: tuple[int, int]) -> BoolArray:
        """Pixels whose centre lies inside."""
        from skimage.draw import polygon

        mask = np.zeros(shape, dtype=bool)
        rows, columns = polygon(self.ring[:, 1] - 0.5, self.ring[:, 0] - 0.5, shape)
        mask[rows, columns] = True
        return mask


@dataclass(frozen=True)
class Port:
    """A port on one date.

    Attributes:
        name: of its folder.
        pixels: (bands, height, width) reflectance-like, in [0, 1].
        bands: common names.
        gsd_m: pixel size on the ground.
        valid: pixels with data.
        water: pixels of open or enclosed water, without what floats on it.
        outlines: berths and negative boxes.
        berths: (height, width) number of the berth from 1 on in the order of ``outlines``, 0
            where there is none.
    """

    name: str
    pixels: FloatArray
    bands: tuple[str, ...]
    gsd_m: float
    valid: BoolArray
    water: BoolArray
    outlines: tuple[Outline, ...]
    berths: NDArray[np.int16]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.valid.shape

    def numbers(self, kinds: Sequence[str] = BERTHS) -> list[int]:
        """Numbers in ``berths`` of the outlines of these kinds."""
        return [n for n, o in enumerate(self.outlines, start=1) if o.kind in kinds]


def read_port(folder: Path, bands: Sequence[str] | None = None) -> Port:
    """Read the picture and the outlines of one port.

    Args:
        folder: holds one ``.tif`` or ``.jpg`` and one ``.geojson`` whose features have a
            ``kind`` and their vertices in pixels.
        bands: keep these; None keeps all. A near infrared band of the 20 m pixels passes for
            ``nir``.

    Raises:
        DataError: a file is missing, or a feature has no kind.
        RasterError: the picture cannot be read.
    """
    pictures = sorted([*folder.glob("*.tif"), *folder.glob("*.jpg")])
    tables = sorted(folder.glob("*.geojson"))
    if not pictures or not tables:
        raise DataError(str(folder), "does not hold a picture and a GeoJSON of outlines")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        array, names, valid = read_picture(pictures[0])
        gsd_m = inspect(pictures[0]).gsd_m or UNPLACED_GSD_M
    names = tuple("nir" if name == "nir08" else name for name in names)
    outlines = _outlines(tables[0])
    pixels = np.where(valid, to_unit(array), np.float32(0.0)).astype(np.float32)
    berths = _number(outlines, valid.shape)
    water = find_water(pixels, names, valid, berths > 0)
    if bands is not None:
        pixels = pixels[[names.index(band) for band in bands]]
        names = tuple(bands)
    return Port(folder.name, pixels, names, gsd_m, valid, water, outlines, berths)


def rescaled(port: Port, gsd_m: float) -> Port:
    """The same port at another pixel size, nearby: an eighth to three times its own."""
    factor = port.gsd_m / gsd_m
    sharp = port.pixels
    if factor < 1.0:
        blur = 0.45 * np.sqrt(1 / factor**2 - 1)
        sharp = ndimage.gaussian_filter(sharp, (0, blur, blur))
    zoom = [round(side * factor) / side for side in port.shape]
    pixels = ndimage.zoom(sharp, (1, *zoom), order=1, grid_mode=True, mode="nearest")
    mask = [
        ndimage.zoom(m.astype(np.float32), zoom, order=1, grid_mode=True, mode="nearest") > 0.5
        for m in (port.valid, port.water)
    ]
    outlines = tuple(replace(o, ring=o.ring * zoom[::-1]) for o in port.outlines)
    berths = _number(outlines, mask[0].shape)
    return Port(port.name, pixels, port.bands, gsd_m, mask[0], mask[1], outlines, berths)


def _outlines(path: Path) -> tuple[Outline, ...]:
    found: list[Outline] = []
    for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
        properties = feature["properties"]
        if "kind" not in properties:
            raise DataError(str(path), "has a feature without a kind")
        ring = properties.get("pixel") or feature["geometry"]["coordinates"][0]
        name = str(properties.get("id", len(found)))
        found.append(Outline(name, properties["kind"], np.asarray(ring, dtype=np.float64)))
    return tuple(found)


def _number(outlines: Sequence[Outline], shape: tuple[int, int]) -> NDArray[np.int16]:
    berths = np.zeros(shape, dtype=np.int16)
    for number, outline in enumerate(outlines, start=1):
        if outline.kind in BERTHS:
            berths[outline.mask(shape)] = number
    return berths

"""Which pixels of a raster hold a picture: pure rules on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_propagation

from groundbreak.types import BoolArray

_LOSSY_STEPS = 8
"""Lossy compression turns a border of one colour into almost that colour."""


class FillColour(StrEnum):
    """What exports put where a picture ends; as nodata only where that is said."""

    BLACK = "black"
    WHITE = "white"


def has_data(dn: NDArray[Any], nodata: Sequence[float | None]) -> BoolArray:
    """Pixels that are not nodata.

    In 8-bit files the nodata value is also a real brightness of single bands (0, 255): there a
    pixel is nodata if all its bands are. In wider types it is nodata if any band is, since the
    others would be compared with a hole. NaN is always nodata.

    Args:
        dn: digital numbers (bands, height, width).
        nodata: the nodata value of each band, None = it has none.

    Returns:
        (height, width), True = a picture.
    """
    missing = [_equals(band, value) for band, value in zip(dn, nodata, strict=True)]
    if not missing:
        return np.ones(dn.shape[1:], bool)
    joined = np.logical_and if dn.dtype.itemsize == 1 else np.logical_or
    result: BoolArray = ~joined.reduce(missing)
    return result


def pooled(
    dn: NDArray[Any], valid: BoolArray, edges: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> tuple[NDArray[Any], BoolArray]:
    """Averages of the valid pixels of blocks.

    Args:
        dn: (bands, height, width).
        valid: (height, width).
        edges: first rows and first columns of the blocks, and the ends.

    Returns:
        (bands, rows of blocks, columns of blocks) in the type of ``dn``, 0 where a block is not
        valid; which blocks are valid: by half or more.
    """

    def summed(values: NDArray[Any]) -> NDArray[Any]:
        by_row = np.add.reduceat(values, edges[0][:-1], axis=-2)
        return np.asarray(np.add.reduceat(by_row, edges[1][:-1], axis=-1))

    count = summed(valid.astype(np.uint32))
    seen = 2 * count >= np.multiply.outer(np.diff(edges[0]), np.diff(edges[1]))
    mean = summed(np.where(valid, dn, 0).astype(np.float64)) / np.maximum(count, 1)
    mean = np.where(seen, mean if dn.dtype.kind == "f" else np.rint(mean), 0)
    return mean.astype(dn.dtype), seen


def in_colour(dn: NDArray[Any], colour: FillColour, *, lossy: bool = False) -> BoolArray:
    """Pixels that have the colour of fill in all bands.

    White is known in 8 bits only: no export writes the maximum of another type.

    Args:
        dn: digital numbers (bands, height, width).
        colour: of the fill.
        lossy: the picture was compressed with loss.

    Returns:
        (height, width).
    """
    steps = _LOSSY_STEPS if lossy else 0
    if colour is FillColour.BLACK:
        return np.asarray((dn <= steps).all(axis=0))
    if dn.dtype != np.uint8:
        return np.zeros(dn.shape[1:], bool)
    return np.asarray((dn >= 255 - steps).all(axis=0))


def from_border(alike: BoolArray, seeds: BoolArray | None = None) -> BoolArray:
    """Pixels of one colour that are connected to the border of the picture; a dark pond or a white
    roof inside is not.

    Args:
        alike: (height, width) pixels that have the colour.
        seeds: where the connection may start; None = at the edges of the array.

    Returns:
        (height, width).
    """
    if seeds is None:
        seeds = np.zeros_like(alike)
        seeds[[0, -1], :] = True
        seeds[:, [0, -1]] = True
    start = seeds & alike
    if not start.any():
        return start
    connected: BoolArray = binary_propagation(start, mask=alike)
    return connected


def _equals(band: NDArray[Any], value: float | None) -> BoolArray:
    """Pixels of one band that hold a nodata value; a value the type cannot hold matches none."""
    if band.dtype.kind == "f":
        missing = np.isnan(band)
        if value is not None and not np.isnan(value):
            missing |= band == band.dtype.type(value)
        return missing
    if value is None or np.isnan(value) or value != int(value):
        return np.zeros(band.shape, bool)
    limits = np.iinfo(band.dtype)
    if not limits.min <= value <= limits.max:
        return np.zeros(band.shape, bool)
    return np.asarray(band == band.dtype.type(int(value)))

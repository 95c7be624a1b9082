"""Digital numbers of one band to values, and which of them are saturated: pure rules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.raster.offsets import OffsetDecision
from groundbreak.scaling import REFLECTANCE_DN, to_unit
from groundbreak.types import Band, BoolArray, FloatArray


def to_reflectance(dn: NDArray[Any], band: Band, offset: OffsetDecision) -> FloatArray:
    """Digital numbers of one band to [0, 1].

    The offset of a processing baseline concerns reflectance x 10000 only, in 16 bits or in floating
    point: a rendered 8-bit picture of the same scene has none. It leaves at least 1, since 0 is
    nodata there: a 0 that nothing marks as such stays 0, to be recognised.
    """
    if not _times_10000(dn, band):
        return to_unit(dn, band.scale, band.offset)
    if offset.dn:
        wide = dn if dn.dtype.kind == "f" else dn.astype(np.int32)
        shifted = np.where(wide > 0, np.maximum(wide + wide.dtype.type(offset.dn), 1), 0)
        return to_unit(shifted, band.scale)
    return to_unit(dn, band.scale, band.offset if offset.band_offsets else None)


def _times_10000(dn: NDArray[Any], band: Band) -> bool:
    """Whether numbers are those of a product in 16 bits, though perhaps in floating point."""
    if dn.dtype.kind == "f":
        return band.scale is not None and math.isclose(band.scale * REFLECTANCE_DN, 1, rel_tol=1e-6)
    return dn.dtype.itemsize > 1


def is_stretched(dn: NDArray[Any], band: Band) -> bool:
    """Whether numbers are those of a picture for the screen, over the range of 8 or 16 bits."""
    if band.scale is None:
        return dn.dtype == np.uint8 and band.offset is None
    return any(math.isclose(band.scale * most, 1, rel_tol=1e-6) for most in (255, 65535))


def at_maximum(dn: NDArray[Any]) -> BoolArray:
    """Digital numbers at their type's maximum.

    In 8 bits (and in floating point) none counts: a white roof is 255 there, and white roofs are
    what is looked for.
    """
    if dn.dtype.itemsize == 1 or dn.dtype.kind == "f":
        return np.zeros(dn.shape, bool)
    return np.asarray(dn == np.iinfo(dn.dtype).max)

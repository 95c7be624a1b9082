"""Digital numbers of one band to values, and which of them are saturated: pure rules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.raster.offsets import OffsetDecision
from groundbreak.scaling import to_unit
from groundbreak.types import Band, BoolArray, FloatArray


def to_reflectance(dn: NDArray[Any], band: Band, offset: OffsetDecision) -> FloatArray:
    """Digital numbers of one band to [0, 1].

    The offset of a processing baseline concerns 16-bit numbers only: a rendered 8-bit picture of
    the same scene has none. It leaves at least 1, since 0 is nodata there.
    """
    if dn.dtype.itemsize == 1 or dn.dtype.kind == "f":
        return to_unit(dn, band.scale, band.offset)
    if offset.dn:
        shifted = np.maximum(dn.astype(np.int32) + int(offset.dn), 1)
        return to_unit(shifted, band.scale)
    return to_unit(dn, band.scale, band.offset if offset.band_offsets else None)


def at_maximum(dn: NDArray[Any]) -> BoolArray:
    """Digital numbers at their type's maximum.

    In 8 bits (and in floating point) none counts: a white roof is 255 there, and white roofs are
    what is looked for.
    """
    if dn.dtype.itemsize == 1 or dn.dtype.kind == "f":
        return np.zeros(dn.shape, bool)
    return np.asarray(dn == np.iinfo(dn.dtype).max)

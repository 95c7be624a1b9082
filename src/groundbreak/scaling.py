"""Digital numbers to [0, 1]: the one rule that training, evaluation and detection share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import FloatArray

REFLECTANCE_DN = 10000.0
"""Digital number of reflectance 1 in the usual 16-bit products."""


def to_unit(
    dn: NDArray[Any], scale: float | None = None, offset: float | None = None
) -> FloatArray:
    """Scale digital numbers of any shape to float32 in [0, 1].

    Scale and offset (of STAC or GDAL) win; else uint8 / 255; else integers / 10000; floating
    point as it is. The result is clipped to [0, 1]; NaN becomes 0.

    Args:
        dn: digital numbers, any shape.
        scale: reflectance per digital number, None when the file does not say.
        offset: reflectance at digital number 0, None when the file does not say.

    Returns:
        float32 array of the same shape.
    """
    values = dn.astype(np.float32)
    if scale is not None or offset is not None:
        values = values * np.float32(1.0 if scale is None else scale)
        values += np.float32(0.0 if offset is None else offset)
    elif dn.dtype == np.uint8:
        values /= np.float32(255.0)
    elif np.issubdtype(dn.dtype, np.integer):
        values /= np.float32(REFLECTANCE_DN)
    if np.issubdtype(dn.dtype, np.inexact):
        values = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(values, 0.0, 1.0, out=values)

"""Digital numbers to [0, 1]: the one rule that training, evaluation and detection share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import FloatArray

REFLECTANCE_DN = 10000.0
"""Digital number of reflectance 1 in the usual 16-bit products."""

_STRETCH = 257.0
"""8 bits stretched to 16: every number is a multiple of that."""

_BRIGHTEST = 32768.0
"""Reflectance x 10000 stays below; where 1 % lies beyond, numbers fill the range of 16 bits."""

_DARKEST = 7000.0
"""Numbers with a large offset, as those of Landsat Collection 2, stay above."""


def recognise_scale(values: NDArray[Any]) -> float | None:
    """The scale of numbers that state none, where it is beyond doubt and not the usual one.

    Args:
        values: valid digital numbers of the visible bands as they are stored (not averaged), any
            shape, of more than 8 bits.

    Returns:
        Reflectance per digital number; None where ``to_unit`` does well without, or nobody knows.
    """
    floating = values.dtype.kind == "f"
    low, middle, high = np.percentile(values, (1, 50, 99))
    greatest = float(values.max())
    distinct = np.unique(values)
    if greatest > 255 and distinct.size >= 8 and not np.any(distinct % _STRETCH):
        return 1 / 65535
    if low < _DARKEST and middle > REFLECTANCE_DN and high > _BRIGHTEST:
        return 1 / 65535
    if not floating or middle <= 2:
        return None
    if greatest > 1000:
        return 1 / REFLECTANCE_DN if middle <= REFLECTANCE_DN else None
    whole = not np.any(distinct % 1)
    return 1 / 255 if 150 < greatest <= 255 or (whole and 16 < greatest <= 255) else None


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

"""What delivered masks call unusable: their codes, and where these are documented.

Snow is unusable in every mask: roofs and bare ground cannot be told apart under it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import BoolArray, MaskKind

SCL_USABLE = (2, 4, 5, 6, 7)
"""Sentinel-2 L2A scene classification (ESA, Sentinel-2 L2A Algorithm Theoretical Basis Document):
2 dark, 4 vegetation, 5 bare, 6 water, 7 unclassified. Not: 0 no data, 1 saturated or defective,
3 cloud shadow, 8 and 9 cloud of medium and high probability, 10 thin cirrus, 11 snow or ice."""

FMASK_BITS = (0, 1, 2, 3, 4)
"""HLS v2.0 Fmask (NASA, HLS User Guide): cirrus, cloud, adjacent to cloud or shadow, cloud shadow,
snow or ice. Bit 5 is water, 6 and 7 aerosol; 255 is fill."""
FMASK_FILL = 255

QA_PIXEL_BITS = (0, 1, 2, 3, 4, 5)
"""Landsat Collection 2 QA_PIXEL (USGS, LSDS-1619): fill, dilated cloud, cirrus, cloud, cloud
shadow, snow. Bit 6 is clear, 7 water, 8 and up are confidences."""

BQA_BITS = (0, 4)
"""Landsat Collection 1 BQA (USGS, LSDS-1873): fill, cloud. Bit 1 is terrain occlusion, 2 and 3
count saturated bands."""
BQA_CONFIDENCES = (7, 9, 11)
"""First of the two bits that tell the confidence (3 = high) of cloud shadow, snow, cirrus. That of
cloud (5) is high wherever bit 4 is set."""

UDM2_BANDS = 8
"""Planet UDM2 (Planet, Usable Data Masks): band 1 is clear, 2 snow, 3 shadow, 4 and 5 light and
heavy haze, 6 cloud, 7 confidence, 8 the older UDM, a bit field whose value 0 is good."""


def from_mask(kind: MaskKind, values: NDArray[Any], valid: BoolArray) -> BoolArray:
    """Usable pixels by a delivered mask.

    Args:
        kind: whose codes they are.
        values: codes, (height, width), or (bands, height, width) for UDM2.
        valid: (height, width), False where the mask does not reach; unusable there.

    Returns:
        (height, width), True where usable.

    Raises:
        ValueError: the array does not have the shape of such a mask.
    """
    if kind is MaskKind.UDM2:
        return _from_udm2(values) & valid
    if values.ndim != 2:
        raise ValueError(f"expected (height, width) for {kind}, got {values.shape}")
    if kind is MaskKind.SCL:
        usable = np.isin(values, SCL_USABLE)
    elif kind is MaskKind.CLM:
        usable = values <= 0  # MAJA: any bit is a reason
    elif kind is MaskKind.FMASK:
        usable = ~_any_bit(values, FMASK_BITS) & (values != FMASK_FILL)
    elif kind is MaskKind.QA_PIXEL:
        usable = ~_any_bit(values, QA_PIXEL_BITS)
    else:
        high = [(values.astype(np.int64) >> first) & 3 == 3 for first in BQA_CONFIDENCES]
        usable = ~_any_bit(values, BQA_BITS) & ~np.any(high, axis=0)
    return np.asarray(usable & valid)


def _from_udm2(values: NDArray[Any]) -> BoolArray:
    if values.ndim == 2:  # the older UDM alone
        return np.asarray(values == 0)
    if values.ndim != 3 or len(values) < UDM2_BANDS - 1:
        raise ValueError(f"expected ({UDM2_BANDS}, height, width) for udm2, got {values.shape}")
    clear = values[0] == 1
    if len(values) >= UDM2_BANDS:
        clear &= (values[UDM2_BANDS - 1].astype(np.int64) & 1) == 0  # bit 0: blackfill
    return np.asarray(clear)


def _any_bit(values: NDArray[Any], bits: tuple[int, ...]) -> BoolArray:
    wanted = sum(1 << bit for bit in bits)
    return np.asarray((values.astype(np.int64) & wanted) != 0)

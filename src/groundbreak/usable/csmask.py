"""Clouds and shadows in Sentinel-2 and Landsat by a trained network, where it is installed.

ukis-csmask (DLR, Apache-2.0): Wieland, Li and Martinis, "Multi-sensor cloud and cloud shadow
segmentation with a convolutional neural network", RSE 230, 2019. It needs near infrared, does
better with both short-wave infrared bands, and was trained on pixels of about 30 m.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal

import numpy as np

from groundbreak.errors import InputError
from groundbreak.types import BoolArray, FloatArray
from groundbreak.usable.blocks import block_mean, unblock
from groundbreak.usable.clouds import CloudMask

NEEDED = ("blue", "green", "red", "nir")
"""Bands without which it sees nothing."""

_TRAINED_GSD_M = 30.0
_TILE_PX = 256
_CLOUD, _SHADOW = 1, 2


def installed() -> bool:
    """Whether the network and what runs it are there."""
    return all(find_spec(name) is not None for name in ("ukis_csmask", "onnxruntime"))


def network_clouds(
    pixels: FloatArray,
    valid: BoolArray,
    bands: Sequence[str],
    gsd_m: float,
    level: Literal["l1c", "l2a"] = "l2a",
) -> CloudMask:
    """Find clouds and their shadows with ukis-csmask.

    Args:
        pixels: (bands, height, width), reflectance in [0, 1].
        valid: (height, width), True inside the image.
        bands: names of the bands: red, green, blue and nir at least; swir16 and swir22 help.
        gsd_m: pixel size on the ground in metres.
        level: top-of-atmosphere (l1c) or surface (l2a) reflectance.

    Returns:
        The masks, at the size of the input.

    Raises:
        InputError: the package is not installed, or a band is missing.
    """
    missing = [name for name in NEEDED if name not in bands]
    if missing:
        problem = f"ukis-csmask needs the bands {', '.join(NEEDED)}; {missing[0]} is missing"
        raise InputError(",".join(bands), problem, "use the default cloud detection")
    try:
        from ukis_csmask.mask import CSmask
    except ImportError as error:
        mend = "install it with: pip install 'groundbreak[csmask]'"
        raise InputError("csmask", "ukis-csmask is not installed", mend) from error
    factor = max(1, round(_TRAINED_GSD_M / gsd_m))
    small, seen = block_mean(pixels, valid, factor)
    height, width = seen.shape
    # The network looks at tiles of 256 px; a smaller picture is continued by its mirror image.
    pad = [(0, max(0, _TILE_PX - height)), (0, max(0, _TILE_PX - width))]
    padded = np.pad(small, [(0, 0), *pad], mode="symmetric")
    found = CSmask(
        np.ascontiguousarray(padded.transpose(1, 2, 0)), list(bands), product_level=level
    ).csm[:height, :width, 0]
    cloud, shadow = (
        unblock(seen & (found == code), factor, valid.shape) & valid for code in (_CLOUD, _SHADOW)
    )
    return CloudMask(cloud, shadow)

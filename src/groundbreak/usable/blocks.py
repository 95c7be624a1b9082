"""Block averages of a masked picture, and back to its size."""

from __future__ import annotations

import numpy as np

from groundbreak.types import BoolArray, FloatArray


def block_mean(pixels: FloatArray, valid: BoolArray, factor: int) -> tuple[FloatArray, BoolArray]:
    """Average (bands, height, width) over ``factor`` × ``factor`` blocks of valid pixels.

    Blocks at the right and lower edge may be cut. A block is valid when half of it is.
    """
    if factor == 1:
        return np.where(valid, pixels, np.float32(0.0)), valid
    bands, height, width = pixels.shape
    rows, cols = -(-height // factor), -(-width // factor)
    pad = ((0, rows * factor - height), (0, cols * factor - width))
    weight = np.pad(valid, pad).reshape(rows, factor, cols, factor)
    count = weight.sum(axis=(1, 3))
    mean = np.empty((bands, rows, cols), np.float32)
    for band in range(bands):
        values = np.pad(np.where(valid, pixels[band], np.float32(0.0)), pad)
        total = values.reshape(rows, factor, cols, factor).sum(axis=(1, 3), dtype=np.float32)
        mean[band] = total / np.maximum(count, 1)
    inside = np.pad(np.ones_like(valid), pad).reshape(rows, factor, cols, factor).sum(axis=(1, 3))
    return mean, count * 2 >= inside


def unblock(mask: BoolArray, factor: int, shape: tuple[int, int]) -> BoolArray:
    """Repeat a mask of blocks back to ``shape``."""
    full = mask.repeat(factor, axis=0).repeat(factor, axis=1)
    return full[: shape[0], : shape[1]]

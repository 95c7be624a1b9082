"""What a site usually looks like, from its other looks."""

from __future__ import annotations

import numpy as np

from groundbreak.types import BoolArray, FloatArray


def background_from(stack: FloatArray, usable: BoolArray) -> tuple[FloatArray, BoolArray]:
    """What the ground usually looks like: the lower median of the looks, pixel by pixel.

    The lower of two values is taken where their number is even, so that with two looks a cloud
    in one does not leave half of its brightness behind.

    Args:
        stack: the *other* looks, (looks, bands, height, width) in [0, 1].
        usable: (looks, height, width), as far as it is known; the valid mask at least.

    Returns:
        The background (bands, height, width) and where there is one (height, width).
    """
    if stack.ndim != 4 or usable.shape != (stack.shape[0], *stack.shape[2:]):
        raise ValueError(f"expected (n, b, h, w) and (n, h, w), got {stack.shape}, {usable.shape}")
    count = usable.sum(axis=0)
    ranked = np.sort(np.where(usable[:, None], stack, np.float32(np.inf)), axis=0)
    middle = np.maximum(count - 1, 0) // 2
    picked = np.take_along_axis(ranked, middle[None, None], axis=0)[0]
    valid = count > 0
    return np.where(valid, picked, np.float32(0.0)).astype(np.float32, copy=False), valid

"""Probabilities to one label per pixel: the rule that pixel scores use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundbreak.types import FloatArray

PIXEL_THRESHOLD = 0.5
"""A pixel counts as changed from this probability of *any* change on, unless told otherwise."""


def change_probability(probabilities: FloatArray) -> FloatArray:
    """Probability that anything changed.

    Args:
        probabilities: (4, height, width); channel 0 = none, then ``KINDS``.

    Returns:
        (height, width), one minus the first channel.
    """
    return np.float32(1.0) - probabilities[0]


def pixel_label(probabilities: FloatArray, threshold: float = PIXEL_THRESHOLD) -> NDArray[np.uint8]:
    """Label for pixel scores: changed where any change is likely enough, then the likeliest kind.

    With the default threshold this is the label of the largest softmax value, except where no
    change is the likeliest single class but all kinds together outweigh it.

    Args:
        probabilities: (4, height, width) softmax.
        threshold: of the probability of any change.

    Returns:
        (height, width) of ``types.MaskValue`` 0 to 3.
    """
    kind = 1 + probabilities[1:].argmax(axis=0)
    return np.where(change_probability(probabilities) >= threshold, kind, 0).astype(np.uint8)

"""Overlapping windows in, one seamless probability map out, block by block.

The windows lie on a lattice fixed by the map's shape, the window and the overlap alone, so the
result does not depend on how the work is cut into batches or tasks. Each window is weighted with
a smooth ramp towards its border, where a network sees the least context; the outermost
``margin`` pixels, touched by the network's padding, count only where no other window reaches
(at the border of the map). Held in memory are one window, and of the rows that the next windows
will share with those above the sums so far: the size of a map hardly matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from groundbreak.types import BoolArray, Box, FloatArray

CLASSES = 4
NEGLIGIBLE = np.float32(1e-6)

WINDOW_STEP = 32
"""The network pads its input to multiples of this."""

PredictPairs = Callable[[FloatArray, FloatArray], FloatArray]
"""(n, b, h, w) before and after → (n, 4, h, w) probabilities."""


@dataclass(frozen=True)
class StitchConfig:
    """How a map is cut into windows: pixels as the network sees them, windows per forward pass."""

    window: int = 1024
    overlap: int = 96
    margin: int = 16
    batch: int = 4

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.margin < self.overlap < self.window:
            raise ValueError(
                f"window {self.window}, overlap {self.overlap}, margin {self.margin}: "
                "expected 0 <= 2 * margin < overlap < window"
            )
        if self.batch < 1:
            raise ValueError(f"batch {self.batch}: expected at least 1")

    def scaled(self, factor: int) -> StitchConfig:
        """The same cut for a network that enlarges its input by ``factor``."""
        if factor == 1:
            return self
        margin = max(1, self.margin // factor)
        overlap = max(2 * margin + 2, self.overlap // factor)
        return StitchConfig(max(overlap + 8, self.window // factor), overlap, margin, self.batch)


ReadPair = Callable[[Box], tuple[FloatArray, FloatArray]]
"""Box → before and after (b, h, w)."""


@dataclass(frozen=True)
class Block:
    """A finished part of the map.

    ``probabilities`` (4, height, width), softmax, class 0 = no change; ``predicted`` (height,
    width) is False where no window was computed (there class 0 is 1).
    """

    box: Box
    probabilities: FloatArray
    predicted: BoolArray


def windows_along(length: int, window: int, overlap: int) -> list[slice]:
    """Windows of one size that cover ``length`` pixels and share at least ``overlap``.

    As few as will do, and then as small as will do (in steps of ``WINDOW_STEP``), so that no
    pixel is computed more often than it must be.
    """
    if length <= window:
        return [slice(0, length)]
    count = math.ceil((length - overlap) / (window - overlap))
    least = math.ceil((length + (count - 1) * overlap) / count)
    side = min(window, -(-least // WINDOW_STEP) * WINDOW_STEP)
    starts = [round(i * (length - side) / (count - 1)) for i in range(count)]
    return [slice(start, start + side) for start in starts]


def lattice(shape: tuple[int, int], config: StitchConfig) -> list[list[Box]]:
    """The windows of a (height, width) map, row by row."""
    rows, columns = (windows_along(side, config.window, config.overlap) for side in shape)
    return [[Box(y.start, y.stop, x.start, x.stop) for x in columns] for y in rows]


def ramp(length: int, config: StitchConfig) -> FloatArray:
    """Weights of one window along one axis: 0 in the margin, a smooth rise, 1 inside."""
    distance = np.minimum(np.arange(length), np.arange(length)[::-1]).astype(np.float32) + 0.5
    t = np.clip((distance - config.margin) / (config.overlap - 2 * config.margin), 0.0, 1.0)
    # Negligible instead of zero: at the border of the map the window is alone and must count.
    return np.maximum(t * t * (3.0 - 2.0 * t), NEGLIGIBLE).astype(np.float32)


def predict_blocks(
    predict: PredictPairs,
    read: ReadPair,
    shape: tuple[int, int],
    config: StitchConfig,
    needed: Callable[[Box], bool] = lambda _box: True,
    first_band: int = 0,
) -> Iterator[Block]:
    """Predict a map of any size in bounded memory, from left to right and top to bottom.

    What one row of windows finishes is a band of rows, made of a block for each window.

    Args:
        predict: the network, normalisation and softmax included.
        read: pixels of both dates in a window.
        shape: (height, width) of the map.
        config: windows and batch.
        needed: windows it answers False for are not read and not computed.
        first_band: resume with this band (counted from 0); the row of windows above is computed
            again because the band needs its lower part.

    Yields:
        Blocks that together cover the rows from the first band on once.
    """
    height, width = shape
    rows = lattice(shape, config)
    first_row = max(0, first_band - 1)
    boxes = [box for row in rows[first_row:] for box in row if needed(box)]
    wanted = set(boxes)
    answers = _predict_ahead(predict, read, boxes, config.batch)
    # Sums of weighted probabilities and, last, of weights.
    above = np.zeros((CLASSES + 1, 0, width), np.float32)
    for index, row in enumerate(rows[first_row:], start=first_row):
        end = rows[index + 1][0].y0 if index + 1 < len(rows) else height
        below = np.zeros((CLASSES + 1, row[0].y1 - end, width), np.float32)
        left = np.zeros((CLASSES + 1, row[0].shape[0], 0), np.float32)
        for box, right in zip(row, [*(following.x0 for following in row[1:]), width], strict=True):
            sums = np.zeros((CLASSES + 1, *box.shape), np.float32)
            begun = left.shape[2]
            sums[:, :, :begun] = left
            sums[:, : above.shape[1], begun:] = above[:, :, box.x0 + begun : box.x1]
            if box in wanted:
                _add(sums, next(answers), config)
            down, across = end - box.y0, right - box.x0
            below[:, :, box.x0 : right] = sums[:, down:, :across]
            left = sums[:, :, across:]
            if index >= first_band:
                yield _finish(Box(box.y0, end, box.x0, right), sums[:, :down, :across])
        above = below


def predict_scene(
    predict: PredictPairs, before: FloatArray, after: FloatArray, config: StitchConfig
) -> FloatArray:
    """Predict two pictures (b, height, width) held in memory.

    Returns:
        (4, height, width) softmax probabilities.

    Raises:
        ValueError: the pictures differ in shape.
    """
    if before.shape != after.shape or before.ndim != 3:
        raise ValueError(f"expected two (b, h, w) arrays, got {before.shape} and {after.shape}")

    def read(box: Box) -> tuple[FloatArray, FloatArray]:
        index = (slice(None), *box.slices)
        return before[index], after[index]

    shape = (before.shape[1], before.shape[2])
    probabilities = np.empty((CLASSES, *shape), np.float32)
    for block in predict_blocks(predict, read, shape, config):
        probabilities[:, *block.box.slices] = block.probabilities
    return probabilities


def _predict_ahead(
    predict: PredictPairs, read: ReadPair, boxes: Sequence[Box], batch: int
) -> Iterator[FloatArray]:
    """The answers for all windows; while one batch is computed, the next one is being read."""
    batches = [boxes[start : start + batch] for start in range(0, len(boxes), batch)]

    def load(some: Sequence[Box]) -> tuple[FloatArray, FloatArray]:
        pairs = [read(box) for box in some]
        if len(pairs) == 1:
            [(before, after)] = pairs
            return before[None], after[None]
        return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])

    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = [reader.submit(load, some) for some in batches[:1]]
        for following in range(1, len(batches) + 1):
            before, after = ahead.pop().result()
            ahead += [reader.submit(load, some) for some in batches[following : following + 1]]
            yield from predict(before, after)


def _add(sums: FloatArray, probabilities: FloatArray, config: StitchConfig) -> None:
    """Add a window's probabilities (4, height, width) to the sums under it."""
    height, width = probabilities.shape[1:]
    weight = np.outer(ramp(height, config), ramp(width, config))
    sums[:CLASSES] += probabilities * weight
    sums[CLASSES] += weight


def _finish(box: Box, sums: FloatArray) -> Block:
    weight = sums[CLASSES]
    predicted = weight > 0
    probabilities = sums[:CLASSES] / np.where(predicted, weight, np.float32(1))
    probabilities[0][~predicted] = 1
    return Block(box, probabilities.astype(np.float32, copy=False), predicted)

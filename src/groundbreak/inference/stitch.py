"""Overlapping windows in, one seamless probability map out, a band of rows at a time.

The windows lie on a lattice fixed by the map's shape, the window and the overlap alone, so the
result does not depend on how the work is cut into batches or tasks. Each window is weighted with
a smooth ramp towards its border, where a network sees the least context; the outermost
``margin`` pixels, touched by the network's padding, count only where no other window reaches
(at the border of the map). Only rows that are still open are held in memory.
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
    """How a map is cut into windows: pixels of the grid, and windows per forward pass."""

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
class RowBand:
    """Finished rows ``y0:y1`` of the map.

    ``probabilities`` (4, rows, width), softmax, class 0 = no change; ``predicted`` (rows, width)
    is False where no window was computed (there class 0 is 1).
    """

    y0: int
    y1: int
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


def predict_bands(
    predict: PredictPairs,
    read: ReadPair,
    shape: tuple[int, int],
    config: StitchConfig,
    needed: Callable[[Box], bool] = lambda _box: True,
    first_band: int = 0,
) -> Iterator[RowBand]:
    """Predict a map of any size in memory-bounded bands of finished rows, from top to bottom.

    Args:
        predict: the network, normalisation and softmax included.
        read: pixels of both dates in a window.
        shape: (height, width) of the map.
        config: windows and batch.
        needed: windows it answers False for are not read and not computed.
        first_band: resume with this band (counted from 0); the row of windows above is computed
            again because the band needs its lower part.

    Yields:
        Bands whose rows follow each other without gap.
    """
    height, width = shape
    rows = lattice(shape, config)
    total = np.zeros((CLASSES, min(config.window, height), width), np.float32)
    weight = np.zeros(total.shape[1:], np.float32)
    first_row = max(0, first_band - 1)
    top = rows[first_row][0].y0
    predicted = _predict_ahead(predict, read, rows[first_row:], needed, config.batch)
    for index, windows in zip(range(first_row, len(rows)), predicted, strict=True):
        for box, probabilities in windows:
            window_weight = np.outer(ramp(box.y1 - box.y0, config), ramp(box.x1 - box.x0, config))
            inside = (slice(box.y0 - top, box.y1 - top), slice(box.x0, box.x1))
            total[(slice(None), *inside)] += probabilities * window_weight
            weight[inside] += window_weight
        end = rows[index + 1][0].y0 if index + 1 < len(rows) else height
        done = end - top
        if index >= first_band:
            yield _finish(top, total[:, :done], weight[:done])
        total = _roll(total, done)
        weight = _roll(weight, done)
        top = end


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
    bands = predict_bands(predict, read, shape, config)
    return np.concatenate([band.probabilities for band in bands], axis=1)


def _predict_ahead(
    predict: PredictPairs,
    read: ReadPair,
    rows: Sequence[Sequence[Box]],
    needed: Callable[[Box], bool],
    batch: int,
) -> Iterator[list[tuple[Box, FloatArray]]]:
    """Predict row by row; while one batch is computed, the next one is being read."""
    chunks: list[tuple[int, list[Box]]] = []
    for index, boxes in enumerate(rows):
        wanted = [box for box in boxes if needed(box)]
        chunks += [(index, wanted[i : i + batch]) for i in range(0, len(wanted), batch)]

    def load(chunk: list[Box]) -> tuple[FloatArray, FloatArray]:
        pairs = [read(box) for box in chunk]
        return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])

    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = reader.submit(load, chunks[0][1]) if chunks else None
        position = 0
        for index in range(len(rows)):
            done: list[tuple[Box, FloatArray]] = []
            while ahead is not None and position < len(chunks) and chunks[position][0] == index:
                before, after = ahead.result()
                boxes = chunks[position][1]
                position += 1
                if position < len(chunks):
                    ahead = reader.submit(load, chunks[position][1])
                done += zip(boxes, predict(before, after), strict=True)
            yield done


def _finish(top: int, total: FloatArray, weight: FloatArray) -> RowBand:
    predicted = weight > 0
    probabilities = total / np.where(predicted, weight, 1)
    probabilities[0][~predicted] = 1
    return RowBand(top, top + total.shape[1], probabilities.astype(np.float32), predicted)


def _roll(array: FloatArray, done: int) -> FloatArray:
    """Drop ``done`` finished rows and open as many empty ones at the bottom."""
    rolled = np.zeros_like(array)
    kept = array.shape[-2] - done
    if kept > 0:
        rolled[..., :kept, :] = array[..., done:, :]
    return rolled

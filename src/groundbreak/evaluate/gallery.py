"""Pictures of the worst tiles: before, after, label and prediction side by side."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from groundbreak.atomic import atomic_path
from groundbreak.pairs.index import PairArrays
from groundbreak.types import BoolArray, FloatArray, MaskValue

TILE_PX = 256
SHOWN_PX = 256
"""Small tiles are magnified to about this size."""

# The kinds as on the report's page.
COLOURS = {
    MaskValue.NONE: (24, 24, 28),
    MaskValue.NEW_BUILDING: (232, 89, 12),
    MaskValue.DEMOLITION: (25, 113, 194),
    MaskValue.DOCKING_SLIP: (12, 166, 120),
    MaskValue.UNKNOWN_DIRECTION: (230, 204, 70),
    MaskValue.IGNORE: (110, 110, 116),
}

Picture = NDArray[np.uint8]


@dataclass(frozen=True, order=True)
class WorstTile:
    """A tile and the number of its pixels that are wrong; ``picture`` (height, width, 3)."""

    wrong_px: int
    name: str
    picture: Picture = field(compare=False)


@dataclass
class WorstTiles:
    """The tiles with the most wrong pixels of a set; keeps ``limit`` small pictures."""

    limit: int = 6
    _heap: list[WorstTile] = field(default_factory=list)

    def add(self, name: str, pair: PairArrays, label: Picture, wrong: BoolArray) -> None:
        """Offer the tiles of a scene.

        Args:
            name: of the scene.
            pair: its pixels.
            label: predicted label (height, width).
            wrong: (height, width).
        """
        height, width = wrong.shape
        whole = height <= TILE_PX and width <= TILE_PX
        for y in range(0, height, TILE_PX):
            for x in range(0, width, TILE_PX):
                window = (slice(y, y + TILE_PX), slice(x, x + TILE_PX))
                count = int(wrong[window].sum())
                full = len(self._heap) == self.limit
                if count == 0 or (full and count <= self._heap[0].wrong_px):
                    continue
                where = name if whole else f"{name}, row {y}, column {x}"
                tile = WorstTile(count, where, _picture(pair, label, window))
                if full:
                    heapq.heapreplace(self._heap, tile)
                else:
                    heapq.heappush(self._heap, tile)

    def worst_first(self) -> list[WorstTile]:
        """The kept tiles."""
        return sorted(self._heap, key=lambda tile: (-tile.wrong_px, tile.name))


def save_picture(path: Path, picture: Picture) -> None:
    """Write a picture as PNG, atomically."""
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def wrong_pixels(truth: Picture, said: Picture) -> BoolArray:
    """Where a prediction is wrong: changed or not, or the kind where the truth knows it."""
    wrong = (truth != said) & (truth != MaskValue.IGNORE)
    wrong[(truth == MaskValue.UNKNOWN_DIRECTION) & (said > 0)] = False
    return wrong


def paint(label: Picture) -> Picture:
    """A label (height, width) as colours (height, width, 3)."""
    table = np.zeros((256, 3), np.uint8)
    for value, colour in COLOURS.items():
        table[value] = colour
    return table[label]


def _picture(pair: PairArrays, label: Picture, window: tuple[slice, slice]) -> Picture:
    rgb = pair.shown
    before, after = (
        stretch(image[rgb][(slice(None), *window)]) for image in (pair.before, pair.after)
    )
    panels = [before, after, paint(pair.label[window]), paint(label[window])]
    factor = max(1, SHOWN_PX // max(before.shape[:2]))
    panels = [panel.repeat(factor, axis=0).repeat(factor, axis=1) for panel in panels]
    gap = np.full((panels[0].shape[0], 4, 3), 255, np.uint8)
    parts = [part for panel in panels for part in (panel, gap)]
    return np.concatenate(parts[:-1], axis=1)


def stretch(image: FloatArray) -> Picture:
    """Reflectance (3, height, width) to an RGB picture, its middle 96 % to full contrast."""
    data = image.max(axis=0) > 0
    low, high = np.percentile(image[:, data], [2, 98]) if data.any() else (0.0, 1.0)
    scaled = np.clip((image - low) / max(high - low, 1e-3), 0, 1)
    return (np.moveaxis(scaled, 0, 2) * 255).astype(np.uint8)

"""Where the numbers of events stand on a map: beside their outlines, and never on each other.

The page has no script, and its map is as wide as the window lets it be, but letters keep their
size. So places are found for some widths of the map, and given in shares of it: on a map that is
wider than that they only move apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

WIDTHS = (640, 450, 280)
"""Of a map, in CSS pixels, for which places are found. The last fits a phone."""
DIGIT, HIGH = 7.7, 12.0
"""Size of a digit in CSS pixels, with air; the style sheet's letters must not be larger."""
DISTANCES = (2.0, 8.0, 16.0, 26.0, 38.0, 52.0, 70.0)
"""Between outline and number, in CSS pixels."""
DIRECTIONS = 16
COVERING = 1.5
"""Pixels of distance that it is worth not to cover a pixel's width of other outlines."""
NEAR, CLEAR = 5.0, 4.0
"""A number so near to its outline, and so much nearer than to others, needs no line to it."""
MOST = 500
"""Numbers on a map."""

Boxes = NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """A number and its line, in per cent of the map's width and height.

    ``index`` is that of the outline; the line leads from (x0, y0) inside of it to the number, whose
    middle is (x, y). ``near``: there is no doubt whose number it is, and it needs none.
    """

    index: int
    x: float
    y: float
    x0: float
    y0: float
    near: bool


def place_labels(
    outlines: Sequence[BaseGeometry],
    digits: Sequence[int],
    size: tuple[float, float],
    width: float,
) -> list[Label]:
    """Places of numbers, those of the first outlines nearest to them.

    Numbers for which there is no room are left out.

    Args:
        outlines: in pixels of the grid.
        digits: how many each number has.
        size: width and height of the grid in pixels.
        width: of the map, in CSS pixels.
    """
    scale = width / size[0]
    height = size[1] * scale
    shapes = shapely.transform(np.asarray(outlines, object), lambda xy: xy * scale)
    shapely.prepare(shapes)
    found = shapely.bounds(shapes).reshape(-1, 4)
    taken = np.empty((0, 4))
    labels = []
    for index, box in enumerate(found[:MOST]):
        half = np.array([DIGIT * digits[index] / 2, HIGH / 2])
        best, least = None, np.inf
        for ring in DISTANCES:
            if ring >= least:  # nothing better is so far away
                break
            boxes = _candidates(box, half, ring)
            free = _inside(boxes, width, height) & ~(_shared(boxes, taken) > 0).any(axis=1)
            boxes = boxes[free]
            if not len(boxes):
                continue
            others = found[_others(found, index, boxes)]
            covered = _shared(boxes, others).sum(axis=1) / HIGH
            cost = shapely.distance(shapes[index], shapely.box(*boxes.T)) + COVERING * covered
            if cost.min() < least:
                best, least = boxes[np.argmin(cost)], cost.min()
        if best is None:
            continue
        taken = np.vstack([taken, best])
        inside = shapely.point_on_surface(shapes[index])
        middle = (best[:2] + best[2:]) / 2
        place = 100 * np.array([*middle, inside.x, inside.y]) / [width, height, width, height]
        around = _others(found, index, best[None] + np.array([-1, -1, 1, 1]) * (NEAR + CLEAR))
        near = _near(best, shapes[index], shapes[around])
        x, y, x0, y0 = (round(float(part), 2) for part in place)
        labels.append(Label(index, x, y, x0, y0, near))
    return labels


def _near(box: NDArray[np.float64], own: BaseGeometry, others: NDArray[np.object_]) -> bool:
    """Whether it is plain that a number belongs to its outline."""
    number = shapely.box(*box)
    distance = shapely.distance(own, number)
    to_others = shapely.distance(others, number)
    return bool(distance <= NEAR and (to_others >= distance + CLEAR).all())


def _candidates(box: NDArray[np.float64], half: NDArray[np.float64], distance: float) -> Boxes:
    """Boxes (n, 4) of a number around an outline, so far from its frame."""
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    ways = np.column_stack([np.cos(angles), np.sin(angles)])
    # On the frame around the outline, not on a circle: beside a long one, not far away from it.
    ways /= np.abs(ways).max(axis=1, keepdims=True)
    middle, reach = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 + half
    middles = middle + ways * (reach + distance)
    return np.hstack([middles - half, middles + half])


def _others(found: Boxes, index: int, boxes: Boxes) -> NDArray[np.bool_]:
    """Which outlines but that of ``index`` numbers in ``boxes`` can reach."""
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    close = (found[:, 2:] > low).all(axis=1) & (found[:, :2] < high).all(axis=1)
    close[index] = False
    return np.asarray(close)


def _inside(boxes: Boxes, width: float, height: float) -> NDArray[np.bool_]:
    return np.asarray(
        (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2] <= width) & (boxes[:, 3] <= height)
    )


def _shared(boxes: Boxes, others: Boxes) -> Boxes:
    """Areas that boxes (n, 4) have in common with others (m, 4), as (n, m)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))

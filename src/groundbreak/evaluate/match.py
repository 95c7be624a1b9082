"""One-to-one matching of objects, in pictures and in lists of scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from groundbreak.types import BoolArray

EIGHT_CONNECTED = np.ones((3, 3), dtype=int)

MATCH_REWARD = 100.0
"""What one more match is worth beside its score; SCOT's value (solaris ``eval/scot.py``)."""

ObjectMap = NDArray[np.int32]
"""(height, width): objects numbered from 1, 0 where there is none."""

Scored = tuple[int, int, float]
"""(index of a truth, index of a prediction, score)."""


@dataclass(frozen=True)
class ObjectCounts:
    """Objects found, invented and missed."""

    found: int = 0
    invented: int = 0
    missed: int = 0

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(
            self.found + other.found, self.invented + other.invented, self.missed + other.missed
        )


@dataclass(frozen=True)
class Overlaps:
    """Objects of two pictures and how they overlap.

    ``truth_px`` and ``said_px`` are areas in pixels of the objects, counted from 0;
    ``ious`` holds every overlapping couple. ``optional`` marks true objects that need not be
    found (and do not count if they are).
    """

    truth_px: NDArray[np.int64]
    said_px: NDArray[np.int64]
    ious: tuple[Scored, ...]
    optional: BoolArray

    def count(self, iou: float) -> ObjectCounts:
        """Match one-to-one at an IoU of at least ``iou`` (the Hungarian method) and count."""
        matches = match([scored for scored in self.ious if scored[2] >= iou])
        found = sum(not self.optional[truth] for truth, _, _ in matches)
        return ObjectCounts(
            found=found,
            invented=len(self.said_px) - len(matches),
            missed=int((~self.optional).sum()) - found,
        )

    @property
    def strays(self) -> int:
        """Predicted objects that touch no true one."""
        return len(self.said_px) - len({said for _, said, _ in self.ious})


def match(candidates: Iterable[Scored]) -> list[Scored]:
    """Choose couples one-to-one: as many as possible, then the largest sum of scores.

    The assignment is solved per connected group of candidates, so that its cost follows the
    crowding and not the number of objects.

    Args:
        candidates: couples that may be matched at all; scores in [0, 1].

    Returns:
        The chosen couples, ordered by truth.
    """
    couples = list(candidates)
    if not couples:
        return []
    truths = sorted({truth for truth, _, _ in couples})
    predictions = sorted({predicted for _, predicted, _ in couples})
    row = {truth: i for i, truth in enumerate(truths)}
    column = {predicted: len(truths) + i for i, predicted in enumerate(predictions)}
    size = len(truths) + len(predictions)
    edges = ([row[t] for t, _, _ in couples], [column[p] for _, p, _ in couples])
    graph = sparse.coo_array((np.ones(len(couples)), edges), shape=(size, size))
    _, group = connected_components(graph, directed=False)
    by_group: dict[int, list[Scored]] = {}
    for couple in couples:
        by_group.setdefault(int(group[row[couple[0]]]), []).append(couple)
    return sorted(chosen for part in by_group.values() for chosen in _assign(part))


def _assign(couples: Sequence[Scored]) -> list[Scored]:
    if len(couples) == 1:
        return list(couples)
    truths = sorted({truth for truth, _, _ in couples})
    predictions = sorted({predicted for _, predicted, _ in couples})
    reward = np.zeros((len(truths), len(predictions)))
    for truth, predicted, score in couples:
        reward[truths.index(truth), predictions.index(predicted)] = MATCH_REWARD + score
    rows, columns = linear_sum_assignment(reward, maximize=True)
    return [
        (truths[i], predictions[j], float(reward[i, j] - MATCH_REWARD))
        for i, j in zip(rows, columns, strict=True)
        if reward[i, j] > 0
    ]


def label_objects(mask: BoolArray) -> ObjectMap:
    """Number the 8-connected components of a mask from 1."""
    return ndimage.label(mask, structure=EIGHT_CONNECTED)[0].astype(np.int32, copy=False)


def overlaps(truth: ObjectMap, said: ObjectMap, ignored: BoolArray, min_px: float = 1) -> Overlaps:
    """Measure how the objects of two pictures overlap.

    Ignored pixels belong to no object's area; a predicted object with more than half of its
    area there is dropped, since nobody knows whether it is true. Predicted objects smaller than
    ``min_px`` are dropped and true ones of that size are optional: at this operating point they
    are never said.

    Args:
        truth: (height, width) objects numbered from 1, 0 elsewhere and in ignored pixels.
        said: (height, width) predicted objects numbered from 1.
        ignored: (height, width), pixels whose truth is unknown.
        min_px: smallest area in pixels.

    Returns:
        The objects and all couples that overlap.
    """
    true_count, said_count = int(truth.max(initial=0)), int(said.max(initial=0))
    truth_px = np.bincount(truth.ravel(), minlength=true_count + 1)[1:]
    whole_px = np.bincount(said.ravel(), minlength=said_count + 1)[1:]
    known_px = np.bincount(said[~ignored], minlength=said_count + 1)[1:]
    kept = (whole_px >= max(min_px, 1)) & (2 * known_px >= whole_px)
    renumbered = np.cumsum(kept) - 1
    both = (truth > 0) & (said > 0)
    couples, shared = np.unique(np.stack([truth[both], said[both]]), axis=1, return_counts=True)
    ious = tuple(
        (int(t - 1), int(renumbered[p - 1]), float(n / (truth_px[t - 1] + known_px[p - 1] - n)))
        for (t, p), n in zip(couples.T, shared, strict=True)
        if kept[p - 1]
    )
    return Overlaps(truth_px, known_px[kept], ious, truth_px < min_px)

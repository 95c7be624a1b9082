"""Do the splits of a data set share ground? A score on ground seen in training is worth nothing.

Three ways to notice: the same picture, footprints that overlap or touch (where files are
georeferenced), and scenes that were cut side by side out of one picture, whose edges continue one
another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from shapely.geometry.base import BaseGeometry

from groundbreak.errors import DataError
from groundbreak.pairs.index import PairArrays, PairRecord, read_pair
from groundbreak.raster.read import inspect
from groundbreak.types import FloatArray

EDGE_SAMPLES = 256
"""Edges of less than half as many pixels are not compared: they match by chance."""

EDGE_LIKENESS = 0.55
"""Correlation of two edges, the lower of both dates, that only neighbours of one picture reach.

Of 781 scenes, real ones of four sensors and rendered ones, three quarters of the neighbours reach
it, and of the others none 0.45."""

EDGE_CLIP = 3.0
"""In robust standard deviations (1.4826 times the median absolute deviation)."""

OPPOSITE = ((0, 1), (2, 3))
"""Top continues bottom, left continues right: positions in ``Fingerprint.edges``."""


SLIVER = 1e-4
"""Share of a footprint up to which an overlap is rounding: tiles side by side share an edge."""

TOUCH_DEG = 1e-6
"""Footprints nearer to each other, some decimetres, share an edge."""

BLANK = ""
"""Digest of a picture of one colour, as of a date without data: it is nobody's."""


@dataclass(frozen=True)
class Fingerprint:
    """What is compared of a scene; ``split`` is the part it plays.

    ``edges`` (2 dates, 4 edges, samples): top, bottom, left, right, of zero mean and unit length;
    all 0 where an edge has too little to be told by.
    """

    record: PairRecord
    split: str
    digests: tuple[str, str]
    footprint: BaseGeometry | None
    edges: FloatArray


@dataclass(frozen=True)
class Leak:
    """Two scenes of different splits that share ground, or lie side by side (``touching``)."""

    first: PairRecord
    second: PairRecord
    reason: str
    touching: bool = False

    def __str__(self) -> str:
        return f"{self.first.name} and {self.second.name}: {self.reason}"


def check_splits(records: Iterable[PairRecord]) -> None:
    """Refuse records whose splits share ground.

    Raises:
        DataError: they do, or a picture cannot be read.
    """
    refuse_leaks([fingerprint(record, read_pair(record), record.split) for record in records])


def refuse_leaks(prints: Sequence[Fingerprint], touching: Collection[str] = ()) -> None:
    """As ``check_splits``, for scenes that were read already.

    Args:
        prints: of the scenes, with the part each plays.
        touching: names of sets whose own splits may lie side by side.

    Raises:
        DataError: two of them play different parts and share ground.
    """
    leaks = [leak for leak in find_leaks(prints) if not _accepted(leak, touching)]
    if leaks:
        more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
        raise DataError(leaks[0].first.set, f"splits share ground: {leaks[0]}{more}")


def _accepted(leak: Leak, touching: Collection[str]) -> bool:
    one_set = leak.first.set == leak.second.set
    return leak.touching and one_set and leak.first.set in touching


def fingerprint(record: PairRecord, pair: PairArrays, split: str) -> Fingerprint:
    """What is compared of a scene, from its decoded pixels."""
    dates = (pair.before, pair.after)
    return Fingerprint(
        record,
        split,
        digests=(_digest(pair.before), _digest(pair.after)),
        footprint=inspect(record.before).footprint,
        edges=np.stack([[_signature(edge) for edge in _edges(image)] for image in dates]),
    )


def find_leaks(prints: Sequence[Fingerprint]) -> list[Leak]:
    """Every two scenes of different splits that share ground."""
    leaks = []
    likeness = _likeness(prints)
    for (i, first), (j, second) in combinations(enumerate(prints), 2):
        if first.split == second.split:
            continue
        if (set(first.digests) & set(second.digests)) - {BLANK}:
            leaks.append(Leak(first.record, second.record, "the same picture"))
        elif _overlap(first.footprint, second.footprint):
            leaks.append(Leak(first.record, second.record, "their footprints overlap"))
        elif _touch(first.footprint, second.footprint):
            leaks.append(Leak(first.record, second.record, "their footprints touch", touching=True))
        elif likeness[i, j] >= EDGE_LIKENESS and not _placed(first, second):
            reason = "cut side by side out of one picture"
            leaks.append(Leak(first.record, second.record, reason, touching=True))
    return leaks


def _digest(image: FloatArray) -> str:
    if image.min() == image.max():
        return BLANK
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _overlap(first: BaseGeometry | None, second: BaseGeometry | None) -> bool:
    if first is None or second is None:
        return False
    shared = first.intersection(second).area
    return bool(shared > SLIVER * min(first.area, second.area))


def _touch(first: BaseGeometry | None, second: BaseGeometry | None) -> bool:
    return first is not None and second is not None and bool(first.distance(second) < TOUCH_DEG)


def _placed(first: Fingerprint, second: Fingerprint) -> bool:
    """Both footprints are known: what does not overlap then only looks alike."""
    return first.footprint is not None and second.footprint is not None


def _edges(image: FloatArray) -> tuple[NDArray[np.floating], ...]:
    grey = image[:3].mean(axis=0)
    return grey[0], grey[-1], grey[:, 0], grey[:, -1]


def _signature(edge: NDArray[np.floating]) -> FloatArray:
    """Resample an edge, take its slow changes away, and scale it to unit length."""
    if len(edge) < EDGE_SAMPLES // 2:
        return np.zeros(EDGE_SAMPLES, np.float32)
    at = np.linspace(0, len(edge) - 1, EDGE_SAMPLES)
    values = np.interp(at, np.arange(len(edge)), edge)
    # Median and bound: one bright roof on either edge must not decide alone.
    detail = values - median_filter(values, 33, mode="nearest")
    bound = EDGE_CLIP * 1.4826 * float(np.median(np.abs(detail)))
    detail = np.clip(detail, -bound, bound)
    detail -= detail.mean()
    length = float(np.linalg.norm(detail))
    if length < 0.01 * EDGE_SAMPLES**0.5:
        return np.zeros(EDGE_SAMPLES, np.float32)
    return (detail / length).astype(np.float32)


def _likeness(prints: Sequence[Fingerprint]) -> FloatArray:
    """(n, n): the best match of opposite edges, taking the worse of the two dates."""
    best = np.zeros((len(prints), len(prints)), np.float32)
    if not prints:
        return best
    edges = np.stack([scene.edges for scene in prints])  # (n, 2, 4, samples)
    for one, other in OPPOSITE:
        match = np.minimum(*(edges[:, date, one] @ edges[:, date, other].T for date in (0, 1)))
        best = np.maximum(best, np.maximum(match, match.T))
    return best

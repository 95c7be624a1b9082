"""From the probabilities of one scene to counts, and from the counts of many to scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.evaluate.match import ObjectCounts, label_objects, overlaps
from groundbreak.evaluate.metrics import (
    TARGETS,
    IntArray,
    ProbabilityHistogram,
    bootstrap,
    confusion,
    score,
    target_counts,
    wrong_direction,
)
from groundbreak.evaluate.objects import all_objects, least_px, said_objects
from groundbreak.events.vectorize import VectorConfig
from groundbreak.labels import change_probability
from groundbreak.types import KINDS, FloatArray, MaskValue

IOUS = (0.25, 0.5)

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class SceneCounts:
    """What counting one scene left: enough for every score but the curves.

    ``matrix`` (5, 4) is the confusion matrix; ``objects`` are counts by IoU and target.
    ``said`` counts predicted objects of any kind and ``strays`` those of them that touch no
    labelled change. ``km2`` is the ground that the label knows, None without a GSD.
    """

    set: str
    scene: str
    matrix: IntArray
    objects: Mapping[float, Mapping[str, ObjectCounts]]
    said: int
    strays: int
    gsd_m: float | None
    km2: float | None

    @property
    def changed(self) -> bool:
        """Whether the label knows any change."""
        return bool(self.matrix[1:].sum())


@dataclass
class Tally:
    """The counts of several scenes."""

    scenes: list[SceneCounts] = field(default_factory=list)
    histograms: dict[str, ProbabilityHistogram] = field(
        default_factory=lambda: {target: ProbabilityHistogram() for target in TARGETS}
    )

    def add(self, scene: SceneCounts, truth: Labels, probabilities: FloatArray) -> None:
        """Add a scene that was counted."""
        self.scenes.append(scene)
        known = truth != MaskValue.IGNORE
        changed = truth != MaskValue.NONE
        self.histograms["change"].update(change_probability(probabilities), changed, known)
        known &= truth != MaskValue.UNKNOWN_DIRECTION
        for kind in KINDS:
            value = kind.value_in_mask
            self.histograms[kind].update(probabilities[value], truth == value, known)

    def merge(self, other: Tally) -> None:
        """Add the scenes of another tally."""
        self.scenes += other.scenes
        for target in TARGETS:
            self.histograms[target].merge(other.histograms[target])


def count_scene(
    name: tuple[str, str],
    truth: Labels,
    probabilities: FloatArray,
    said: Labels,
    config: VectorConfig,
    gsd_m: float | None,
) -> SceneCounts:
    """Count pixels and objects of one scene.

    Args:
        name: set and scene.
        truth: (height, width) of ``types.MaskValue``.
        probabilities: (4, height, width), for objects.
        said: (height, width) of ``types.MaskValue`` 0 to 3, for pixels; see ``labels.pixel_label``.
        config: the operating point objects are cut at.
        gsd_m: size of a pixel, None if unknown.
    """
    patches = said_objects(probabilities, config, gsd_m)
    together = all_objects(patches)
    ignored = truth == MaskValue.IGNORE
    unknown = ignored | (truth == MaskValue.UNKNOWN_DIRECTION)
    smallest = min(least_px(config, kind, gsd_m) for kind in KINDS)
    changed = label_objects((truth != MaskValue.NONE) & ~ignored)
    of_any = overlaps(changed, together, ignored, smallest)
    by_target = {"change": of_any} | {
        kind: overlaps(
            label_objects(truth == kind.value_in_mask),
            patches[kind],
            unknown,
            least_px(config, kind, gsd_m),
        )
        for kind in KINDS
    }
    return SceneCounts(
        *name,
        matrix=confusion(truth, said),
        objects={
            iou: {target: found.count(iou) for target, found in by_target.items()} for iou in IOUS
        },
        said=len(of_any.said_px),
        strays=of_any.strays,
        gsd_m=gsd_m,
        km2=None if gsd_m is None else float((~ignored).sum()) * gsd_m**2 / 1e6,
    )


def summarise(tally: Tally) -> dict[str, Any]:
    """All scores of a tally as a JSON document; None where there is no truth."""
    matrices = np.stack([scene.matrix for scene in tally.scenes])
    counts = target_counts(matrices)
    change = tally.histograms["change"]
    gsds = {scene.gsd_m for scene in tally.scenes}
    quiet = [scene for scene in tally.scenes if not scene.changed]
    return {
        "scenes": len(tally.scenes),
        "gsd_m": gsds.pop() if len(gsds) == 1 else None,
        "pixel": {target: score(counts[target].sum(axis=0)) for target in TARGETS},
        "object": {
            str(iou): {target: _object_score(tally.scenes, iou, target) for target in TARGETS}
            for iou in IOUS
        },
        "average_precision": {
            target: tally.histograms[target].average_precision() for target in TARGETS
        },
        "ece": change.calibration_error(),
        "reliability": change.reliability(),
        "wrong_direction": wrong_direction(matrices.sum(axis=0)),
        "bootstrap": {
            "level": 0.95,
            "resamples": 1000,
            "pixel": {target: bootstrap(counts[target]) for target in TARGETS},
            "object": {
                str(iou): {
                    target: {"f1": bootstrap(_object_counts(tally.scenes, iou, target))["f1"]}
                    for target in TARGETS
                }
                for iou in IOUS
            },
        },
        "false_objects_per_km2": _per_km2(quiet, [scene.said for scene in quiet]),
        "unchanged_km2": _km2(quiet),
        "stray_objects_per_km2": _per_km2(tally.scenes, [scene.strays for scene in tally.scenes]),
        "km2": _km2(tally.scenes),
    }


def curves(tally: Tally, points: int = 100) -> dict[str, Any]:
    """Precision-recall curves by target, thinned to ``points`` thresholds; None without truth."""
    result: dict[str, Any] = {}
    for target in TARGETS:
        curve = tally.histograms[target].curve()
        result[target] = curve and {
            name: [round(float(v), 6) for v in values[:: len(values) // points]]
            for name, values in curve.items()
        }
    return result


def _object_counts(scenes: Sequence[SceneCounts], iou: float, target: str) -> IntArray:
    rows = [scene.objects[iou][target] for scene in scenes]
    return np.array([(row.found, row.invented, row.missed) for row in rows], dtype=np.int64)


def _object_score(scenes: Iterable[SceneCounts], iou: float, target: str) -> dict[str, Any]:
    total = reduce(add, (scene.objects[iou][target] for scene in scenes))
    result: dict[str, Any] = score(np.array([total.found, total.invented, total.missed]))
    del result["iou"]
    return result | {"found": total.found, "invented": total.invented, "missed": total.missed}


def _km2(scenes: Sequence[SceneCounts]) -> float | None:
    known = [scene.km2 for scene in scenes if scene.km2 is not None]
    return sum(known) if known else None


def _per_km2(scenes: Sequence[SceneCounts], counts: Sequence[int]) -> float | None:
    """Objects per km² over the scenes whose area is known."""
    area = _km2(scenes)
    if not area:
        return None
    return sum(n for scene, n in zip(scenes, counts, strict=True) if scene.km2 is not None) / area

"""Predicted objects, cut out of probabilities as detection cuts its polygons."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from groundbreak.evaluate.match import ObjectMap
from groundbreak.events.split import split_component
from groundbreak.events.vectorize import VectorConfig
from groundbreak.types import KINDS, BoolArray, FloatArray, Kind


def said_objects(
    probabilities: FloatArray, config: VectorConfig, gsd_m: float | None
) -> dict[Kind, ObjectMap]:
    """Objects at the operating point: hysteresis, least area and splitting as in ``events``.

    Args:
        probabilities: (4, height, width) softmax; channel 0 = none, then ``KINDS``.
        config: thresholds and least areas.
        gsd_m: size of a pixel; without it no object is too small.

    Returns:
        Numbered objects by kind; the kinds do not overlap.
    """
    strongest = probabilities[1:].argmax(axis=0)
    return {
        kind: _cut(
            probabilities[kind.value_in_mask],
            strongest == index,
            kind,
            config,
            least_px(config, kind, gsd_m),
        )
        for index, kind in enumerate(KINDS)
    }


def least_px(config: VectorConfig, kind: Kind, gsd_m: float | None) -> float:
    """Least area of an object in pixels; 1 where the size of a pixel is unknown."""
    return 1.0 if gsd_m is None else config.min_area_m2[kind] / gsd_m**2


def all_objects(objects: dict[Kind, ObjectMap]) -> ObjectMap:
    """The objects of all kinds in one picture, numbered through."""
    together = np.zeros_like(objects[KINDS[0]])
    for kind in KINDS:
        numbered = objects[kind]
        together = np.where(numbered > 0, numbered + together.max(initial=0), together)
    return together


def _cut(
    values: FloatArray, strongest: BoolArray, kind: Kind, config: VectorConfig, least: float
) -> ObjectMap:
    threshold = config.thresholds[kind]
    patches, count = ndimage.label(strongest & (values >= threshold * config.low_ratio))
    objects = np.zeros(values.shape, np.int32)
    if count == 0:
        return objects
    peaks = ndimage.maximum(values, patches, np.arange(1, count + 1))
    number = 0
    for patch, (peak, window) in enumerate(
        zip(np.atleast_1d(peaks), ndimage.find_objects(patches), strict=True), start=1
    ):
        mask = patches[window] == patch
        if peak < threshold or mask.sum() < least:
            continue
        parts = None
        if kind is not Kind.DOCKING_SLIP:
            parts = split_component(values[window], mask, least)
        if parts is None:
            parts = mask.astype(np.int32)
        for part in range(1, int(parts.max()) + 1):
            own = parts == part
            if own.sum() >= least and values[window][own].max() >= threshold:
                number += 1
                objects[window][own] = number
    return objects

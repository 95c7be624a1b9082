"""Labelled pairs through the inference engine: which can be used, and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional as F

from groundbreak.inference.choose import EngineChoice, open_engine
from groundbreak.inference.engine import Engine, Statistics
from groundbreak.inference.stitch import StitchConfig, predict_scene
from groundbreak.model.card import Card
from groundbreak.model.network import measure
from groundbreak.pairs.index import PairArrays
from groundbreak.types import FloatArray

GSD_SLACK = 0.05
"""A GSD may lie outside the card's range by this share: 9.85 m is 10 m to a network."""

STANDS_IN = {"nir": "red"}
"""What the network saw in training where a band was missing."""

FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
"""Axes of the test-time flips."""


@dataclass(frozen=True)
class Predictor:
    """An engine for whole scenes of labelled pairs.

    Attributes:
        engine: the network on its processor.
        flips: average over the scene and its mirror images.
        cut: how scenes larger than a window are cut.
    """

    engine: Engine
    flips: bool = False
    cut: StitchConfig = field(default_factory=StitchConfig)

    @property
    def card(self) -> Card:
        """The card of the weights."""
        return self.engine.card

    def __call__(self, pair: PairArrays) -> FloatArray:
        """Probabilities (4, height, width) of a pair whose bands the card can use.

        Pixels clearly finer than the card's ``finest_gsd_m`` are averaged to it, as detection does
        by its grid; the answer is interpolated back.
        """
        before, after = (
            arrange(image, pair.bands, self.card) for image in (pair.before, pair.after)
        )
        size = before.shape[1:]
        gsd_m = pair.gsd_m and self.card.working_gsd_m(pair.gsd_m)
        if gsd_m and pair.gsd_m and gsd_m > pair.gsd_m:
            smaller = tuple(max(1, round(side * pair.gsd_m / gsd_m)) for side in size)
            before, after = (_averaged(image, smaller) for image in (before, after))
        zoom = self.card.magnification(gsd_m)
        axes = FLIPS if self.flips else FLIPS[:1]
        total = np.zeros((4, *before.shape[1:]), np.float32)
        for flip in axes:
            answer = self._scene(np.flip(before, flip), np.flip(after, flip), zoom)
            total += np.flip(answer, flip)
        total /= len(axes)
        return total if total.shape[1:] == size else _interpolated(total, size)

    def _scene(self, before: FloatArray, after: FloatArray, zoom: int) -> FloatArray:
        cut = self.cut.scaled(zoom)
        if max(before.shape[1:]) <= cut.window:
            return self.engine.predict(before[None], after[None], zoom=zoom)[0]
        mean, spread = measure(*(torch.from_numpy(image.copy())[None] for image in (before, after)))
        whole = Statistics(mean[0].numpy(), spread[0].numpy())

        def predict(earlier: FloatArray, later: FloatArray) -> FloatArray:
            return self.engine.predict(earlier, later, whole, zoom)

        return predict_scene(predict, before, after, cut)


def open_predictor(
    weights: str, device: str = "auto", *, flips: bool = False, engine: str = "torch"
) -> Predictor:
    """Load weights into an engine.

    Raises:
        WeightsError: the weights cannot be used.
        ConfigError: there is no such device or engine.
    """
    return Predictor(open_engine(weights, EngineChoice(engine, device)), flips)


def refusal(card: Card, bands: Sequence[str], gsd_m: float | None) -> str | None:
    """Why weights cannot be used on a pair; None if they can. An unknown GSD is no reason."""
    low, high = card.gsd_m
    if gsd_m is not None and not low * (1 - GSD_SLACK) <= gsd_m <= high * (1 + GSD_SLACK):
        return f"{gsd_m:g} m pixels, and {card.name} is for {low:g} to {high:g} m"
    missing = [band for band in card.bands if band not in bands]
    needed = [band for band in missing if band not in card.optional_bands]
    if needed:
        return f"has no {', '.join(needed)}, which {card.name} needs"
    return None


def _averaged(image: FloatArray, size: Sequence[int]) -> FloatArray:
    """(bands, h, w) to ``size`` by the mean of the pixels with data; 0 where most have none."""
    pixels = torch.from_numpy(image)[None]
    data = (pixels.amax(dim=1, keepdim=True) > 0).float()
    share = _smoothed(data, size)
    mean = _smoothed(pixels * data, size) / share.clamp(min=0.5)
    return np.asarray((mean * (share >= 0.5))[0].numpy(), np.float32)


def _smoothed(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """(1, bands, h, w) to a smaller size by triangles two of its pixels wide."""
    return F.interpolate(image, size=tuple(size), mode="bilinear", antialias=True)


def _interpolated(probabilities: FloatArray, size: Sequence[int]) -> FloatArray:
    """(4, h, w) to ``size``, bilinearly."""
    answer = torch.from_numpy(probabilities)[None]
    return np.asarray(F.interpolate(answer, size=tuple(size), mode="bilinear")[0].numpy())


def arrange(image: FloatArray, bands: Sequence[str], card: Card) -> FloatArray:
    """Bands in the order of the card; an optional one that is missing is stood in for.

    Args:
        image: (bands, height, width).
        bands: names of its bands.
        card: says which bands the network takes.
    """
    rows = [
        bands.index(band if band in bands else STANDS_IN.get(band, "red")) for band in card.bands
    ]
    return np.ascontiguousarray(image[rows])

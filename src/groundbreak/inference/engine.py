"""Pixels of two dates in, calibrated probabilities out, whatever computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from groundbreak.model.card import Card
from groundbreak.types import FloatArray


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation per band of the two dates of a scene, each (2, bands)."""

    mean: FloatArray
    spread: FloatArray


class Engine(Protocol):
    """What every engine can do."""

    @property
    def card(self) -> Card:
        """The card of the weights."""

    @property
    def description(self) -> str:
        """Processor and precision, for the run's record."""

    @property
    def device(self) -> str:
        """Where it computes: ``cpu``, ``cuda`` or ``mps``."""

    def predict(
        self,
        before: FloatArray,
        after: FloatArray,
        statistics: Statistics | None = None,
        zoom: int | None = None,
    ) -> FloatArray:
        """Probabilities (n, 4, h, w) of two dates (n, bands, h, w) in [0, 1] of any size.

        Args:
            before: earlier date, bands as in the card.
            after: later date.
            statistics: of the scene that the pictures are windows of; without them each pair is
                its own scene, measured as it is, before it is enlarged or padded.
            zoom: factor of ``Card.magnification``; that of an unknown pixel size without it.

        Raises:
            ValueError: the dates differ in shape.
        """


def check_shapes(before: FloatArray, after: FloatArray) -> None:
    """Raise ``ValueError`` unless both dates are (n, bands, h, w) alike."""
    if before.shape != after.shape or before.ndim != 4:
        raise ValueError(f"expected (n, b, h, w) twice, got {before.shape}, {after.shape}")


CPU_PX = 2**20
"""Pixels of the network that a CPU takes at once: four times as many took a quarter longer, for
the memory, of which they need four times as much."""


def pairs_at_once(before: FloatArray, zoom: int) -> int:
    """How many of some pairs (n, bands, h, w) a CPU should take at once."""
    height, width = before.shape[-2:]
    return max(1, CPU_PX // (height * width * zoom**2))

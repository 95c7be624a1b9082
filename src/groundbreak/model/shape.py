"""What decides the shape of the network; known without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CLASSES = 4
"""None, new building, demolition, docking slip: ``types.MaskValue`` 0 to 3."""

SLIP = 3
"""The class that has no opposite."""

CLEAR = 0.7
"""Share of new or of demolished from which a change of no kind is told as one."""

SHOWS = 0.2
"""Probability of change from which both orders of the dates are asked (`NetworkConfig`)."""

STRIDE = 32
"""Height and width of the input must be whole multiples of this."""


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that decides the shape of the network.

    Attributes:
        encoder: a name of segmentation_models_pytorch.
        bands: number of input bands.
        fused: channels after fusion at strides 2, 4, 8, 16, 32.
        decoder: channels of the decoder at strides 16, 8, 4, 2.
        standardise: statistics that normalise the input: of both dates together (``pair``) or
            of each by itself (``date``).
        other: a fifth class takes what is labelled as changed without saying what, so that no
            kind must explain it in training; ``network.class_probabilities`` shares it out.
        both_orders: the dates are asked about in either order, and what is said is averaged; else
            in theirs alone, which takes a third less time. Engines do not ask backwards either
            where the true order gives no pixel of a window a probability of change of ``SHOWS``.
    """

    encoder: str = "mobilenet_v2"
    bands: int = 3
    fused: tuple[int, ...] = (24, 32, 48, 96, 256)
    decoder: tuple[int, ...] = (160, 96, 64, 48)
    standardise: Literal["pair", "date"] = "pair"
    other: bool = False
    both_orders: bool = True

    @property
    def classes(self) -> int:
        """Channels of the answer."""
        return CLASSES + self.other

"""Losses that know what a label does not say.

254 (change of unknown direction) asks for something new or gone, no matter which, or for a change
of no kind where the network has a class for that; never for a berth: taking berths for it taught
false ones on farmland. 255 (ignore) asks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from groundbreak.types import MaskValue

NO_UNKNOWN = (int(MaskValue.NONE), int(MaskValue.DOCKING_SLIP))
"""What a change of unknown direction is not."""


@dataclass(frozen=True)
class LossWeights:
    """What is added up; 0 leaves a term out.

    Attributes:
        cross_entropy: per pixel, over the four classes.
        dice: overlap of change (any kind), over the batch.
        direction_dice: overlap of new buildings and of demolitions, over the batch.
    """

    cross_entropy: float = 1.0
    dice: float = 0.5
    direction_dice: float = 0.25


def change_loss(logits: Tensor, label: Tensor, weights: LossWeights) -> Tensor:
    """The training loss.

    Args:
        logits: (n, classes, h, w).
        label: (n, h, w) integers of ``types.MaskValue``.
        weights: of its terms.

    Returns:
        a scalar; 0 with zero gradient where everything is ignored.
    """
    logits = logits.float()
    loss = weights.cross_entropy * partial_cross_entropy(logits, label)
    if weights.dice or weights.direction_dice:
        probability = logits.softmax(dim=1)
        known = label != MaskValue.IGNORE
        change = known & (label != MaskValue.NONE)
        unknown = label == MaskValue.UNKNOWN_DIRECTION
        some_change = 1 - probability[:, 0]
        either = probability[:, _allowed(logits)].sum(dim=1)
        some_change = torch.where(unknown, either, some_change)
        loss = loss + weights.dice * soft_dice(some_change, change, known)
        directed = known & ~unknown
        for kind in (MaskValue.NEW_BUILDING, MaskValue.DEMOLITION, MaskValue.DOCKING_SLIP):
            truth = label == kind
            # Overlap with a kind that the batch lacks is a step function of nothing.
            if weights.direction_dice and truth.any():
                term = soft_dice(probability[:, int(kind)], truth, directed)
                loss = loss + weights.direction_dice * term
    return loss


def partial_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Mean of -log p(what the label says) over the pixels where it says something.

    At 254 that is -log(p_new + p_demolished + p_other).
    """
    log_probability = F.log_softmax(logits, dim=1)
    unknown = label == MaskValue.UNKNOWN_DIRECTION
    known = label != MaskValue.IGNORE
    target = torch.where(unknown | ~known, 0, label).long()
    said = log_probability.gather(1, target[:, None])[:, 0]
    either = torch.logsumexp(log_probability[:, _allowed(logits)], dim=1)
    said = torch.where(unknown, either, said)
    return -(said * known).sum() / known.sum().clamp(min=1)


def _allowed(logits: Tensor) -> list[int]:
    """The classes that a change of unknown direction may be."""
    return [index for index in range(logits.shape[1]) if index not in NO_UNKNOWN]


def soft_dice(probability: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
    """1 - Dice of (n, h, w) probabilities and a mask, over the counted pixels of the batch."""
    counted = counted.float()
    probability, mask = probability * counted, truth.float() * counted
    overlap = (probability * mask).sum()
    return 1 - (2 * overlap + 1) / (probability.sum() + mask.sum() + 1)

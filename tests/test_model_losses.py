"""The loss, on numbers worked out by hand."""

import math

import pytest
import torch

from groundbreak.model.losses import LossWeights, change_loss, partial_cross_entropy, soft_dice

# Probabilities of none, new, demolition, slip at four pixels in a row.
PROBABILITIES = torch.tensor(
    [[0.5, 0.3, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1]]
)
LOGITS = PROBABILITIES.log().T.reshape(1, 4, 1, 4)


def label(*values: int) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 1, -1)


def test_cross_entropy_of_known_classes() -> None:
    expected = -(math.log(0.5) + math.log(0.6) + math.log(0.25) + math.log(0.1)) / 4
    assert partial_cross_entropy(LOGITS, label(0, 1, 2, 3)).item() == pytest.approx(expected)


def test_unknown_direction_asks_for_new_or_demolished() -> None:
    expected = -(math.log(0.7) + math.log(0.2)) / 2
    loss = partial_cross_entropy(LOGITS, label(255, 254, 255, 254))
    assert loss.item() == pytest.approx(expected)


def test_unknown_direction_prefers_neither_and_wants_no_berth() -> None:
    logits = torch.zeros(1, 4, 1, 1, requires_grad=True)
    partial_cross_entropy(logits, label(254)).backward()
    gradient = logits.grad.flatten().tolist()
    assert gradient == pytest.approx([0.25, -0.25, -0.25, 0.25])


def test_a_fifth_class_may_take_a_change_of_unknown_direction() -> None:
    five = torch.tensor([0.4, 0.2, 0.1, 0.1, 0.2]).log().reshape(1, 5, 1, 1)
    assert partial_cross_entropy(five, label(254)).item() == pytest.approx(-math.log(0.5))
    assert partial_cross_entropy(five, label(0)).item() == pytest.approx(-math.log(0.4))


def test_ignored_pixels_have_no_say() -> None:
    logits = torch.randn(2, 4, 5, 5, requires_grad=True)
    loss = change_loss(logits, torch.full((2, 5, 5), 255), LossWeights())
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert logits.grad.abs().max() == 0


def test_dice_by_hand() -> None:
    probability = torch.tensor([[[0.9, 0.2, 0.5]]])
    truth = torch.tensor([[[True, False, True]]])
    counted = torch.tensor([[[True, True, False]]])
    expected = 1 - (2 * 0.9 + 1) / (1.1 + 1 + 1)
    assert soft_dice(probability, truth, counted).item() == pytest.approx(expected)


def test_terms_add_up() -> None:
    truth = label(0, 1, 254, 255)
    ce = partial_cross_entropy(LOGITS, truth)
    known = truth != 255
    some_change = torch.tensor([[[0.5, 0.8, 0.5, 0.3]]])  # the third is unknown: no berth
    change = soft_dice(some_change, known & (truth != 0), known)
    new = soft_dice(LOGITS.softmax(1)[:, 1], truth == 1, known & (truth != 254))
    weights = LossWeights(cross_entropy=2.0, dice=0.5, direction_dice=0.25)
    expected = 2 * ce + 0.5 * change + 0.25 * new
    assert change_loss(LOGITS, truth, weights).item() == pytest.approx(expected.item())


def test_a_step_downhill_improves_the_answer() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 4, 6, 6, requires_grad=True)
    truth = torch.randint(0, 4, (1, 6, 6))
    loss = change_loss(logits, truth, LossWeights())
    loss.backward()
    better = change_loss(logits - 5 * logits.grad, truth, LossWeights())
    assert better < loss

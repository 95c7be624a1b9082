"""Random labelled pairs: same seed same bytes, and the label says what the pixels show."""

import numpy as np
import pytest

from groundbreak.simulate.pairs import render_pair
from groundbreak.types import MaskValue

KNOWN = {int(value) for value in MaskValue}


@pytest.mark.parametrize("gsd_m", [0.3, 2.0, 10.0])
def test_a_seed_always_gives_the_same_pair(gsd_m: float) -> None:
    first, second = render_pair(7, 96, gsd_m), render_pair(7, 96, gsd_m)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first[0], render_pair(8, 96, gsd_m)[0])


def test_shapes_types_and_values() -> None:
    before, after, label = render_pair(3, 80, 1.0)
    assert before.shape == after.shape == (80, 80, 3)
    assert label.shape == (80, 80)
    assert before.dtype == after.dtype == label.dtype == np.uint8
    assert before.std() > 5
    assert after.std() > 5


def test_every_kind_occurs_and_no_other_value() -> None:
    seen: set[int] = set()
    for seed in range(60):
        seen |= set(np.unique(render_pair(seed, 96, 2.0)[2]).tolist())
    assert seen <= KNOWN
    assert {0, 1, 2, 3, 255} <= seen


def test_change_shows_in_the_pixels() -> None:
    """Inside new and fallen buildings the dates differ more than around them."""
    ratios = []
    for seed in range(40):
        before, after, label = render_pair(seed, 128, 1.0)
        changed = (label == 1) | (label == 2)
        if changed.sum() < 60:
            continue
        a, b = (chip.astype(float).mean(2) for chip in (before, after))
        a = (a - np.median(a)) / a.std()
        b = (b - np.median(b)) / b.std()
        difference = np.abs(a - b)
        ratios.append(difference[changed].mean() / difference[label == 0].mean())
    assert len(ratios) >= 8
    assert np.median(ratios) > 1.3

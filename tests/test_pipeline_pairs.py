"""Which pairs are computed: every pixel's usable looks are chained, and nothing more."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from groundbreak.pipeline.pairs import LEAST_PIXELS, chained


def looks(*shares):
    """One row of 100 x 10 pixels a look; True in the first ``share`` percent of the columns."""
    stack = np.zeros((len(shares), 10, 100), bool)
    for row, share in enumerate(shares):
        stack[row, :, :share] = True
    return stack


def test_clear_looks_need_neighbouring_pairs_only():
    assert chained(looks(100, 100, 100)) == [(0, 1), (1, 2)]


def test_a_look_that_saw_nothing_is_jumped_over():
    assert chained(looks(100, 0, 100)) == [(0, 2)]


def test_half_a_cloud_needs_the_long_pair_as_well():
    assert chained(looks(100, 50, 100)) == [(0, 1), (1, 2), (0, 2)]


def test_a_few_pixels_are_not_worth_a_pair():
    stack = looks(100, 100, 100)
    stack[1, 0, : LEAST_PIXELS - 1] = False
    assert chained(stack) == [(0, 1), (1, 2)]


def test_a_site_smaller_than_a_building_is_still_compared():
    assert chained(np.ones((2, 1, 1), bool)) == [(0, 1)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 7))
def test_every_pixel_finds_the_look_before(seed, count):
    rng = np.random.default_rng(seed)
    # Blocks, so that no case is below the least number of pixels.
    usable = np.kron(rng.random((count, 3, 3)) < 0.6, np.ones((1, 8, 8))).astype(bool)
    pairs = set(chained(usable))
    for row in range(3):
        for column in range(3):
            seen = np.flatnonzero(usable[:, row * 8, column * 8])
            assert set(zip(seen[:-1].tolist(), seen[1:].tolist(), strict=True)) <= pairs

"""Which pairs are computed: every pixel's usable looks, chained, and longer ones near change."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from groundbreak.events.looks import PairKey
from groundbreak.events.vectorize import Candidate
from groundbreak.inference.stitch import StitchConfig
from groundbreak.pipeline.pairs import (
    AROUND_PX,
    LEAST_PIXELS,
    PairsConfig,
    chained,
    plan_longer,
)
from groundbreak.types import Box, Kind


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


def test_a_gap_as_large_as_a_hall_at_10_m_is_worth_a_pair():
    stack = looks(100, 100, 100)
    stack[1, :2, :2] = False
    assert chained(stack) == [(0, 1), (1, 2), (0, 2)]


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


class Shown:
    """A look of which only the usable mask matters."""

    def __init__(self, number, mask):
        self.id = f"L{number}"
        self.mask = mask

    def usable(self, window):
        return self.mask[window]


def seen(count, *hidden):
    """Looks of 100 x 100 pixels; of the hidden (number, rows, columns) nothing is usable."""
    found = []
    for number in range(count):
        mask = np.ones((100, 100), bool)
        for look, rows, columns in hidden:
            if look == number:
                mask[rows, columns] = False
        found.append(Shown(number, mask))
    return found


GROUND = GeoBox((100, 100), Affine(1, 0, 500_000, 0, -1, 4_400_000), "EPSG:32652")
CUT = StitchConfig(window=40, overlap=10, margin=2)
PLOT = slice(4, 14)
PATCH = Box(4, 14, 4, 14)


def patch(earlier, later, box=PATCH):
    west, north = 500_000 + box.x0, 4_400_000 - box.y0
    outline = shapely.box(west, north - box.shape[0], west + box.shape[1], north)
    pair = PairKey(f"L{earlier}", f"L{later}")
    return Candidate(Kind.NEW_BUILDING, pair, outline, box, 0.9, 0.95)


def longer(looks, *suspects):
    plans = plan_longer(looks, suspects, GROUND, CUT, 0.5)
    return {(plan.earlier.id[1:] + plan.later.id[1:]): plan for plan in plans}


def test_a_suspicion_is_looked_at_again_without_either_of_its_looks():
    assert set(longer(seen(6), patch(2, 3))) == {"13", "24"}


def test_nothing_lies_beyond_the_first_and_the_last_look():
    assert set(longer(seen(3), patch(0, 1), patch(1, 2))) == {"02"}
    assert longer(seen(2), patch(0, 1)) == {}


def test_looks_that_do_not_show_the_patch_are_jumped_over():
    assert set(longer(seen(6, (1, PLOT, PLOT)), patch(2, 3))) == {"03", "24"}
    elsewhere = slice(50, 90)
    assert set(longer(seen(6, (1, elsewhere, elsewhere)), patch(2, 3))) == {"13", "24"}


def test_longer_pairs_are_computed_around_the_patch_only():
    plan = longer(seen(4), patch(1, 2))["02"]
    assert {(box.y0, box.x0) for box in plan.boxes} == {(0, 0)}
    assert plan.around == (Box(0, 14 + AROUND_PX, 0, 14 + AROUND_PX),)
    between = longer(seen(4), patch(1, 2, Box(30, 38, 32, 40)))["02"]
    assert len(between.boxes) == 4  # every window that has a part in the patch


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 8))
def test_another_look_changes_no_earlier_plan(seed, count):
    rng = np.random.default_rng(seed)
    hidden = [(n, PLOT, PLOT) for n in range(count) if rng.random() < 0.3]
    looks = seen(count, *hidden)
    pairs = [(0, 1), (1, 2), (0, 2)] + [(n, n + 1) for n in range(2, count - 1)]
    suspects = [patch(*pair) for pair in pairs if rng.random() < 0.6]
    newest = looks[-1].id
    before = longer(looks[:-1], *(s for s in suspects if s.pair.later != newest))
    after = longer(looks, *suspects)
    assert before == {name: plan for name, plan in after.items() if plan.later is not looks[-1]}


def test_a_farther_reach_is_refused():
    with pytest.raises(ValueError, match="expected 1 or 2"):
        PairsConfig(reach=3)

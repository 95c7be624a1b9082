"""Windows are stitched without seams, gaps or dependence on how the work is cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from groundbreak.inference.stitch import (
    StitchConfig,
    lattice,
    predict_blocks,
    predict_scene,
    ramp,
    windows_along,
)
from groundbreak.types import Box

CONFIG = StitchConfig(window=64, overlap=24, margin=4, batch=3)


def blur_predict(before, after):
    """A "network" with a receptive field: class 1 is the blurred brightening."""
    difference = (after - before).mean(axis=1)
    new = np.clip(np.stack([gaussian_filter(d, 2.0, truncate=2) for d in difference]), 0, 1)
    zero = np.zeros_like(new)
    return np.stack([1 - new, new, zero, zero], axis=1).astype(np.float32)


@given(st.integers(1, 400), st.integers(8, 90), st.integers(0, 7))
def test_windows_cover_every_pixel_and_end_at_the_end(length, window, overlap):
    windows = windows_along(length, window, overlap)
    assert (windows[0].start, windows[-1].stop) == (0, length)
    assert {w.stop - w.start for w in windows} == {windows[0].stop} <= set(range(window + 1))
    for one, other in pairwise(windows):
        assert one.start < other.start <= one.stop - overlap


def test_windows_are_no_more_and_no_larger_than_needed():
    assert windows_along(1024, 1024, 96) == [slice(0, 1024)]
    assert windows_along(1025, 1024, 96) == [slice(0, 576), slice(449, 1025)]
    assert windows_along(1952, 1024, 96) == [slice(0, 1024), slice(928, 1952)]
    side = 928  # of the network's 1024, and four of them a row as before
    assert [w.stop - w.start for w in windows_along(3400, 1024, 96)] == [side] * 4


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 5))
def test_constant_prediction_survives_any_shape(height, width, batch):
    def predict(before, _after):
        n, _, h, w = before.shape
        out = np.zeros((n, 4, h, w), np.float32)
        out[:, 2] = 0.25
        out[:, 0] = 0.75
        return out

    config = StitchConfig(window=64, overlap=24, margin=4, batch=batch)
    zeros = np.zeros((3, height, width), np.float32)
    result = predict_scene(predict, zeros, zeros, config)
    assert result.shape == (4, height, width)
    np.testing.assert_allclose(result[2], 0.25, atol=1e-6)
    np.testing.assert_allclose(result.sum(0), 1, atol=1e-6)


def test_result_depends_neither_on_window_nor_on_batch_away_from_the_edge():
    rng = np.random.default_rng(1)
    before = rng.random((3, 300, 220), dtype=np.float32) * 0.5
    after = before + rng.random((3, 300, 220), dtype=np.float32) * 0.5
    whole = blur_predict(before[None], after[None])[0]
    for config in (CONFIG, StitchConfig(96, 32, 5, 1), StitchConfig(128, 64, 8, 7)):
        stitched = predict_scene(blur_predict, before, after, config)
        np.testing.assert_allclose(stitched[:, 8:-8, 8:-8], whole[:, 8:-8, 8:-8], atol=1e-3)


def test_no_step_at_window_borders():
    """Windows that disagree by a constant must blend into ramps, not steps."""
    calls = iter(range(1000))

    def predict(before, _after):
        n, _, h, w = before.shape
        out = np.zeros((n, 4, h, w), np.float32)
        for i in range(n):
            out[i, 1] = next(calls) % 2
        out[:, 0] = 1 - out[:, 1]
        return out

    zeros = np.zeros((3, 64, 400), np.float32)
    result = predict_scene(predict, zeros, zeros, CONFIG)[1]
    assert result.min() == pytest.approx(0, abs=1e-3)
    assert result.max() == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(result, axis=1)).max() < 0.15


def test_resuming_gives_the_same_bands():
    rng = np.random.default_rng(2)
    before, after = rng.random((2, 3, 250, 130), dtype=np.float32)

    def read(box: Box):
        return before[:, *box.slices], after[:, *box.slices]

    full = list(predict_blocks(blur_predict, read, (250, 130), CONFIG))
    seen = np.zeros((250, 130), int)
    for block in full:
        seen[block.box.slices] += 1
    assert (seen == 1).all()
    tops = sorted({block.box.y0 for block in full})
    for first, top in enumerate(tops):
        again = list(predict_blocks(blur_predict, read, (250, 130), CONFIG, first_band=first))
        rest = [block for block in full if block.box.y0 >= top]
        for a, b in zip(again, rest, strict=True):
            assert a.box == b.box
            np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-6)


def test_blocks_are_made_of_nothing_but_the_windows_over_them():
    """Each pixel is the mean of the windows that show it, weighted by their ramps."""
    shape = (150, 200)
    answers = {}

    def read(box: Box):
        marked = np.full((3, *box.shape), len(answers), np.float32)
        answers[box] = len(answers)
        return marked, marked

    def predict(before, _after):
        share = before[:, :1] / 100
        return np.concatenate([1 - share, share, 0 * share, 0 * share], axis=1)

    found = np.zeros(shape)
    for block in predict_blocks(predict, read, shape, CONFIG):
        found[block.box.slices] = block.probabilities[1]
    total, weights = np.zeros(shape), np.zeros(shape)
    for box, mark in answers.items():
        weight = np.outer(*(ramp(side, CONFIG) for side in box.shape))
        total[box.slices] += weight * mark / 100
        weights[box.slices] += weight
    assert len(answers) == 20
    np.testing.assert_allclose(found, total / weights, atol=1e-6)


def test_unneeded_windows_are_neither_read_nor_claimed():
    zeros = np.zeros((3, 130, 130), np.float32)
    seen = []

    def read(box: Box):
        seen.append(box)
        return zeros[:, *box.slices], zeros[:, *box.slices]

    def needed(box: Box) -> bool:
        return box.y0 == 0 and box.x0 == 0

    predicted, unchanged = np.zeros((130, 130), bool), np.zeros((130, 130))
    for block in predict_blocks(blur_predict, read, (130, 130), CONFIG, needed):
        predicted[block.box.slices] = block.predicted
        unchanged[block.box.slices] = block.probabilities[0]
    assert seen == [Box(0, 64, 0, 64)]
    assert predicted[:64, :64].all()
    assert predicted.sum() == 64**2
    assert (unchanged[~predicted] == 1).all()


def test_scaled_config_keeps_its_rules():
    for factor in (1, 2, 3, 4, 8):
        scaled = StitchConfig().scaled(factor)
        assert 0 <= 2 * scaled.margin < scaled.overlap < scaled.window
        assert lattice((10, 10), scaled) == [[Box(0, 10, 0, 10)]]


@pytest.mark.parametrize(("window", "overlap", "margin"), [(64, 64, 0), (64, 8, 4), (64, 8, -1)])
def test_impossible_cuts_are_refused(window, overlap, margin):
    with pytest.raises(ValueError, match="expected"):
        StitchConfig(window, overlap, margin)

"""Looks are made comparable, and what changed stays changed."""

import numpy as np
import pytest
from scipy import ndimage

from groundbreak.radiometry import apply, match
from groundbreak.raster.read import read_picture
from groundbreak.scaling import to_unit

EVERYWHERE = np.ones((200, 200), bool)
GAIN = np.array([1.3, 0.8, 1.1], np.float32)
OFFSET = np.array([-0.02, 0.05, 0.01], np.float32)


def ground(seed=0):
    """Fields and noise, (3, 200, 200)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.1, 0.5, (3, 20, 20)).repeat(10, 1).repeat(10, 2)
    fine = rng.normal(0, 0.03, (3, 200, 200))
    return np.clip(coarse + ndimage.gaussian_filter(fine, (0, 1, 1)), 0, 1).astype(np.float32)


def seen_otherwise(image, seed=1):
    """The look that the lines (GAIN, OFFSET) map back onto ``image``, with its own noise."""
    noise = np.random.default_rng(seed).normal(0, 0.005, image.shape)
    return ((image - OFFSET[:, None, None]) / GAIN[:, None, None] + noise).astype(np.float32)


def with_change(image, share, seed=2):
    """New roofs, bare plots and pits on a share of the ground; also where they are."""
    rng = np.random.default_rng(seed)
    changed = np.zeros(image.shape[1:], bool)
    result = image.copy()
    while changed.mean() < share:
        y, x = rng.integers(0, 190, 2)
        h, w = rng.integers(5, 30, 2)
        result[:, y : y + h, x : x + w] = rng.uniform(0.05, 0.95, (3, 1, 1))
        changed[y : y + h, x : x + w] = True
    return result, changed


def test_the_lines_are_found():
    image = ground()
    found = match(image, seen_otherwise(image), EVERYWHERE)
    assert found.trusted
    assert found.reason == ""
    assert found.gain == pytest.approx(GAIN, abs=0.02)
    assert found.offset == pytest.approx(OFFSET, abs=0.01)


@pytest.mark.parametrize("share", [0.2, 0.35])
def test_change_bends_nothing_and_survives(share):
    image = ground()
    later, changed = with_change(seen_otherwise(image), share)
    found = match(image, later, EVERYWHERE)
    assert found.trusted
    assert found.gain == pytest.approx(GAIN, abs=0.03)
    difference = np.abs(apply(later, found) - image).mean(axis=0)
    assert np.median(difference[changed]) > 10 * np.median(difference[~changed])


def test_unusable_pixels_do_not_count():
    image = ground()
    later = seen_otherwise(image)
    later[:, :120] = 0.9
    usable = EVERYWHERE.copy()
    usable[:120] = False
    assert match(image, later, usable).gain == pytest.approx(GAIN, abs=0.03)


def test_there_and_back_is_nothing():
    image, later = ground(), seen_otherwise(ground())
    there, back = match(image, later, EVERYWHERE), match(later, image, EVERYWHERE)
    assert there.gain * back.gain == pytest.approx(np.ones(3), abs=0.01)


def test_a_season_in_one_band_leaves_that_band_alone():
    """Near infrared may turn over between seasons while the visible bands compare well."""
    image = np.concatenate([ground(), ground(seed=7)[:1]])
    later = np.concatenate([seen_otherwise(image[:3]), ground(seed=8)[:1]])
    found = match(image, later, EVERYWHERE)
    assert found.trusted
    assert found.gain[:3] == pytest.approx(GAIN, abs=0.05)
    assert (found.gain[3], found.offset[3]) == (1.0, 0.0)


def test_a_season_in_one_colour_tints_no_picture():
    """Crops ripened: green compares with nothing, and red alone would turn the picture purple."""
    image = np.concatenate([ground(), ground(seed=7)[:1]])
    later = np.concatenate([seen_otherwise(image[:3]), ground(seed=8)[:1]])[[0, 3, 1, 2]]
    found = match(image[[0, 3, 1, 2]], later, EVERYWHERE, colours=(0, 1, 2))
    assert found.trusted
    assert tuple(found.gain[:3]) == (1.0, 1.0, 1.0)
    assert found.gain[3] == pytest.approx(GAIN[2], abs=0.05)


def test_one_band():
    image = ground()[:1]
    later = ((image - 0.03) / 1.5).astype(np.float32)
    assert match(image, later, EVERYWHERE).gain == pytest.approx([1.5], abs=0.02)


@pytest.mark.parametrize(
    ("moving", "reason"),
    [
        (ground(seed=9), "in common|correlates"),
        (np.full((3, 200, 200), 0.4, np.float32), "in common"),
        (ground() * np.float32(0.2) + np.float32(0.1), "outside"),
        (np.ones((3, 200, 200), np.float32), "usable blocks"),
    ],
)
def test_untrusted_lines_change_nothing(moving, reason):
    found = match(ground(), moving, EVERYWHERE)
    assert not found.trusted
    assert any(word in found.reason for word in reason.split("|"))
    assert np.array_equal(apply(moving, found), np.clip(moving, 0, 1))


@pytest.mark.parametrize("times", [0.2, 5.0])
def test_looks_of_other_scales_are_brought_to_one(times):
    """A picture stretched for display beside one in reflectance."""
    image = ground() * np.float32(0.2 if times > 1 else 1)
    scaled = image * np.float32(times)
    found = match(image, scaled, EVERYWHERE)
    assert found.trusted
    assert found.gain == pytest.approx([1 / times] * 3, rel=0.02)
    other = ground(seed=9) * np.float32(0.2 if times < 1 else 1)
    found = match(image, other, EVERYWHERE)
    assert not found.trusted
    assert found.gain == pytest.approx([1 / times] * 3, rel=0.1)
    assert len(set(found.gain)) == 1
    assert not found.offset.any()


def test_what_fog_flattens_is_not_taken_for_another_scale():
    foggy = ground(seed=9) * np.float32(0.2) + np.float32(0.6)
    found = match(ground(), foggy, EVERYWHERE)
    assert found.gain == pytest.approx([1.0] * 3)


def test_too_little_ground():
    usable = np.zeros((200, 200), bool)
    usable[:12, :12] = True
    found = match(ground(), ground(), usable)
    assert not found.trusted
    assert "usable blocks" in found.reason


def test_the_result_stays_in_range():
    image = ground()
    mapped = apply(with_change(seen_otherwise(image), 0.2)[0], match(image, image, EVERYWHERE))
    assert mapped.dtype == np.float32
    assert mapped.min() >= 0
    assert mapped.max() <= 1


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="expected equal shapes"):
        match(ground(), ground()[:, :50], EVERYWHERE)


@pytest.mark.shared
@pytest.mark.parametrize("city", ["nantes", "rennes", "beirut"])
def test_real_change_bends_little(shared, city):
    """Fresh roofs on a fifth of a real city, two years and a season apart."""
    before, after = (
        to_unit(read_picture(shared / "pairs/oscd/train" / date / f"{city}.jp2")[0])[:, :339, :330]
        for date in "AB"
    )
    everywhere = np.ones(before.shape[1:], bool)
    plain = match(before, after, everywhere)
    rng = np.random.default_rng(0)
    changed = np.zeros(before.shape[1:], bool)
    while changed.mean() < 0.2:
        y, x = rng.integers(0, 339), rng.integers(0, 330)
        after[:, y : y + 15, x : x + 15] = rng.uniform(0.05, 0.5, (4, 1, 1))
        changed[y : y + 15, x : x + 15] = True
    found = match(before, after, everywhere)
    assert plain.trusted
    assert found.trusted
    assert found.gain[:3] == pytest.approx(plain.gain[:3], rel=0.08)

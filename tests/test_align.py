"""Displacements are found to a fraction of a pixel, or not claimed."""

import json
import re

import numpy as np
import pytest
from scipy import ndimage

from groundbreak.align import AlignConfig, Piece, estimate_shift, shift_image
from groundbreak.align.measure import _moved
from groundbreak.raster.read import read_picture
from groundbreak.scaling import to_unit


def town(seed=0, side=256):
    """Blocks and roads: structure at several scales."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side), 0.3)
    for _ in range(120):
        y, x = rng.integers(0, side - 20, 2)
        h, w = rng.integers(4, 20, 2)
        image[y : y + h, x : x + w] = rng.random()
    image = ndimage.gaussian_filter(image, 0.8)
    return np.stack([image, image * 0.8, image * 0.6]).astype(np.float32)


def displaced(image, dx, dy):
    return shift_image(image, -dx, -dy)


def turned(image, degrees):
    return ndimage.rotate(image, degrees, axes=(1, 2), reshape=False, order=1, mode="reflect")


EVERYWHERE = np.ones((256, 256), bool)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.8, -0.6), (-0.37, 0.21), (3.0, 4.0)])
def test_known_shifts_are_found(shift):
    image = town()
    found = estimate_shift([Piece(image, displaced(image, *shift), EVERYWHERE)])
    assert found.trusted
    assert (found.dx, found.dy) == pytest.approx(shift, abs=0.1)
    assert found.residual_px < 0.2


def test_colours_noise_and_new_buildings_do_not_mislead():
    image = town()
    later = displaced(image, 1.2, -0.7) * np.array([0.5, 0.9, 1.2], np.float32)[:, None, None]
    later[:, 60:110, 60:110] = 0.9
    later += np.random.default_rng(3).normal(0, 0.02, later.shape)
    found = estimate_shift([Piece(image, later.astype(np.float32), EVERYWHERE)])
    assert found.trusted
    assert (found.dx, found.dy) == pytest.approx((1.2, -0.7), abs=0.15)


def test_unusable_pixels_do_not_count():
    image = town()
    later = displaced(image, -1.5, 0.5)
    later[:, :, :120] = 0.95  # a cloud with an edge of its own
    usable = EVERYWHERE.copy()
    usable[:, :120] = False
    found = estimate_shift([Piece(image, later, usable)])
    assert found.trusted
    assert (found.dx, found.dy) == pytest.approx((-1.5, 0.5), abs=0.15)


@pytest.mark.parametrize("shift", [(14.0, 0.0), (-9.4, 11.3), (15.0, -15.0)])
def test_large_shifts_are_found_by_all_windows_together(shift):
    image = town(side=512)
    found = estimate_shift([Piece(image, displaced(image, *shift), np.ones((512, 512), bool))])
    assert found.trusted
    assert (found.dx, found.dy) == pytest.approx(shift, abs=0.1)


def test_a_flat_picture_says_nothing():
    found = estimate_shift([Piece(town(), np.full_like(town(), 0.2), EVERYWHERE)])
    assert not found.trusted
    assert not found.apart
    assert "little stable structure" in found.reason


@pytest.mark.parametrize("make", [lambda image: town(seed=99), lambda image: turned(image, 20)])
def test_what_shows_other_ground_is_told(make):
    image = town()
    found = estimate_shift([Piece(image, make(image), EVERYWHERE)])
    assert found.apart
    assert not found.trusted
    assert (found.dx, found.dy) == (0, 0)
    assert "nothing of it lies" in found.reason


@pytest.mark.parametrize("shift", [(12.0, -5.0), (2.0, 1.0)])
def test_windows_that_disagree_still_say_where_the_picture_lies(shift):
    """Towers that lean: a third of the picture goes its own way, and more of it has to agree."""
    image = town(side=512)
    later = displaced(image, *shift)
    later[:, :, :170] = displaced(image, shift[0] + 5, shift[1] - 3)[:, :, :170]
    everywhere, strict = np.ones((512, 512), bool), AlignConfig(min_agreeing=0.9)
    found = estimate_shift([Piece(image, later, everywhere)], strict)
    assert not found.trusted
    assert not found.apart
    assert (found.dx, found.dy) == pytest.approx(shift, abs=0.2)


def test_what_lies_far_away_is_told():
    image = town(side=512)
    found = estimate_shift([Piece(image, np.roll(image, 30, axis=2), np.ones((512, 512), bool))])
    assert found.far
    assert re.fullmatch("a shift of (29|30|31) pixels is more than 24", found.reason)


def test_new_ground_in_open_water_is_not_taken_for_another_place():
    """Nothing lies where it lay, and nothing speaks against it: the sea has no edges."""
    rng = np.random.default_rng(5)
    sea = 0.05 + 0.004 * ndimage.gaussian_filter(rng.standard_normal((3, 256, 256)), (0, 1, 1))
    found = estimate_shift([Piece(sea.astype(np.float32), town(), EVERYWHERE)])
    assert not found.trusted
    assert not found.apart


@pytest.mark.parametrize("shift", [(0.0, 5.0), (12.0, -3.0)])
def test_gaps_that_both_have_do_not_hold_them(shift):
    """Speckles of a cloud mask are the strongest edges of all, and lie in the same place."""
    image = town()
    usable = np.random.default_rng(7).random((256, 256)) > 0.002
    found = estimate_shift([Piece(image, displaced(image, *shift), usable)])
    assert found.trusted
    assert (found.dx, found.dy) == pytest.approx(shift, abs=0.1)


def test_places_that_moved_by_themselves_do_not_pull():
    """Leaning towers: a third of the picture is displaced once more."""
    image = town(side=512)
    later = displaced(image, 0.8, 0.4)
    later[:, :, :170] = displaced(image, 5.5, -2.0)[:, :, :170]
    found = estimate_shift([Piece(image, later, np.ones((512, 512), bool))])
    assert found.trusted
    assert (found.dx, found.dy) == pytest.approx((0.8, 0.4), abs=0.15)


def test_waves_are_no_structure():
    rng = np.random.default_rng(5)
    one, other = (
        ndimage.gaussian_filter(0.05 + 0.01 * rng.standard_normal((3, 256, 256)), (0, 1.5, 1.5))
        for _ in range(2)
    )
    found = estimate_shift([Piece(one.astype(np.float32), other.astype(np.float32), EVERYWHERE)])
    assert not found.trusted


def test_one_band_is_enough():
    image = town()[:1]
    found = estimate_shift([Piece(image, displaced(image, -2.2, 1.1), EVERYWHERE)])
    assert found.trusted
    assert (found.dx, found.dy) == pytest.approx((-2.2, 1.1), abs=0.1)


def test_a_window_is_moved_as_scipy_does_it():
    rng = np.random.default_rng(0)
    for by in [(0.0, 0.0), (3.0, -2.0), (50.0, 0.0), *rng.uniform(-16, 16, (40, 2)).round(2)]:
        window = rng.random(rng.integers(3, 60, 2)).astype(np.float32)
        expected = ndimage.shift(window, np.negative(by), order=1)
        np.testing.assert_allclose(_moved(window, *by), expected, atol=1e-6)


def test_a_hidden_corner_leaves_the_rest_as_it_was():
    """Pictures that are usable everywhere are not treated otherwise than the others."""
    image = town()
    later = displaced(image, 1.2, -0.7)
    usable = EVERYWHERE.copy()
    whole = estimate_shift([Piece(image, later, usable)])
    usable[0, 0] = False
    part = estimate_shift([Piece(image, later, usable)])
    assert (whole.dx, whole.dy) == pytest.approx((part.dx, part.dy), abs=0.03)


def test_small_pictures():
    image = town()[:, 100:148, 100:148]
    later = displaced(town(), 1.0, 0.5)[:, 100:148, 100:148]
    found = estimate_shift([Piece(image, later, np.ones((48, 48), bool))])
    assert (found.dx, found.dy) == pytest.approx((1.0, 0.5), abs=0.25)
    tiny = estimate_shift([Piece(image[:, :20, :20], later[:, :20, :20], np.ones((20, 20), bool))])
    assert not tiny.trusted


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shapes differ"):
        estimate_shift([Piece(town(), town()[:, :10], EVERYWHERE)])


@pytest.mark.shared
def test_the_pair_with_a_known_shift(shared):
    folder = shared / "eo" / "fixtures" / "shift_pair"
    reference = to_unit(read_picture(folder / "reference.tif")[0])
    moving = to_unit(read_picture(next(folder.glob("shifted*.tif")))[0])
    found = estimate_shift([Piece(reference, moving, np.ones(reference.shape[1:], bool))])
    assert json.loads((folder / "shift.json").read_text())
    assert found.trusted
    assert (found.dx, found.dy) == pytest.approx((1.8, -0.6), abs=0.15)


@pytest.mark.shared
def test_unregistered_satellite_pairs(shared):
    """abudhabi is shifted by about 1.4 px, paris by next to nothing (the set's own notes)."""
    lengths = {}
    for city in ("abudhabi", "paris"):
        before, after = (
            to_unit(read_picture(shared / "pairs/oscd/train" / date / f"{city}.jp2")[0])
            for date in "AB"
        )
        found = estimate_shift([Piece(before, after, np.ones(before.shape[1:], bool))])
        assert found.trusted
        lengths[city] = np.hypot(found.dx, found.dy)
    assert lengths["abudhabi"] == pytest.approx(1.4, abs=0.15)
    assert lengths["paris"] < 0.3


@pytest.mark.shared
@pytest.mark.parametrize("number", range(3))
def test_new_estates_are_not_taken_for_a_picture_that_lies_elsewhere(shared, number):
    """Next to nothing stayed as it was; the pictures lie where they should all the same."""
    before, after = (
        to_unit(read_picture(shared / f"pairs/levir_unlabelled/train/{date}/{name}.webp")[0])
        for date, name in (("A", f"levir_unlab_{number}"), ("B", f"levir_unlab_{number}"))
    )
    found = estimate_shift([Piece(before, after, np.ones(before.shape[1:], bool))])
    assert not found.far
    assert np.hypot(found.dx, found.dy) < 5


@pytest.mark.shared
def test_unrelated_places_are_never_aligned(shared):
    one, other = (
        to_unit(read_picture(shared / "pairs/oscd/train/A" / f"{city}.jp2")[0])
        for city in ("nantes", "pisa")
    )
    for side, start in ((40, 50), (64, 200), (100, 120), (160, 10), (300, 20)):
        crop = (slice(None), slice(start, start + side), slice(start, start + side))
        assert not estimate_shift(
            [Piece(one[crop], other[crop], np.ones((side, side), bool))]
        ).trusted


@pytest.mark.shared
def test_other_seasons_shift_alike(shared):
    """However displaced two dates of farmland are, one more shift adds to it."""
    before, after = (
        to_unit(read_picture(shared / f"pairs/mshs_bcd/val/{date}/mshs_r28_c17.webp")[0])
        for date in "AB"
    )
    first = estimate_shift([Piece(before, after, EVERYWHERE)])
    more = estimate_shift([Piece(before, displaced(after, 1.7, -2.3), EVERYWHERE)])
    assert first.trusted
    assert more.trusted
    assert (more.dx - first.dx, more.dy - first.dy) == pytest.approx((1.7, -2.3), abs=0.15)

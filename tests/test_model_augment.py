"""What chance may do to a training pair, and what it must not."""

from dataclasses import replace

import numpy as np
import pytest

from groundbreak.model.augment import (
    AugmentConfig,
    Augmenter,
    CropConfig,
    crop,
    cut_hole,
    mix,
    stand_still,
    swap_dates,
    without_nir,
)
from groundbreak.model.cover import change_cover
from groundbreak.model.sample import Sample

QUIET = AugmentConfig(swap=0, still=0, shift=0, mix=0, hole=0, colour=0, degrade=0)


def make_sample(size: int = 64, bands: int = 3, seed: int = 0) -> Sample:
    """A label whose objects are also written into the images: 1 into after, 2 into before."""
    rng = np.random.default_rng(seed)
    before = rng.integers(40, 100, (size, size, bands), dtype=np.uint8)
    after = before.copy()
    label = np.zeros((size, size), np.uint8)
    label[5:20, 8:30] = 1
    label[40:50, 35:60] = 2
    after[label == 1] = 250
    before[label == 2] = 250
    return Sample(before, after, label)


def test_geometry_is_the_same_for_dates_and_label() -> None:
    augment = Augmenter(QUIET)
    seen = set()
    for seed in range(12):
        out = augment(make_sample(), np.random.default_rng(seed))
        np.testing.assert_array_equal((out.after == 250).all(axis=2), out.label == 1)
        np.testing.assert_array_equal((out.before == 250).all(axis=2), out.label == 2)
        seen.add(out.label.tobytes())
    assert len(seen) > 4


@pytest.mark.parametrize("config", [QUIET, AugmentConfig()])
@pytest.mark.parametrize("bands", [3, 4])
def test_a_seed_decides_everything(config: AugmentConfig, bands: int) -> None:
    augment = Augmenter(config)
    for seed in range(4):
        first, second = (
            augment(make_sample(bands=bands), np.random.default_rng(seed)) for _ in range(2)
        )
        np.testing.assert_array_equal(first.before, second.before)
        np.testing.assert_array_equal(first.after, second.after)
        np.testing.assert_array_equal(first.label, second.label)


def test_each_date_gets_its_own_light() -> None:
    augment = Augmenter(replace(QUIET, colour=1.0))
    sample = stand_still(make_sample(), np.random.default_rng(0))
    out = augment(sample, np.random.default_rng(1))
    assert np.abs(out.before.astype(int) - out.after).mean() > 3


def test_swapping_the_dates_swaps_the_classes() -> None:
    sample = make_sample()
    label = sample.label.copy()
    label[0, :4] = (3, 254, 255, 0)
    out = swap_dates(replace(sample, label=label))
    assert out.before is sample.after
    assert (out.label[label == 1] == 2).all()
    assert (out.label[label == 2] == 1).all()
    # A berth that was filled in is no event; the rest has no direction.
    assert out.label[0, :4].tolist() == [0, 254, 255, 0]


def test_nothing_changes_where_the_dates_are_one() -> None:
    sample = make_sample()
    label = sample.label.copy()
    label[0, 0] = 255
    out = stand_still(replace(sample, label=label), np.random.default_rng(0))
    np.testing.assert_array_equal(out.before, out.after)
    assert set(np.unique(out.label)) == {0, 255}


def test_a_pasted_object_brings_its_label_and_both_dates() -> None:
    sample = replace(make_sample(), label=np.zeros((64, 64), np.uint8))
    donor = make_sample(seed=1)
    for seed in range(8):
        out = mix(sample, donor, np.random.default_rng(seed))
        pasted = (out.before == donor.before).all(axis=2) & (out.after == donor.after).all(axis=2)
        assert (out.label[~pasted] == 0).all()
        np.testing.assert_array_equal(out.label[pasted], donor.label[pasted])


def test_a_hole_has_no_data_and_no_label() -> None:
    out = cut_hole(make_sample(), np.random.default_rng(3))
    hole = (out.before == 0).all(axis=2) | (out.after == 0).all(axis=2)
    assert hole.any()
    np.testing.assert_array_equal(out.label == 255, hole)


def test_no_data_stays_no_data_whatever_the_light() -> None:
    sample = make_sample()
    sample.before[:10] = 0
    augment = Augmenter(replace(QUIET, colour=1.0, degrade=1.0))
    for seed in range(5):
        out = augment(sample, np.random.default_rng(seed))
        assert ((out.before == 0).all(axis=2)).sum() == 10 * 64
        assert ((out.after == 0).all(axis=2)).sum() == 0


def test_dropping_near_infrared_puts_red_there() -> None:
    image = make_sample(bands=4).before
    np.testing.assert_array_equal(without_nir(image)[..., 3], image[..., 0])


@pytest.mark.parametrize("zoom", [0.5, 1.0, 2.0])
def test_crops_keep_label_and_image_together(zoom: float) -> None:
    sample = make_sample(256)
    changed = np.argwhere(sample.label > 0).astype(np.int32)
    config = CropConfig(size=64, zoom=(zoom, zoom), native=0, on_change=1.0)
    for seed in range(6):
        out = crop(sample, changed, config, 0, np.random.default_rng(seed))
        assert out.before.shape == (64, 64, 3)
        assert (out.label > 0).any()
        bright = out.after[..., 0] > 180
        agree = (bright == (out.label == 1)).mean()
        assert agree > 0.97


def test_a_scene_smaller_than_the_crop_is_surrounded_by_ignore() -> None:
    sample = make_sample(64)
    config = CropConfig(size=96, native=1.0)
    out = crop(sample, np.zeros((0, 2), np.int32), config, 0, np.random.default_rng(0))
    assert (out.label != 255).sum() == 64 * 64
    assert ((out.before == 0).all(axis=2) == (out.label == 255)).all()


def test_the_earlier_date_is_displaced_by_no_more_than_asked() -> None:
    sample = make_sample(64)
    config = CropConfig(size=32, native=1.0, on_change=0)
    steps = set()
    for seed in range(20):
        still = crop(sample, np.zeros((0, 2), np.int32), config, 0, np.random.default_rng(seed))
        moved = crop(sample, np.zeros((0, 2), np.int32), config, 2, np.random.default_rng(seed))
        np.testing.assert_array_equal(still.after, moved.after)
        inner = still.before[4:-4, 4:-4]
        found = [
            (y, x)
            for y in range(-4, 5)
            for x in range(-4, 5)
            if (moved.before[4 + y : 28 + y, 4 + x : 28 + x] == inner).all()
        ]
        steps.update(found)
    assert len(steps) > 3
    assert max(abs(step) for pair in steps for step in pair) <= 2


@pytest.mark.parametrize("bands", [3, 4, 6])
def test_cover_changes_plants_on_one_date_and_leaves_objects_and_label(bands: int) -> None:
    sample = make_sample(size=128, bands=bands)
    meadow = np.array([60, 90, 50, 200, 120, 80], np.uint8)[:bands]
    for image in (sample.before, sample.after):
        image[..., 0] = np.maximum(image[..., 0], 110)  # bare ground is red
        image[60:, 64:] = meadow
        image[:, 100:] = meadow
    touched = 0
    for seed in range(20):
        out = change_cover(sample, np.random.default_rng(seed))
        np.testing.assert_array_equal(out.label, sample.label)
        differs = (out.before != sample.before) | (out.after != sample.after)
        assert not differs[sample.label > 0].any()
        assert (out.before == sample.before).all() or (out.after == sample.after).all()
        touched += bool(differs[90:, 90:].any())
        assert not differs[30:, :40].any()  # bare ground: nothing to clear
    assert touched > 5


@pytest.mark.parametrize("zoom", [0.4, 1.3, 1.8, 2.5])
def test_a_label_lies_where_its_object_does_at_any_zoom(zoom: float) -> None:
    label = np.zeros((128, 128), np.uint8)
    label[40:90, 30:84] = 1
    image = np.repeat((label * 200 + 20)[..., None], 3, axis=2)
    scene = Sample(image, image, label)
    middle = np.array([[65, 57]], np.int32)
    config = CropConfig(size=96, zoom=(zoom, zoom), native=0, on_change=1)
    for seed in range(6):
        out = crop(scene, middle, config, 0, np.random.default_rng(seed))
        shown, said = out.after[..., 0] > 120, out.label == 1
        for axis in (0, 1):
            offset = np.nonzero(said)[axis].mean() - np.nonzero(shown)[axis].mean()
            assert abs(offset) < 0.2, f"the label is {offset:.2f} px beside its object"


def test_fewer_pixels_leave_no_grey_rim_of_no_data_and_no_label_there() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    before = image.copy()
    before[:, :31] = 0
    scene = Sample(before, image, np.zeros((100, 100), np.uint8))
    for zoom in (0.37, 2.3):
        config = CropConfig(size=64, zoom=(zoom, zoom), native=0, on_change=0)
        for seed in range(6):
            out = crop(scene, np.zeros((0, 2), np.int32), config, 2, np.random.default_rng(seed))
            assert set(np.unique(out.before)) <= {0, 199, 200}
            assert (out.label[out.before.max(axis=2) == 0] == 255).all()


def test_the_colours_of_four_bands_are_degraded_too() -> None:
    augment = Augmenter(replace(QUIET, degrade=1.0))
    sample = make_sample(bands=4)
    out = augment(sample, np.random.default_rng(3))
    changed = Augmenter(QUIET)(sample, np.random.default_rng(3))
    grain = [np.abs(np.diff(s.before[..., 0].astype(int), axis=0)).mean() for s in (out, changed)]
    assert abs(grain[0] - grain[1]) > 1

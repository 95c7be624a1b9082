"""Random labelled pairs: same seed same bytes, and the label says what the pixels show."""

import time

import numpy as np
import pytest

from groundbreak.simulate.buildings import Use, design, draw_building
from groundbreak.simulate.grid import DrawGrid
from groundbreak.simulate.labels import change_of, pair_label
from groundbreak.simulate.layers import Rect, empty_layers
from groundbreak.simulate.pair_worlds import AFTER, BEFORE, random_world
from groundbreak.simulate.pairs import render_pair
from groundbreak.simulate.works import Stage, Works
from groundbreak.types import MaskValue

HALL = Rect(150.0, 150.0, 120.0, 70.0, 0.4)
KNOWN = {int(value) for value in MaskValue}


@pytest.mark.parametrize("gsd_m", [0.3, 2.0, 10.0])
def test_a_seed_always_gives_the_same_pair(gsd_m: float) -> None:
    first, second = render_pair(7, 64, gsd_m), render_pair(7, 64, gsd_m)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first[0], render_pair(8, 64, gsd_m)[0])


def test_shapes_types_and_values() -> None:
    before, after, label = render_pair(3, 80, 1.0)
    assert before.shape == after.shape == (80, 80, 3)
    assert label.shape == (80, 80)
    assert before.dtype == after.dtype == label.dtype == np.uint8
    assert before.std() > 5
    assert after.std() > 5


@pytest.fixture(scope="module")
def many() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    inland = [render_pair(seed, 96, 1.5) for seed in range(18)]
    return inland + [render_pair(seed, 96, 2.0, place="coast") for seed in range(12)]


def test_every_kind_occurs_and_no_other_value(
    many: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    seen = {int(value) for _, _, label in many for value in np.unique(label)}
    assert seen <= KNOWN
    assert {0, 1, 2, 3, 255} <= seen


def test_change_shows_in_the_pixels(
    many: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> None:
    """Inside new and fallen buildings and slips the dates differ more than around them."""
    ratios = []
    for before, after, label in many:
        changed = np.isin(label, [1, 2, 3])
        if changed.sum() < 60:
            continue
        a, b = (chip.astype(float).mean(2) for chip in (before, after))
        difference = np.abs((a - np.median(a)) / a.std() - (b - np.median(b)) / b.std())
        ratios.append(difference[changed].mean() / difference[label == 0].mean())
    assert len(ratios) >= 8
    assert np.median(ratios) > 1.3


def test_a_place_without_a_name_is_refused() -> None:
    with pytest.raises(KeyError):
        render_pair(0, 64, 1.0, place="moon")


def test_speed_is_of_the_right_order() -> None:
    """Loose: about 0.3 s of one core is meant; a slip into minutes would ruin a training run."""
    render_pair(0, 256, 1.0)
    start = time.process_time()
    for seed in range(3):
        render_pair(seed, 256, 1.0)
    assert (time.process_time() - start) / 3 < 2.5


def test_a_pixel_that_is_partly_changed_is_not_labelled_unchanged() -> None:
    partly = 0
    for seed in range(8):
        world = random_world(np.random.default_rng(seed), 64, 10.0, 2, None)
        fine = pair_label(world.grid, world.works, BEFORE, AFTER, 1)
        label = pair_label(world.grid, world.works, BEFORE, AFTER, 2)
        kinds = np.isin(fine, (1, 2, 3)).reshape(*(n for s in label.shape for n in (s, 2)))
        changed = kinds.mean(axis=(1, 3))
        assert (label[changed >= 0.5] != MaskValue.NONE).all()
        partly += int((label[(changed > 0) & (changed < 0.5)] == MaskValue.IGNORE).sum())
    assert partly > 50


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        (Stage.FOUNDATION, Stage.STANDING, MaskValue.NEW_BUILDING),
        (Stage.FRAME, Stage.STANDING, MaskValue.NEW_BUILDING),
        (Stage.CLEARED, Stage.FRAME, MaskValue.IGNORE),
        (Stage.STANDING, Stage.STRIPPED, MaskValue.IGNORE),
        (Stage.STRIPPED, Stage.RUBBLE, MaskValue.DEMOLITION),
        (Stage.CLEARED, Stage.FOUNDATION, MaskValue.IGNORE),
        (Stage.RUBBLE, Stage.BARE, MaskValue.NONE),
    ],
)
def test_the_end_of_works_is_the_change(before: Stage, after: Stage, value: MaskValue) -> None:
    """As in the truth of a series: a building is new when it stands, gone when its walls are."""
    building = design(np.random.default_rng(0), Use.HALL, HALL)
    item = Works("hall", building, None, before, ((AFTER, after),))
    assert change_of(item, BEFORE, AFTER) == value


def test_a_pit_that_fills_with_water_is_a_new_berth() -> None:
    item = Works("berth", None, HALL, Stage.DUG, ((AFTER, Stage.WATER),))
    assert change_of(item, BEFORE, AFTER) == MaskValue.DOCKING_SLIP


def test_piers_that_came_with_a_berth_are_left_open() -> None:
    for seed in range(60):
        world = random_world(np.random.default_rng(seed), 96, 2.0, 2, "coast")
        for item in world.works:
            if item.flanks and change_of(item, BEFORE, AFTER) == MaskValue.DOCKING_SLIP:
                label = pair_label(world.grid, [item], BEFORE, AFTER, 2)
                if (label == MaskValue.DOCKING_SLIP).sum() > 20:
                    assert (label == MaskValue.IGNORE).sum() > 20
                    return
    raise AssertionError("no berth between new piers was drawn")


def test_a_building_of_several_parts_is_drawn_whole_at_coarse_pixels() -> None:
    shape = (60, 60)
    grid = DrawGrid(0.0, 0.0, 5.0, shape)
    building = next(
        made
        for seed in range(40)
        if len((made := design(np.random.default_rng(seed), Use.HALL, HALL)).parts) > 1
    )
    layers = empty_layers(grid, 3, np.zeros(shape, np.float32))
    draw_building(layers, building)
    drawn = float(layers.cover.sum()) * grid.step**2
    assert drawn == pytest.approx(building.footprint.area, rel=0.05)

"""Two dates whose offset was told wrongly do not become change everywhere."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from groundbreak.prepare.acquire import Source, acquire
from groundbreak.prepare.known import Known
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.offsets import settle_offsets
from groundbreak.prepare.scales import find_scale
from groundbreak.prepare.sight import first_sight
from groundbreak.raster.write import write_cog
from groundbreak.types import Asset, Band, HrefPolicy, Scene
from series import GRID, SIDE

NAMES = ("red", "green", "blue")


HOLE = np.s_[:, 20:40, 20:40]


def look(folder, name, *, added, stored=np.uint16, hole=HOLE, nodata=0, **properties):
    """A Sentinel-2 look of the same ground; ``added`` digital numbers are in the file."""
    numbers = np.random.default_rng(1).integers(200, 3000, (3, SIDE, SIDE)) + added
    numbers[hole] = 0
    path = folder / f"{name}.tif"
    write_cog(path, numbers.astype(stored), GRID, NAMES, nodata=nodata)
    bands = tuple(Band(i, n, n) for i, n in enumerate(NAMES, start=1))
    day = datetime(2022, 3, 1, tzinfo=UTC)
    scene = Scene(
        name, day, day, (Asset(str(path), bands),), (), "sentinel-2a", 10.0, None, properties
    )
    return LookPlan(name, day, day, (scene,), "sentinel-2a", 10.0)


OLD = {"s2:processing_baseline": "03.01"}
NEW = {"s2:processing_baseline": "04.00"}
SAID_REMOVED = {**NEW, "earthsearch:boa_offset_applied": True}


@pytest.mark.parametrize(
    ("first", "second", "corrected"),
    [
        ((0, OLD), (1000, NEW), False),
        ((0, OLD), (0, SAID_REMOVED), False),
        ((0, OLD), (1000, SAID_REMOVED), True),
        ((1000, NEW), (1000, {}), True),
    ],
)
def test_looks_agree_whatever_was_told(tmp_path, first, second, corrected):
    plans = [
        look(tmp_path, name, added=added, **told)
        for name, (added, told) in (("a", first), ("b", second))
    ]
    source = Source(NAMES, HrefPolicy(str(tmp_path)))
    settled, notes = settle_offsets(plans, GRID, source, Known())
    assert bool(notes) == corrected
    one, other = (acquire(plan, GRID, settled).pixels for plan in plans)
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(("added", "told"), [(0, OLD), (1000, NEW), (0, SAID_REMOVED)])
def test_digital_numbers_in_floating_point_have_the_same_offset(tmp_path, added, told):
    plans = [
        look(tmp_path, name, added=added, stored=stored, **told)
        for name, stored in (("whole", np.uint16), ("floating", np.float32))
    ]
    source = Source(NAMES, HrefPolicy(str(tmp_path)))
    [scene] = plans[1].scenes
    source = replace(source, scales={scene.id: find_scale(scene, GRID, source)})
    settled, notes = settle_offsets(plans, GRID, source, Known())
    assert notes == []
    one, other = (acquire(plan, GRID, settled) for plan in plans)
    np.testing.assert_allclose(one.pixels, other.pixels, atol=1e-6)
    np.testing.assert_array_equal(one.valid, other.valid)
    assert not other.pixels[HOLE].any()
    assert not other.valid[HOLE[1:]].any()


@pytest.mark.parametrize("stored", [np.uint16, np.float32])
@pytest.mark.parametrize(("added", "told"), [(0, OLD), (1000, NEW)])
def test_zeros_that_nothing_marks_are_fill_with_and_without_an_offset(
    tmp_path, stored, added, told
):
    side = np.s_[:, :, :60]
    plan = look(tmp_path, "a", added=added, stored=stored, hole=side, nodata=None, **told)
    source = Source(NAMES, HrefPolicy(str(tmp_path)))
    assert first_sight(plan.scenes[0], GRID, source, Known()).filled


def test_haze_and_other_sensors_are_left_alone(tmp_path):
    plans = [look(tmp_path, "a", added=0, **OLD), look(tmp_path, "b", added=450, **SAID_REMOVED)]
    source = Source(NAMES, HrefPolicy(str(tmp_path)))
    assert settle_offsets(plans, GRID, source, Known()) == (source, [])
    assert settle_offsets(plans[:1], GRID, source, Known()) == (source, [])

"""Preparing a site gives the same looks whatever the blocks and however many threads."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from groundbreak.prepare import look as room
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.job import PrepareConfig, SiteJob
from groundbreak.prepare.look import SiteGrid
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.site import prepare_site
from groundbreak.raster.grid import site_mask
from groundbreak.types import Asset, Band, HrefPolicy, Scene, Site
from series import GRID, SIDE, picture, write_picture

BANDS = tuple(Band(i, name, name) for i, name in enumerate(("red", "green", "blue"), start=1))
HOLE = (slice(5, 30), slice(100, 140))


def prepared(folder, threads=1):
    pictures = [picture(seed=n, cloud=HOLE if n == 1 else None) for n in range(3)]
    return prepare(folder, [np.roll(p, n, axis=2) for n, p in enumerate(pictures)], threads).looks


def prepare(folder, pictures, threads=1, progress=lambda _: None):
    """One look of each picture, a month apart."""
    plans = []
    for number, pixels in enumerate(pictures):
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=30 * number)
        path = folder.parent / "scenes" / f"{number}.tif"
        if not path.is_file():
            write_picture(path, pixels)
        scene = Scene(f"scene{number}", moment, moment, (Asset(str(path), BANDS),), ())
        plans.append(LookPlan(f"look{number}", moment, moment, (scene,), None, 1.0))
    site = Site("s", "S", GRID.extent.to_crs("EPSG:4326").geom)
    source = Source(("red", "green", "blue"), HrefPolicy(root=str(folder.parent)))
    inside = site_mask(site, GRID)
    job = SiteJob(SiteGrid(site, GRID, GRID), inside, source, PrepareConfig(), folder, threads)
    return prepare_site(job, plans, progress)


@pytest.mark.parametrize("block", [100, 64])
def test_blocks_leave_no_trace(tmp_path, monkeypatch, block):
    whole = prepared(tmp_path / "whole")
    monkeypatch.setattr(room, "BLOCK", block)
    for one, other in zip(whole, prepared(tmp_path / "blocks"), strict=True):
        window = (slice(0, SIDE), slice(0, SIDE))
        np.testing.assert_array_equal(one.pixels(window), other.pixels(window))
        assert (one.mean, one.spread) == (other.mean, other.spread)
        assert (one.valid_share, one.usable_share) == (other.valid_share, other.usable_share)


def test_statistics_are_those_of_the_usable_pixels(tmp_path):
    for look in prepared(tmp_path / "looks"):
        window = (slice(0, SIDE), slice(0, SIDE))
        seen = look.pixels(window)[:, look.usable(window)].astype(float)
        np.testing.assert_allclose(look.mean, seen.mean(axis=1), atol=1e-6)
        np.testing.assert_allclose(look.spread, seen.std(axis=1), atol=1e-6)


def test_threads_change_nothing(tmp_path):
    alone, together = prepared(tmp_path / "one"), prepared(tmp_path / "three", threads=3)
    assert [look.digest for look in alone] == [look.digest for look in together]


def town(seed, place=0):
    """(3, SIDE, SIDE) uint8: roofs of all sizes, which one depends on the place; some noise."""
    where = np.random.default_rng(place)
    image = np.full((3, SIDE, SIDE), 90.0)
    for _ in range(60):
        y, x, height, width = where.integers((0, 0, 4, 4), (SIDE, SIDE, 20, 20))
        image[:, y : y + height, x : x + width] = where.integers(40, 220)
    return np.clip(image + np.random.default_rng(seed).normal(0, 2, image.shape), 1, 255)


def elsewhere(seed):
    return town(seed, place=1)


def names(found):
    return [look.id for look in found.looks], [entry.plan.id for entry in found.unused]


def test_a_look_that_is_placed_wrongly_takes_no_part(tmp_path):
    good = [town(n) for n in range(3)]
    found = prepare(tmp_path / "site", [good[0], elsewhere(5), *good[1:]])
    assert names(found) == (["look0", "look2", "look3"], ["look1"])
    assert "nothing of it lies where looks before and after show it" in found.unused[0].reason
    assert all(look.aligned for look in found.looks)


def test_a_look_that_the_reference_does_not_know_is_laid_by_its_neighbours(tmp_path):
    """Fields of another year: nothing is left of the first one, half of the ones beside it."""

    def halves(seed):
        return np.where(np.arange(SIDE) < SIDE // 2, town(seed), elsewhere(seed))

    later = np.roll(elsewhere(5), 1, axis=2)
    found = prepare(tmp_path / "site", [town(0), halves(1), later, halves(2)])
    assert names(found) == (["look0", "look1", "look2", "look3"], [])
    assert found.looks[2].shift_px == pytest.approx((1, 0), abs=0.2)
    assert not found.looks[2].apart


def test_one_that_is_placed_wrongly_is_not_what_the_others_are_laid_on(tmp_path):
    good = [town(n) for n in range(3)]
    found = prepare(tmp_path / "site", [elsewhere(5), *good])
    assert [look.apart for look in found.looks] == [True, False, False, False]
    assert [look.aligned for look in found.looks] == [False, True, True, True]


def test_nor_are_several_that_lie_on_each_other(tmp_path):
    found = prepare(tmp_path / "site", [*map(elsewhere, range(2)), *map(town, range(4))])
    assert [look.apart for look in found.looks] == [True, True, False, False, False, False]


def test_the_same_picture_under_several_dates_is_noted(tmp_path):
    one, other, third = (town(n).astype(np.uint8) for n in range(3))
    found = prepare(tmp_path / "a" / "site", [one, other, one])
    assert found.notes == (
        "scene0 and scene2 show the same pixels under 2 dates: one of them is likely wrong",
    )
    assert len(found.looks) == 3  # which of them nobody knows
    found = prepare(tmp_path / "b" / "site", [one, one, other, one])
    assert found.notes == (
        "scene0, scene1 and scene3 show the same pixels under 3 dates: all but one of them are "
        "likely wrong",
    )
    assert prepare(tmp_path / "c" / "site", [one, other, third]).notes == ()


def test_ground_that_was_built_over_as_a_whole_is_not_left_out(tmp_path):
    """It has as little in common with what it was as another place has."""
    pair = prepare(tmp_path / "two" / "pair", [town(0), elsewhere(5)])
    assert [look.apart for look in pair.looks] == [False, True]
    assert pair.looks[1].flags[0] == "misregistered"
    series = prepare(tmp_path / "series", [*map(town, range(3)), *map(elsewhere, range(2))])
    assert names(series)[1] == []


def test_one_more_look_gives_what_all_of_them_give(tmp_path):
    pictures = [elsewhere(5), town(0), town(1)]
    two = prepare(tmp_path / "site", pictures[:2])
    assert [look.apart for look in two.looks] == [False, True]
    more = prepare(tmp_path / "site", pictures)
    assert [look.apart for look in more.looks] == [True, False, False]
    whole = prepare(tmp_path / "whole" / "site", pictures)
    assert [look.digest for look in more.looks] == [look.digest for look in whole.looks]


def test_a_large_shift_is_taken_out(tmp_path):
    good = town(0)
    found = prepare(tmp_path / "site", [good, np.roll(town(1), 12, axis=2)])
    assert found.looks[1].aligned
    assert found.looks[1].shift_px == pytest.approx((12, 0), abs=0.1)


def calm(seed):
    """(3, SIDE, SIDE): the sea, whose waves are elsewhere in every look."""
    return np.random.default_rng(seed).normal(60, 2, (3, SIDE, SIDE))


@pytest.mark.parametrize("hidden", [calm, lambda _seed: np.zeros((3, SIDE, SIDE))])
def test_a_large_site_is_aligned_by_what_can_be_seen_of_it(tmp_path, monkeypatch, hidden):
    """Water, or the edge of the later look's swath, in one quarter of it."""
    monkeypatch.setattr(room, "SAMPLE", SIDE // 2)
    quarter = (slice(None), slice(0, SIDE // 2), slice(0, SIDE // 2))
    pictures = [town(0), np.roll(town(1), 3, axis=2)]
    pictures[1][quarter] = hidden(3)[quarter]
    if hidden is calm:
        pictures[0][quarter] = calm(2)[quarter]
    look = prepare(tmp_path / "site", pictures).looks[1]
    assert look.aligned
    assert look.shift_px == pytest.approx((3, 0), abs=0.1)


def windows_of(monkeypatch, shape, *bright):
    """Pieces of a site of that shape which is bright in squares of 10 pixels."""
    monkeypatch.setattr(room, "SAMPLE", 80)
    grid = GRID[: shape[0], : shape[1]]
    pixels = np.full((3, *grid.shape), 0.2, np.float32)
    for y, x in bright:
        pixels[:, y : y + 10, x : x + 10] = 0.8
    seen = SimpleNamespace(acquired=SimpleNamespace(pixels=pixels), usable=pixels[0] > 0)
    found = room.sample_windows(SiteGrid(Site("s", "S", GRID.extent.geom), grid, grid), seen)
    return sorted((box.y0, box.x0, *box.shape) for box in found)


def test_every_quarter_of_a_large_site_is_looked_at_where_it_shows_most(monkeypatch):
    bright = ((10, 50), (50, 130), (90, 5), (130, 90))
    assert windows_of(monkeypatch, (SIDE, SIDE), *bright) == [
        *((0, 40, 40, 40), (40, 120, 40, 40), (80, 0, 40, 40), (120, 80, 40, 40)),
    ]
    assert (40, 40, 40, 40) in windows_of(monkeypatch, (SIDE, SIDE), (40, 60))


@pytest.mark.parametrize("shape", [(30, SIDE), (41, SIDE), (70, 120), (81, 81), (SIDE, 95)])
def test_no_two_pieces_of_a_site_overlap(monkeypatch, shape):
    found = windows_of(monkeypatch, shape)
    seen = np.zeros(shape, int)
    for y, x, height, width in found:
        seen[y : y + height, x : x + width] += 1
    assert seen.max() == 1
    assert seen.sum() >= 0.5 * min(shape[0] * shape[1], 80**2)


def test_a_site_that_is_no_larger_is_looked_at_as_a_whole(monkeypatch):
    assert windows_of(monkeypatch, (40, SIDE)) == [(0, 0, 40, SIDE)]


def test_what_was_aligned_is_not_aligned_again(tmp_path):
    pictures = [town(0), elsewhere(5), town(1)]
    said = []
    prepare(tmp_path / "site", pictures, progress=said.append)
    # On the first look, and the one that does not lie there on the last one as well.
    assert sum(text.startswith("aligning") for text in said) == 3
    again = []
    found = prepare(tmp_path / "site", pictures, progress=again.append)
    assert not any(text.startswith(("aligning", "preparing")) for text in again)
    assert names(found) == (["look0", "look2"], ["look1"])

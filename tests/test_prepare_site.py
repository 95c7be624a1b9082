"""Preparing a site gives the same looks whatever the blocks and however many threads."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from groundbreak.prepare import look as room
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.look import SiteGrid
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.site import PrepareConfig, SiteJob, prepare_site
from groundbreak.raster.grid import site_mask
from groundbreak.types import Asset, Band, HrefPolicy, Scene, Site
from series import GRID, SIDE, picture, write_picture

BANDS = tuple(Band(i, name, name) for i, name in enumerate(("red", "green", "blue"), start=1))
HOLE = (slice(5, 30), slice(100, 140))


def prepared(folder, threads=1):
    plans = []
    for number in range(3):
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=30 * number)
        path = folder.parent / "scenes" / f"{number}.tif"
        pixels = picture(seed=number, cloud=HOLE if number == 1 else None)
        write_picture(path, np.roll(pixels, number, axis=2))
        scene = Scene(f"scene{number}", moment, moment, (Asset(str(path), BANDS),), ())
        plans.append(LookPlan(f"look{number}", moment, moment, (scene,), None, 1.0))
    site = Site("s", "S", GRID.extent.to_crs("EPSG:4326").geom)
    source = Source(("red", "green", "blue"), HrefPolicy(root=str(folder.parent)))
    inside = site_mask(site, GRID)
    job = SiteJob(SiteGrid(site, GRID, GRID), inside, source, PrepareConfig(), folder, threads)
    return prepare_site(job, plans).looks


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

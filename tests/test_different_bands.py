"""Looks of one site with and without near infrared: each pair is compared by what both have."""

import json
from dataclasses import replace

import numpy as np
import pytest

from commands import events, observed
from groundbreak.raster.write import write_cog
from series import GRID, BrightEngine, picture, take, write_sites

RGBN = ("red", "green", "blue", "nir")
DAYS = ("2024-01-10", "2024-02-09", "2024-03-10", "2024-04-09", "2024-05-09")
BUILT_FROM = 3
HOUSE_M2 = 500
SHED = (slice(70, 90), slice(30, 55))
"""Seen in near infrared only."""


class InfraredEngine(BrightEngine):
    """Asks the fourth band for what became brighter, and keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.card = replace(self.card, bands=RGBN, optional_bands=("nir",))
        self.shown = []

    def predict(self, before, after, statistics=None, zoom=None):
        self.shown.append((before[:, 3] - before[:, 0], after[:, 3] - after[:, 0]))
        assert statistics.mean.shape == statistics.spread.shape == (2, 4)
        return super().predict(before[:, 3:], after[:, 3:], statistics, zoom)


@pytest.fixture
def engine(monkeypatch):
    return take(InfraredEngine(), monkeypatch)


@pytest.fixture
def scenes(tmp_path):
    """``scenes(*days, rgb)`` writes the scenes of some days; those in ``rgb`` in three bands."""
    write_sites(tmp_path / "sites.geojson")
    folder = tmp_path / "scenes"
    folder.mkdir()

    def write(*days, rgb=(), infrared="nir"):
        for number, day in enumerate(DAYS):
            if day not in days:
                continue
            pixels = picture(house=number >= BUILT_FROM, seed=number)
            nir = pixels[:1] // 2 + 100
            if number >= BUILT_FROM:
                nir[(0, *SHED)] = 250
            if day not in rgb:
                pixels = np.concatenate([pixels, nir])
            names = (*RGBN[:3], infrared)[: len(pixels)]
            write_cog(folder / f"{day}.tif", pixels, GRID, names, 0)

    return write


@pytest.fixture
def detect(tmp_path, command):
    def work(name="run"):
        words = ["--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes"]
        assert command("detect", *words, "-o", tmp_path / name).code == 0
        return tmp_path / name

    return work


def states(folder, *patterns):
    paths = {path for pattern in patterns for path in folder.glob(f"work/s0/{pattern}")}
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in paths}


def notes(folder):
    [site] = json.loads((folder / "summary.json").read_text())["sites"]
    return site["notes"]


def test_one_more_look_without_it_leaves_the_others_as_they_are(engine, scenes, detect):
    scenes(*DAYS[:4])
    work = detect()
    assert len(events(work)) == 2  # the house, and the shed that needs near infrared
    kinds = ("looks/*/*", "pairs/*/*", "longer/*/*")
    before = states(work, *kinds)
    assert notes(work) == []
    scenes(DAYS[4], rgb=DAYS)
    engine.shown.clear()
    detect()
    assert states(work, *kinds).items() >= before.items()
    assert notes(work) == [
        f"{DAYS[4]} has no near infrared and is compared with other looks without it"
    ]
    scratch = detect("scratch")
    assert events(work) == events(scratch)
    assert observed(work) == observed(scratch)


@pytest.mark.parametrize("which", range(len(DAYS)))
def test_a_pair_is_compared_by_what_both_have(engine, scenes, detect, which):
    scenes(*DAYS, rgb=[DAYS[which]])
    work = detect()
    # Near infrared against red would be a change everywhere.
    found = {event["kind"] for event in events(work)}
    assert found == {"new_building"}
    for before, after in engine.shown:
        assert before.any() == after.any()
    assert any(before.any() for before, _ in engine.shown)
    looks = [
        json.loads(path.read_text()) for path in sorted(work.glob("work/s0/looks/*/look.json"))
    ]
    assert [len(look["bands"]) for look in looks] == [3 if n == which else 4 for n in range(5)]
    for look in looks:
        assert len(look["gain"]) == len(look["mean"]) == len(look["bands"])


def test_where_none_has_it_nothing_is_said(engine, scenes, detect):
    scenes(*DAYS, rgb=DAYS)
    work = detect()
    assert notes(work) == []
    [event] = events(work)
    assert event["area_m2"] == pytest.approx(HOUSE_M2, rel=0.15)
    assert not any(before.any() or after.any() for before, after in engine.shown)


def test_the_narrow_near_infrared_of_landsat_is_one(engine, scenes, detect):
    scenes(*DAYS, infrared="nir08")
    assert len(events(detect())) == 2
    assert all(before.any() and after.any() for before, after in engine.shown)


def test_files_of_one_day_with_different_bands_are_one_look(engine, scenes, detect, tmp_path):
    scenes(*DAYS)
    pixels = picture(house=True, seed=DAYS.index(DAYS[4]))
    write_cog(tmp_path / "scenes" / f"{DAYS[4]}_rgb.tif", pixels, GRID, RGBN[:3], 0)
    work = detect()
    assert {event["kind"] for event in events(work)} == {"new_building"}
    assert sum(row["used"] for row in observed(work)) == len(DAYS)

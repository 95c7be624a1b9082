"""Pictures that state no scale: recognised where it is beyond doubt, else left out."""

import json

import numpy as np
import pytest

from commands import events, observed
from groundbreak.raster.write import write_cog
from groundbreak.scaling import recognise_scale
from series import GRID, picture, write_picture, write_sites

DAYS = ("2024-01-10", "2024-02-09", "2024-03-10", "2024-04-09")


@pytest.fixture
def detect(tmp_path, command, engine):
    """``detect(change)`` on a series whose later two dates are stored as ``change`` makes them."""
    write_sites(tmp_path / "sites.geojson")

    def run(change, scale=None):
        for number, day in enumerate(DAYS):
            pixels = picture(house=number > 1, seed=number)
            path = tmp_path / "scenes" / f"{day}.tif"
            if number < 2:
                write_picture(path, pixels)
            else:
                write_cog(path, change(pixels), GRID, ("red", "green", "blue"), 0, scale=scale)
        words = ["--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes"]
        assert command("detect", *words, "-o", tmp_path / "run").code == 0
        return tmp_path / "run"

    return run


STORED = {
    "digital numbers in floating point": lambda p: p.astype(np.float32) / 255 * 10000,
    "8 bits in floating point": lambda p: p.astype(np.float32),
    "8 bits stretched to 16": lambda p: p.astype(np.uint16) * 257,
}


@pytest.mark.parametrize("change", STORED.values(), ids=STORED)
def test_it_is_recognised(detect, change):
    [event] = events(detect(change))
    assert event["kind"] == "new_building"
    assert event["start_datetime"].startswith("2024-02-09")


UNKNOWN = {
    "percent": lambda p: p.astype(np.float32) / 255 * 100 + 0.25,
    "16 bits with a large offset": lambda p: p.astype(np.uint16) * 60 + 8000,
}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
def test_what_nobody_knows_is_left_out(detect, change):
    run = detect(change)
    assert events(run) == []
    reasons = [row["reason"] for row in observed(run) if not row["used"]]
    assert len(reasons) == 2
    assert all("beyond reflectance 1" in r and "state their scale" in r for r in reasons)


def test_a_fault_of_several_scenes_is_told_once(tmp_path, detect, command):
    run = detect(UNKNOWN["percent"])
    [site] = json.loads((run / "summary.json").read_text())["sites"]
    [note] = [text for text in site["notes"] if "reflectance" in text]
    assert note.startswith("2024-03-10, 2024-04-09: most of its values are beyond reflectance 1")
    # Where there is nothing else the remark says it, and no note says it again.
    for day in DAYS[:2]:
        (tmp_path / "scenes" / f"{day}.tif").unlink()
    words = ("--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes")
    answer = command("detect", *words, "-o", run)
    assert (answer.out + answer.err).count("beyond reflectance 1") == 1


def test_a_stated_scale_counts(tmp_path, detect):
    def change(pixels):
        return UNKNOWN["percent"](pixels)

    run = detect(change, scale=0.01)
    assert len(events(run)) == 1


def test_the_whole_range_of_16_bits_is_recognised():
    values = np.random.default_rng(0).uniform(3000, 60000, 500)
    assert recognise_scale(values.astype(np.uint16)) == 1 / 65535
    assert recognise_scale(values.astype(np.float32)) == 1 / 65535


def test_reflectance_is_left_as_it_is():
    rng = np.random.default_rng(0)
    for usual in (
        rng.uniform(0.02, 0.4, 500).astype(np.float32),
        rng.uniform(0.7, 1.6, 500).astype(np.float32),  # under cloud
        rng.uniform(200, 4000, 500).astype(np.uint16),
        rng.uniform(7000, 16000, 500).astype(np.uint16),  # under cloud
        rng.uniform(20, 200, 500).astype(np.uint16),  # deep water
        np.full(500, 65535, np.uint16),
    ):
        assert recognise_scale(usual) is None

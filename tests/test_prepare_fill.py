"""Black that nothing marks as missing: frames and corners are no data, shadows and water are."""

import numpy as np
import pytest

from commands import events, observed
from groundbreak.prepare.fill import shows_fill
from groundbreak.types import Patch
from series import BARN, GRID, SIDE, picture, write_picture, write_sites

DAYS = ("2024-01-10", "2024-02-09", "2024-03-10")
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
CORNER = COLUMNS - ROWS * 0.3 > 45
assert CORNER[BARN].all()


@pytest.fixture
def detect(tmp_path, command, engine):
    """``detect(last)`` on a series without nodata values whose last picture is given."""
    write_sites(tmp_path / "sites.geojson")

    def run(last):
        for number, day in enumerate(DAYS):
            pixels = picture(seed=number) if number < 2 else last
            write_picture(tmp_path / "scenes" / f"{day}.tif", pixels, nodata=None)
        words = ["--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes"]
        assert command("detect", *words, "-o", tmp_path / "run").code == 0
        [row] = [r for r in observed(tmp_path / "run") if r["scene_ids"] == [DAYS[2]]]
        return row, events(tmp_path / "run")

    return run


def test_a_black_frame_shows_nothing(detect):
    row, found = detect(np.zeros_like(picture()))
    assert found == []
    assert (row["used"], row["reason"]) == (False, "shows 0 % of the site")


def test_a_picture_of_one_colour_shows_nothing(detect):
    row, found = detect(np.full_like(picture(), 255))
    assert found == []
    assert (row["used"], row["reason"]) == (False, "shows one colour only")


def test_a_black_corner_is_no_data(detect):
    row, found = detect(np.where(CORNER, 0, picture(seed=2)).astype(np.uint8))
    assert found == []
    assert row["used"]
    assert row["usable_share"] == pytest.approx(1 - CORNER.mean(), abs=0.02)


def patch(pixels):
    values = pixels.astype(np.float32) / 255
    whole = np.ones(values.shape[1:], bool)
    return Patch(GRID, ("red", "green", "blue"), values, whole, ~whole)


def black(where, soft=0.0):
    """The picture, black in an area; ``soft``: with specks in it, and dark around it."""
    rng = np.random.default_rng(1)
    pixels = picture().astype(float)
    pixels[:, where] = rng.choice([0, 2], p=[1 - soft, soft], size=int(where.sum()))
    return pixels


WAVY = 90 + 25 * np.sin(ROWS / 9) < COLUMNS


@pytest.mark.parametrize(
    ("pixels", "fill"),
    [
        (black(CORNER), True),
        (black(CORNER | (COLUMNS < 20)), True),
        (black((COLUMNS + ROWS < 60) | (COLUMNS - ROWS > 100)), True),
        (black(CORNER, soft=0.05), False),
        (black(WAVY), False),
        (black((ROWS - 90) ** 2 + (COLUMNS - 80) ** 2 < 5), False),
        (np.where(CORNER, 0, np.minimum(picture(), 3)), False),
        (picture(), False),
    ],
    ids=["corner", "strip", "turned", "specks", "wavy", "shadow", "dark around", "none"],
)
def test_black_with_straight_edges_is_fill(pixels, fill):
    assert shows_fill(patch(pixels)) is fill

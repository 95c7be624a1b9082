"""Black and white that nothing marks as missing: frames and corners are no data; shadows, water,
snow and roofs are.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from commands import events, observed
from groundbreak.prepare.acquire import Source, read_one
from groundbreak.prepare.fill import find_fill, shows_black_fill
from groundbreak.prepare.known import Known
from groundbreak.prepare.sight import first_sight
from groundbreak.types import Band, HrefPolicy, Patch
from rasters import RGB, scene, write
from series import BARN, CRS, GRID, SIDE, picture, write_picture, write_sites

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


@pytest.mark.parametrize("colour", [0, 255])
def test_a_black_or_white_frame_shows_nothing(detect, colour):
    row, found = detect(np.full_like(picture(), colour))
    assert found == []
    assert (row["used"], row["reason"]) == (False, "shows 0 % of the site")


def test_a_picture_of_one_colour_shows_nothing(detect):
    row, found = detect(np.full_like(picture(), 180))
    assert found == []
    assert (row["used"], row["reason"]) == (False, "shows one colour only")


@pytest.mark.parametrize("colour", [0, 255])
def test_a_black_or_white_corner_is_no_data(detect, colour):
    row, found = detect(np.where(CORNER, colour, picture(seed=2)).astype(np.uint8))
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
        (black((abs(ROWS - 80) > 68) | (abs(COLUMNS - 80) > 60)), True),
        (black(CORNER, soft=0.05), False),
        (black(WAVY), False),
        (black((ROWS - 90) ** 2 + (COLUMNS - 80) ** 2 < 5), False),
        (np.where(CORNER, 0, np.minimum(picture(), 3)), False),
        (picture(), False),
    ],
    ids=["corner", "strip", "turned", "frame", "specks", "wavy", "shadow", "dark around", "none"],
)
def test_black_with_straight_edges_is_fill(pixels, fill):
    assert shows_black_fill(patch(pixels)) is fill


INSIDE = (slice(70, 90), slice(35, 55))
"""Of a white roof amid the picture."""


def white(where, around=0.0):
    """The picture, white in an area and on a roof; ``around``: pixels over which it gets there."""
    soft = np.where(where, 1.0, 0.0)
    if around:
        soft = np.clip(1.6 * gaussian_filter(soft, around), 0, 1)
    pixels = picture() + soft * (255.0 - picture())
    pixels[(slice(None), *INSIDE)] = 255
    return pixels.astype(np.uint8)


def kept(path, pixels, **options):
    """A scene of the pixels, and the source that reads it."""
    write(path, pixels, GRID.affine, CRS, photometric="rgb", **options)
    bands = tuple(Band(number, name, name) for number, name in enumerate(RGB, 1))
    return scene(path, bands=bands), Source(RGB, HrefPolicy(root=str(path.parent)))


LOSSY = {
    "jpeg": {"compress": "jpeg", "tiled": True, "blockxsize": 64, "blockysize": 64},
    "webp": {"compress": "webp", "webp_level": 75},
}
FRAME = (ROWS < 12) | (ROWS >= SIDE - 12) | (COLUMNS < 20) | (COLUMNS >= SIDE - 20)
TURNED = (COLUMNS + ROWS < 60) | (COLUMNS - ROWS > 100)


@pytest.mark.parametrize(
    ("where", "options"),
    [
        (COLUMNS >= 130, {}),
        (CORNER, {}),
        (TURNED, {}),
        (FRAME, {}),
        (CORNER, LOSSY["jpeg"]),
        (TURNED, LOSSY["webp"]),
    ],
    ids=["strip", "tilted", "turned", "frame", "jpeg", "webp"],
)
def test_white_that_leaves_straight_edges_is_fill_and_a_white_roof_inside_is_not(
    tmp_path, where, options
):
    it, source = kept(tmp_path / "a.tif", white(where), **options)
    sight = first_sight(it, GRID, source, Known())
    assert sight.filled == ("white",)
    source.filled[it.id] = sight.filled
    valid = read_one(it, GRID, source).valid
    assert valid[INSIDE].all()
    # Compression frays the edge.
    assert np.mean(valid == where) < (0.03 if options else 0.001)


NOISE = np.random.default_rng(4).normal(size=(SIDE, SIDE))
SEEN = {
    "inside": white(ROWS < 0),
    "beach": white(WAVY),
    "haze": white(COLUMNS > 120, around=10),
    "snow": white(COLUMNS + 90 * gaussian_filter(NOISE, 2) > 120),
    "cloud": white((ROWS - 30) ** 2 + (COLUMNS - 150) ** 2 < 1600, around=8),
    "trees": white((COLUMNS > 130) & (NOISE < 2)),
    "roof": white((ROWS < 40) & (abs(COLUMNS - 90) < 25)),
    "corner roof": white((ROWS < 40) & (COLUMNS < 45)),
    "bright": np.where(COLUMNS > 120, 255, np.clip(picture() + 170.0, 0, 250)).astype(np.uint8),
    "reflectance": (white(CORNER) * 40.0).astype(np.uint16),
}


@pytest.mark.parametrize("pixels", SEEN.values(), ids=SEEN)
def test_snow_sand_clouds_and_roofs_at_the_border_are_no_fill(tmp_path, pixels):
    it, source = kept(tmp_path / "a.tif", pixels)
    assert find_fill(it, GRID, source) == ()


def test_black_and_white_fill_are_told_apart(tmp_path):
    pixels = np.where(COLUMNS < 25, 0, white(COLUMNS >= 130)).astype(np.uint8)
    it, source = kept(tmp_path / "a.tif", pixels)
    assert find_fill(it, GRID, source) == ("black", "white")


def test_a_kept_sight_is_read_again_and_one_that_is_none_is_found_anew(tmp_path, caplog):
    it, source = kept(tmp_path / "a.tif", white(CORNER))
    path = tmp_path / "known.json"
    known = Known(path)
    sight = first_sight(it, GRID, source, known)
    known.save(forget=True)
    assert first_sight(it, GRID, source, Known(path)) == sight
    assert not caplog.records
    text = path.read_text()
    for other in ("true", '["red"]', '"white"'):
        path.write_text(text.replace('["white"]', other))
        assert path.read_text() != text
        assert first_sight(it, GRID, source, Known(path)) == sight
    assert "is damaged" in caplog.text

"""Outlines are drawn once: kept ones are the drawn ones, and stale ones are not taken."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from groundbreak.events.vectorize import VectorConfig
from groundbreak.pipeline import outlines as room
from groundbreak.pipeline.change import StoredChange
from groundbreak.pipeline.maps import SiteMaps
from groundbreak.pipeline.outlines import outlines
from groundbreak.raster.write import RasterSink
from groundbreak.types import KINDS, Box, Kind

SIDE = 90
GRID = GeoBox((SIDE, SIDE), Affine(0.7, 0, 500_000.3, 0, -0.7, 4_400_000.1), "EPSG:32652")
CONFIG = VectorConfig(min_area_m2=dict.fromkeys(KINDS, 5.0))


@pytest.fixture
def drawn(monkeypatch):
    """Counts how often outlines are drawn."""
    calls = []
    original = room.candidates_streamed

    def counted(*given):
        calls.append(given[3])
        return original(*given)

    monkeypatch.setattr(room, "candidates_streamed", counted)
    return calls


def maps_of(folder, key="k", around=None):
    """A map with a patch of new buildings across (50, 50), and one at the border."""
    values = np.zeros((3, SIDE, SIDE), np.uint16)
    values[0, 40:61, 37:58] = 9012
    values[0, 45, 50] = 9345
    values[1, 80:, 10:30] = 7777
    with RasterSink(folder / "rows_0.tif", GRID, 3, "uint16", nodata=65535) as sink:
        sink.write(Box(0, SIDE, 0, SIDE), values)
    maps = SiteMaps()
    pair = maps.add(StoredChange("a", "b", folder, (0, SIDE), key=key), around)
    return maps, pair


def test_what_was_kept_is_what_was_drawn(tmp_path, drawn):
    maps, pair = maps_of(tmp_path)
    first = outlines(maps, pair, GRID, CONFIG)
    assert [patch.kind for patch in first] == [Kind.NEW_BUILDING, Kind.DEMOLITION]
    again = outlines(*maps_of(tmp_path), GRID, CONFIG)
    assert len(drawn) == 1
    assert again == first
    for one, other in zip(again, first, strict=True):
        assert one.polygon.wkb == other.polygon.wkb


def test_what_depends_on_something_else_is_drawn_again(tmp_path, drawn):
    outlines(*maps_of(tmp_path), GRID, CONFIG)
    coarser = replace(CONFIG, simplify_px=2.0)
    near = (Box(30, 70, 30, 70),)
    others = [
        (*maps_of(tmp_path, key="other"), GRID, CONFIG),
        (*maps_of(tmp_path), GRID, coarser),
        (*maps_of(tmp_path, around=near), GRID, CONFIG),
        (*maps_of(tmp_path), GRID.translate_pix(1, 0), CONFIG),
    ]
    for count, given in enumerate(others, start=2):
        outlines(*given)
        assert len(drawn) == count


@pytest.mark.parametrize("block", [50, 64, 81])
def test_blocks_neither_cut_nor_repeat_a_patch(tmp_path, monkeypatch, block):
    whole = outlines(*maps_of(tmp_path / "whole"), GRID, CONFIG)
    monkeypatch.setattr(room, "BLOCK", block)
    assert outlines(*maps_of(tmp_path / "blocks"), GRID, CONFIG) == whole

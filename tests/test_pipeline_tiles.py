"""The tiling stage over a watch-list: what one site costs, and what ends it all."""

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from groundbreak.errors import HrefError, InputError, RasterError
from groundbreak.pipeline import tiles
from groundbreak.pipeline.tiles import TileRequest, cut_sites
from groundbreak.prepare.job import PrepareConfig
from groundbreak.raster.tiling import TileConfig
from series import SIDE, write_series, write_sites

CORNERS = [(0, -80, 80, 0), (80, -80, SIDE, 0)]


@pytest.fixture
def request_(tmp_path, engine):
    write_series(tmp_path / "scenes", [{}, {"house": True}])
    write_sites(tmp_path / "sites.geojson", *CORNERS)
    return TileRequest(
        tmp_path / "sites.geojson",
        tmp_path / "scenes",
        tmp_path / "tiles",
        PrepareConfig(),
        TileConfig(64, 0),
    )


@pytest.fixture
def fails(monkeypatch):
    """Let the cutting of some sites end in an error."""
    cut = tiles.cut_tiles

    def make(error, *names):
        def cut_tiles(site_id, *rest):
            if site_id in names:
                raise error
            return cut(site_id, *rest)

        monkeypatch.setattr(tiles, "cut_tiles", cut_tiles)

    return make


def test_a_site_that_cannot_be_cut_costs_that_site_only(request_, fails):
    fails(RasterError("pixels.tif", "is damaged"), "s0")
    result = cut_sites(request_)
    assert {row["site_id"] for row in pq.read_table(result.manifest).to_pylist()} == {"s1"}
    assert result.tiles == 8
    assert "site 's0' was left out: pixels.tif: is damaged" in result.notes


def test_every_site_that_cannot_be_cut_is_an_error(request_, fails):
    fails(RasterError("pixels.tif", "is damaged"), "s0", "s1")
    with pytest.raises(InputError, match="is damaged"):
        cut_sites(request_)
    assert not (request_.output / "tiles.parquet").exists()


def test_a_refused_address_ends_it_all(request_, fails):
    fails(HrefError("/etc/passwd", "may not be read"), "s0")
    with pytest.raises(HrefError):
        cut_sites(request_)


def test_what_a_site_is_cut_without_is_told(request_):
    old = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC))
    notes = cut_sites(replace(request_, dates=old)).notes
    assert "site 's0': only scenes within the asked dates count (--dates)" in notes
    coarse = cut_sites(replace(request_, gsd_m=40.0, output=request_.output / "coarse")).notes
    assert any("40" in note for note in coarse)

"""The tiling stage over a watch-list: what one site costs, and what ends it all."""

import errno
import fcntl
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groundbreak.errors import HrefError, InputError, OutputError, RasterError
from groundbreak.pipeline import tiles
from groundbreak.pipeline.folder import held
from groundbreak.pipeline.tiles import TileRequest, cut_sites
from groundbreak.prepare.job import PrepareConfig
from groundbreak.raster.read import inspect
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


def files(folder):
    """Every tile below a folder, and what may be left of one."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.tif")}


def listed(result):
    return {row["path"] for row in pq.read_table(result.manifest).to_pylist()}


def test_a_first_call_that_was_killed_is_made_anew(request_, monkeypatch):
    def killed(site_id, geobox, looks, folder, config):
        cut_tiles(site_id, geobox, looks, folder, config)
        (folder / ".work-12345678").mkdir()  # what a signal that cannot be caught leaves
        (folder / site_id / "x").mkdir()
        (folder / site_id / "x" / ".r000_c000.abcd1234.tif").write_text("half")
        raise KeyboardInterrupt

    cut_tiles = tiles.cut_tiles
    monkeypatch.setattr(tiles, "cut_tiles", killed)
    with pytest.raises(KeyboardInterrupt):
        cut_sites(request_)
    assert files(request_.output)
    monkeypatch.setattr(tiles, "cut_tiles", cut_tiles)
    result = cut_sites(request_)
    assert files(request_.output) == listed(result)
    assert {path.name for path in request_.output.iterdir()} == {
        *(".tiles", "tiles.parquet"),
        *("s0", "s1"),
    }


def test_tiles_of_another_size_or_site_give_way(request_, tmp_path):
    cut_sites(request_)
    (request_.output / "s1" / "notes.tif").write_text("mine")
    write_sites(request_.sites, CORNERS[0])
    result = cut_sites(replace(request_, tiles=TileConfig(32, 0), gsd_m=2.0))
    assert files(request_.output) == {*listed(result), "s1/notes.tif"}
    shapes = {inspect(request_.output / path).shape for path in listed(result)}
    assert shapes == {(32, 32)}


def test_where_nothing_can_be_cut_what_there_was_stays(request_):
    before = listed(cut_sites(request_))
    old = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC))
    with pytest.raises(InputError, match="the tiles of the call before stay"):
        cut_sites(replace(request_, dates=old))
    assert files(request_.output) == before
    assert (request_.output / "tiles.parquet").is_file()


def test_tiles_of_a_site_that_cannot_be_cut_now_stay(request_, fails):
    before = listed(cut_sites(request_))
    fails(RasterError("scene.tif", "server does not answer"), "s0")
    result = cut_sites(replace(request_, tiles=TileConfig(32, 0)))
    assert files(request_.output) == {
        *listed(result),
        *(path for path in before if path.startswith("s0/")),
    }


def test_without_scenes_that_can_be_read_the_manifest_stays(request_, monkeypatch):
    cut_sites(request_)

    def prepare(*_):
        raise RasterError("scene.tif", "server does not answer")

    monkeypatch.setattr(tiles, "prepare", prepare)
    with pytest.raises(InputError, match="does not answer"):
        cut_sites(request_)
    assert (request_.output / "tiles.parquet").is_file()


def test_what_another_program_left_is_not_touched(request_, tmp_path):
    theirs = request_.output / "images" / "2024" / "r0_c0.tif"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    pq.write_table(pa.table({"tile": [1]}), request_.output / "tiles.parquet")
    with pytest.raises(OutputError, match="is not empty and no folder of tiles"):
        cut_sites(request_)
    assert theirs.read_text() == "theirs"


def test_links_in_a_folder_of_tiles_are_not_followed(request_, tmp_path):
    cut_sites(request_)
    archive = tmp_path / "archive" / "x" / "r000_c000.tif"
    archive.parent.mkdir(parents=True)
    archive.write_text("mine")
    (request_.output / "link").symlink_to(tmp_path / "archive")
    cut_sites(replace(request_, tiles=TileConfig(32, 0)))
    assert archive.read_text() == "mine"


def test_while_tiles_are_cut_there_is_no_manifest(request_, fails):
    cut_sites(request_)
    fails(HrefError("/etc/passwd", "may not be read"), "s1")
    with pytest.raises(HrefError):
        cut_sites(replace(request_, tiles=TileConfig(32, 0)))
    assert not (request_.output / "tiles.parquet").exists()
    fails(HrefError("/etc/passwd", "may not be read"))
    result = cut_sites(request_)
    assert result.manifest.is_file()


def test_two_at_once_are_refused(request_):
    with held(request_.output, tiles.LOCK), pytest.raises(OutputError, match="is at work in it"):
        cut_sites(request_)


def test_a_file_system_without_locks_is_told(request_, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    result = cut_sites(request_)
    assert result.tiles > 0
    assert f"{request_.output}: its file system has no locks" in result.notes[0]


def test_what_a_site_is_cut_without_is_told(request_):
    old = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC))
    notes = cut_sites(replace(request_, dates=old)).notes
    assert "site 's0': only scenes within the asked dates count (--dates)" in notes
    coarse = cut_sites(replace(request_, gsd_m=40.0, output=request_.output / "coarse")).notes
    assert any("40" in note for note in coarse)

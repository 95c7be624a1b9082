"""Imagery that cannot be had for a while: what was prepared of it is used, and never deleted."""

import shutil

import pytest

from commands import events
from groundbreak.prepare.acquire import SceneLostError
from series import picture, write_picture, write_series, write_sites

STATES = [{}, {}, {"house": True}, {"house": True}]


@pytest.fixture
def detect(tmp_path, command, engine):
    """``detect()`` on the first ``count`` dates of a series whose catalogue stays as it is."""
    write_sites(tmp_path / "sites.geojson")
    write_series(tmp_path / "scenes", STATES)

    def scan():
        place = tmp_path / "catalog.json"
        assert command("catalog", "scan", tmp_path / "scenes", "-o", place).code == 0

    def run(*more, out="run"):
        words = ["--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "catalog.json"]
        return command("detect", *words, "-o", tmp_path / out, *more)

    run.scan = scan
    scan()
    return run


def prepared(tmp_path):
    sites = tmp_path / "run" / "work"
    return {path: path.stat().st_mtime_ns for path in sites.glob("*/looks/*/*")}


def dated(folder):
    return [
        (event["kind"], event["start_datetime"], event["end_datetime"]) for event in events(folder)
    ]


def test_all_of_it(tmp_path, detect, engine):
    assert detect().code == 0
    before, looks, pairs = events(tmp_path / "run"), prepared(tmp_path), engine.pairs
    assert len(before) == 1
    (tmp_path / "scenes").rename(tmp_path / "elsewhere")
    answer = detect("--strict", "--json")
    assert answer.code == 0
    assert (events(tmp_path / "run"), prepared(tmp_path), engine.pairs) == (before, looks, pairs)
    [site] = answer.json()["sites"]
    assert sum("is used" in note and "does not exist" in note for note in site["notes"]) == 4
    assert "what was prepared of it earlier is used" in (tmp_path / "run" / "log.jsonl").read_text()


@pytest.mark.parametrize("lost", [range(2), range(1, 4)], ids=["the reference too", "others"])
def test_of_an_archive_that_was_tidied_while_it_grew(tmp_path, detect, lost):
    assert detect().code == 0
    old = sorted((tmp_path / "scenes").iterdir())
    write_picture(tmp_path / "scenes" / "2024-06-10.tif", picture(house=True, barn=False, seed=9))
    detect.scan()
    assert detect(out="whole").code == 0
    for number in lost:
        old[number].unlink()
    assert detect().code == 0
    assert dated(tmp_path / "run") == dated(tmp_path / "whole")
    assert len(dated(tmp_path / "run")) == 2


def test_in_the_middle_of_reading_it(tmp_path, detect, monkeypatch):
    """A look that must be prepared again is not lost when its scene is."""
    from groundbreak.errors import UnreachedError
    from groundbreak.prepare import look as room

    assert detect().code == 0
    before = events(tmp_path / "run")
    looks = {path.parent.name for path in prepared(tmp_path)}
    for path in (tmp_path / "scenes").iterdir():
        path.touch()
    acquire = room.acquire

    def lose(plan, geobox, source):
        acquire(plan, geobox, source)
        scene = plan.scenes[0]
        raise SceneLostError(scene, UnreachedError(scene.id, "did not answer in time"))

    monkeypatch.setattr(room, "acquire", lose)
    assert detect().code == 0
    assert events(tmp_path / "run") == before
    assert {path.parent.name for path in prepared(tmp_path)} == looks


def test_under_other_settings_it_is_kept_for_later(tmp_path, detect):
    assert detect().code == 0
    before, looks = events(tmp_path / "run"), prepared(tmp_path)
    shutil.move(tmp_path / "scenes", tmp_path / "elsewhere")
    assert detect("--gsd", "2").code == 0
    assert prepared(tmp_path) == looks
    assert detect("--gsd", "1").code == 0
    assert events(tmp_path / "run") == before


def test_what_is_damaged_is_not_kept(tmp_path, detect):
    assert detect().code == 0
    last = max((tmp_path / "scenes").iterdir())
    last.write_bytes(last.read_bytes()[:1000])
    assert detect().code == 0
    assert len({path.parent for path in prepared(tmp_path)}) == 3

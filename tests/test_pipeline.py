"""The main job on a tiny series: dates, resuming, extending, what was not observed."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from groundbreak.config import DetectConfig
from groundbreak.errors import InternalError, OutputError
from groundbreak.inference.stitch import StitchConfig
from groundbreak.pipeline import change, outlines, results, tasks
from groundbreak.pipeline.export import export_events
from groundbreak.pipeline.pairs import PairsConfig
from groundbreak.pipeline.results import summary_of
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.report.page import write_report
from groundbreak.types import Kind
from groundbreak.writers.spreadsheet import write_csv
from series import (
    BARN,
    CRS,
    GRID,
    HOUSE,
    SIDE,
    picture,
    write_picture,
    write_series,
    write_sites,
)

EMPTY, BUILT, GONE_TOO = {}, {"house": True}, {"house": True, "barn": False}
HIDDEN = {"cloud": (slice(30, 70), slice(20, 65))}


def request(tmp_path, states=None, name="run", **options):
    folder = tmp_path / "scenes"
    if states is not None:
        write_series(folder, states)
    sites = tmp_path / "sites.geojson"
    if not sites.exists():
        write_sites(sites)
    cut = options.pop("cut", StitchConfig(window=96, overlap=32, margin=4, batch=2))
    settings = replace(DetectConfig().settings(), inference=cut)
    return RunRequest(sites, folder, tmp_path / name, settings, **options)


def events(folder):
    document = json.loads((folder / "events.geojson").read_text())
    return [feature["properties"] for feature in document["features"]]


def rows(path):
    return pq.read_table(path).to_pylist()


def test_a_new_house_is_dated_by_the_looks_around_it(tmp_path, engine):
    job = request(tmp_path, [EMPTY, EMPTY, BUILT, BUILT])
    outcome = run_detect(job)
    [event] = events(job.run)
    assert event["kind"] == "new_building"
    assert event["start_datetime"].startswith("2024-02-09")
    assert event["end_datetime"].startswith("2024-03-10")
    area = (HOUSE[0].stop - HOUSE[0].start) * (HOUSE[1].stop - HOUSE[1].start)
    assert event["area_m2"] == pytest.approx(area, rel=0.15)
    assert not event["provisional"]
    assert len(outcome.sites) == 1
    assert len(rows(job.run / "observed.parquet")) == 4
    assert {row["object_id"] for row in rows(job.run / "ledger.parquet")} == {
        event["id"].removesuffix("-new_building")
    }


def test_a_look_that_could_not_see_widens_the_interval(tmp_path, engine):
    job = request(tmp_path, [EMPTY, HIDDEN, BUILT, BUILT])
    run_detect(job)
    [event] = events(job.run)
    assert event["start_datetime"].startswith("2024-01-10")
    assert event["end_datetime"].startswith("2024-03-10")


def test_a_demolition_goes_the_other_way(tmp_path, engine):
    job = request(tmp_path, [EMPTY, EMPTY, {"barn": False}, {"barn": False}])
    run_detect(job)
    [event] = events(job.run)
    assert event["kind"] == "demolition"
    assert event["start_datetime"].startswith("2024-02-09")


def test_seen_in_the_newest_look_only_is_provisional_and_cautioned_by_the_card(tmp_path, engine):
    engine.card = replace(engine.card, caution="What is told as a building may be a road.")
    job = request(tmp_path, [EMPTY, EMPTY, BUILT])
    [site] = run_detect(job).sites
    [event] = events(job.run)
    said = site.result.summary.clauses[-1]
    assert (said.text, said.event_ids) == (engine.card.caution, (event["id"],))
    assert event["provisional"]


def test_a_look_that_misleads_is_compared_around(tmp_path, engine):
    """A house in one look only: the pair that leaves this look out says that nothing happened."""
    job = request(tmp_path, [EMPTY, EMPTY, BUILT, EMPTY, EMPTY])
    run_detect(job)
    assert events(job.run) == []
    around = sorted(key.parent.name for key in job.run.rglob("longer/*/key.json"))
    days = [tuple(look[:8] for look in name.split("__")) for name in around]
    assert days == [
        ("20240110", "20240310"),
        ("20240209", "20240409"),
        ("20240310", "20240509"),
    ]


def test_with_a_reach_of_one_only_neighbours_are_compared(tmp_path, engine):
    job = request(tmp_path, [EMPTY, EMPTY, BUILT, BUILT])
    near = replace(job, settings=replace(job.settings, pairs=PairsConfig(reach=1)))
    run_detect(near)
    windows = engine.pairs
    assert len(events(near.run)) == 1
    assert not (near.run / "work" / "s0" / "longer").exists()
    run_detect(job)
    assert engine.pairs > windows
    assert len(list(job.run.rglob("longer/*/key.json"))) == 2
    run_detect(near)
    assert not list(near.run.rglob("longer/*/key.json"))


def test_nothing_new_computes_nothing(tmp_path, engine):
    job = request(tmp_path, [EMPTY, EMPTY, BUILT, BUILT])
    run_detect(job)
    first = (job.run / "events.geojson").read_bytes()
    asked = engine.pairs
    assert asked > 0
    run_detect(job)
    assert engine.pairs == asked
    assert (job.run / "events.geojson").read_bytes() == first


def test_an_extended_run_equals_one_from_scratch(tmp_path, engine):
    states = [EMPTY, EMPTY, EMPTY, EMPTY, BUILT, BUILT, BUILT]
    job = request(tmp_path, states)
    newest = max(job.catalog.iterdir())
    aside = newest.rename(tmp_path / newest.name)
    run_detect(job)
    before = engine.pairs
    aside.rename(newest)
    run_detect(job)
    added = engine.pairs - before
    scratch = replace(job, run=tmp_path / "scratch")
    engine.pairs = 0
    run_detect(scratch)
    [event] = events(scratch.run)
    assert events(job.run) == [event]
    for name in ("ledger.parquet", "observed.parquet"):
        assert rows(job.run / name) == rows(scratch.run / name)
    looks = list(scratch.run.glob("work/*/looks/*/look.json"))
    assert len(looks) == len(states)
    for path in looks:
        assert path.read_bytes() == (job.run / path.relative_to(scratch.run)).read_bytes()
    assert added < engine.pairs / 2


def test_an_extended_run_draws_the_outlines_of_new_pairs_only(tmp_path, engine, monkeypatch):
    job = request(tmp_path, [EMPTY, EMPTY, EMPTY, BUILT, BUILT, BUILT])
    newest = max(job.catalog.iterdir())
    aside = newest.rename(tmp_path / newest.name)
    run_detect(job)
    aside.rename(newest)
    drawn = []
    original = outlines.candidates_streamed
    monkeypatch.setattr(
        outlines, "candidates_streamed", lambda *given: drawn.append(given[3]) or original(*given)
    )
    run_detect(job)
    assert drawn
    assert all(pair.later.startswith("20240608") for pair in drawn)


def test_an_extended_run_keeps_its_grid_though_new_scenes_are_coarser(tmp_path, engine):
    job = request(tmp_path, [EMPTY, BUILT])
    run_detect(job)
    before = json.loads((job.run / "work/s0/site.json").read_text())
    coarse = GeoBox((SIDE // 2, SIDE // 2), GRID.affine * Affine.scale(2), CRS)
    for month in (5, 6, 7):
        pixels = picture(house=True, seed=month)[:, ::2, ::2]
        write_picture(tmp_path / "scenes" / f"2024-{month:02d}-01.tif", pixels, coarse)
    outcome = run_detect(job)
    after = json.loads((job.run / "work/s0/site.json").read_text())
    assert after["transform"] == before["transform"]
    assert len(after["looks"]) == 5
    [note] = summary_of(outcome.sites[0])["notes"]
    assert "grid of 1 m of the earlier run is kept" in note
    assert "given 2 m" in note
    assert note in (job.run / "log.jsonl").read_text()
    anew = run_detect(replace(job, gsd_m=2.0))
    assert anew.sites[0].plan.gsd_m == 2.0
    told = "its pixels are 2 m now, and were 1 m before: the site is computed anew"
    assert summary_of(anew.sites[0])["notes"] == [told]
    assert told in (job.run / "log.jsonl").read_text()
    assert summary_of(run_detect(replace(job, gsd_m=2.0)).sites[0])["notes"] == []


@pytest.mark.parametrize("version", ["this", "before the outline was kept"])
def test_a_site_with_another_outline_is_told_of(tmp_path, engine, version):
    job = request(tmp_path, [EMPTY, BUILT])
    run_detect(job)
    path = job.run / "work/s0/site.json"
    if version != "this":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"area": None}))
    write_sites(job.sites, (0, -SIDE, SIDE - 40, 0))
    [site] = run_detect(job).sites
    told = "its outline has changed since the earlier run: the site is computed anew"
    assert summary_of(site)["notes"] == [told]
    # A corner less: the grid stays.
    document = json.loads(job.sites.read_text())
    [ring] = document["features"][0]["geometry"]["coordinates"]
    document["features"][0]["geometry"]["coordinates"] = [[*ring[1:4], ring[1]]]
    job.sites.write_text(json.dumps(document))
    [site] = run_detect(job).sites
    told = "its outline has changed since the earlier run: its events are told anew"
    assert summary_of(site)["notes"] == [told]
    # The same polygon from another corner on is no other one.
    document["features"][0]["geometry"]["coordinates"] = [[*ring[2:4], ring[1], ring[2]]]
    job.sites.write_text(json.dumps(document))
    [site] = run_detect(job).sites
    assert summary_of(site)["notes"] == []


def test_killed_in_the_middle_it_goes_on_and_ends_the_same(tmp_path, engine, monkeypatch):
    job = request(tmp_path, [EMPTY, EMPTY, BUILT, BUILT])
    whole = replace(job, run=tmp_path / "whole")
    run_detect(whole)
    engine.pairs = 0

    class Killed(BaseException):
        pass

    original, calls = engine.predict, []

    def mortal(before, after, statistics=None, zoom=None):
        calls.append(1)
        if len(calls) == 4:
            raise Killed
        return original(before, after, statistics, zoom)

    monkeypatch.setattr(engine, "predict", mortal)
    with pytest.raises(Killed):
        run_detect(job)
    assert not (job.run / "events.geojson").exists()
    run_detect(job)
    assert events(job.run) == events(whole.run)
    for name in ("ledger.parquet", "observed.parquet"):
        assert rows(job.run / name) == rows(whole.run / name)
    maps = sorted(p.relative_to(whole.run) for p in whole.run.rglob("rows_*.tif"))
    assert maps
    for path in maps:
        assert (job.run / path).read_bytes() == (whole.run / path).read_bytes()


def test_the_cut_into_windows_does_not_show_in_the_events(tmp_path, engine):
    job = request(tmp_path, [EMPTY, BUILT, BUILT])
    other = replace(request(tmp_path, cut=StitchConfig(128, 64, 8, 5)), run=tmp_path / "other")
    run_detect(job)
    run_detect(other)
    assert events(job.run) == events(other.run)


def test_a_site_outside_all_scenes_is_not_observed(tmp_path, engine):
    write_sites(tmp_path / "sites.geojson", (0, -SIDE, SIDE, 0), (9000, 0, 9100, 100))
    job = request(tmp_path, [EMPTY, BUILT, BUILT])
    run_detect(job)
    summary = json.loads((job.run / "summary.json").read_text())["sites"]
    assert summary[0]["events"] == 1
    assert summary[1]["remark"] == "not observed: no scene covers it"
    [gap] = [row for row in rows(job.run / "observed.parquet") if row["site_id"] == "s1"]
    assert gap["look_id"] is None
    assert not gap["used"]


def test_one_look_is_an_answer(tmp_path, engine):
    job = request(tmp_path, [EMPTY])
    outcome = run_detect(job)
    assert events(job.run) == []
    summary = json.loads((job.run / "summary.json").read_text())["sites"][0]
    assert "nothing to compare" in summary["remark"]
    assert outcome.sites[0].problem == ""
    assert engine.pairs == 0


def test_only_the_kinds_asked_for_are_written(tmp_path, engine):
    job = request(tmp_path, [EMPTY, GONE_TOO, GONE_TOO], kinds=(Kind.DEMOLITION,))
    run_detect(job)
    assert {event["kind"] for event in events(job.run)} == {"demolition"}
    settings = replace(job.settings.events, kinds=(Kind.NEW_BUILDING,))
    job = replace(job, settings=replace(job.settings, events=settings))
    run_detect(job)
    assert {event["kind"] for event in events(job.run)} == {"demolition"}  # what is asked for wins
    run_detect(replace(job, kinds=None))
    assert {event["kind"] for event in events(job.run)} == {"new_building"}
    run = json.loads((job.run / "run.json").read_text())
    assert run["asked"]["kinds"] is None
    assert run["config"]["events"]["kinds"] == ["new_building"]


def test_a_site_that_fails_does_not_stop_the_others(tmp_path, engine, monkeypatch):
    write_sites(tmp_path / "sites.geojson", (0, -80, 80, 0), (0, -SIDE, SIDE, 0))
    job = request(tmp_path, [EMPTY, BUILT, BUILT])
    original = tasks.detect_site

    def fragile(task, tell):
        if task.plan.site.id == "s0":
            raise ZeroDivisionError("boom")
        return original(task, tell)

    monkeypatch.setattr(tasks, "detect_site", fragile)
    outcome = run_detect(job)
    assert "ZeroDivisionError" in outcome.sites[0].problem
    assert outcome.sites[1].problem == ""
    assert {event["site_id"] for event in events(job.run)} == {"s1"}
    reasons = [row["reason"] for row in rows(job.run / "observed.parquet") if not row["used"]]
    assert any("ZeroDivisionError" in reason for reason in reasons)


@pytest.mark.parametrize("sites", [1, 2])
def test_a_run_that_fails_as_a_whole_keeps_what_was_finished(tmp_path, engine, monkeypatch, sites):
    write_sites(tmp_path / "sites.geojson", *[(0, -SIDE, SIDE, 0)] * sites)
    job = request(tmp_path, [EMPTY, BUILT, BUILT])
    run_detect(job)
    before = {path: path.read_bytes() for path in job.run.glob("*.*") if path.suffix != ".jsonl"}
    assert len(events(job.run)) == sites
    monkeypatch.setattr(tasks, "detect_site", fail)
    with pytest.raises(InternalError, match="every site failed"):
        run_detect(job)
    assert {path: path.read_bytes() for path in before} == before
    assert "every site failed" in (job.run / "log.jsonl").read_text()


def test_a_first_run_that_fails_says_why(tmp_path, engine, monkeypatch):
    job = request(tmp_path, [EMPTY, BUILT])
    monkeypatch.setattr(tasks, "detect_site", fail)
    with pytest.raises(InternalError, match="every site failed"):
        run_detect(job)
    assert json.loads((job.run / "run.json").read_text())["status"] == "failed"
    assert all("boom" in row["reason"] for row in rows(job.run / "observed.parquet"))


def fail(*_):
    raise ZeroDivisionError("boom")


def test_results_of_two_times_are_not_read(tmp_path, engine, monkeypatch):
    job = request(tmp_path, [EMPTY, BUILT])
    run_detect(job)
    monkeypatch.setattr(results, "write_csv", fail)  # as if the process were killed there
    with pytest.raises(ZeroDivisionError):
        run_detect(job)
    for read in (write_report, lambda folder: export_events(folder, "csv", tmp_path / "x.csv")):
        with pytest.raises(OutputError, match="was interrupted while its results were written"):
            read(job.run)
    monkeypatch.setattr(results, "write_csv", write_csv)
    run_detect(job)
    assert export_events(job.run, "csv", tmp_path / "x.csv") == 1


def test_what_is_no_number_is_not_taken_for_no_change(tmp_path, engine, monkeypatch):
    job = request(tmp_path, [EMPTY, BUILT])
    predict = engine.predict
    monkeypatch.setattr(engine, "predict", lambda *given: predict(*given) * np.float32(np.nan))
    with pytest.raises(InternalError, match="gave no number for a probability"):
        run_detect(job)


def test_processes_find_what_one_process_finds(tmp_path):
    """With the shipped weights: what travels to a process must survive pickling."""
    job = request(tmp_path, [EMPTY, BUILT], cut=StitchConfig())
    write_sites(tmp_path / "sites.geojson", (0, -80, 80, 0), (0, -SIDE, SIDE, 0))
    run_detect(job)
    spread = replace(job, run=tmp_path / "spread", scheduler="local:2")
    run_detect(spread)
    assert events(job.run) == events(spread.run)
    assert rows(job.run / "observed.parquet") == rows(spread.run / "observed.parquet")


@pytest.mark.parametrize(
    ("weights", "asked"),
    [
        ("auto", "site-2m"),
        ("area-10m", "area-10m"),
        ("mine/a.safetensors", "{}/mine/a.safetensors"),
    ],
)
def test_workers_with_another_current_folder_find_the_weights(
    tmp_path, engine, monkeypatch, weights, asked
):
    loaded = []
    monkeypatch.setattr(tasks, "_engine", lambda name, _choice: loaded.append(name) or engine)
    monkeypatch.chdir(tmp_path)
    job = request(tmp_path, [EMPTY, BUILT], weights=weights)
    run_detect(job)
    assert loaded == [asked.format(tmp_path)]
    [used] = {
        site["weights"] for site in json.loads((job.run / "summary.json").read_text())["sites"]
    }
    assert used == (weights if weights != "auto" else asked)


def test_change_maps_say_where_they_were_observed(tmp_path, engine):
    job = request(tmp_path, [EMPTY, HIDDEN])
    run_detect(job)
    [key] = job.run.rglob("key.json")
    tops = sorted(int(p.stem.removeprefix("rows_")) for p in key.parent.glob("rows_*.json"))
    stored = change.StoredChange("", "", key.parent, (*tops, SIDE))
    probabilities, observed = stored.read(slice(0, SIDE), slice(0, SIDE))
    assert probabilities.shape == (3, SIDE, SIDE)
    assert not observed[50, 40]
    assert observed[10, 10]
    assert (probabilities[:, ~observed] == 0).all()
    assert observed[BARN].all()


def test_a_run_records_what_a_folder_held_and_what_became_of_auto(tmp_path, engine, monkeypatch):
    monkeypatch.setattr("groundbreak.usable.csmask.installed", lambda: True)
    job = request(tmp_path, [EMPTY])
    write_sites(job.sites, (9000, 0, 9100, 100))  # nothing to be computed

    def record():
        run_detect(job)
        return json.loads((job.run / "run.json").read_text())

    first = record()
    assert first["asked"]["cloud_network"] == "auto"
    assert first["config"]["prepare"]["cloud_network"] == "require"
    assert len(first["catalog"]["sha256"]) == 64
    assert record()["catalog"] == first["catalog"]
    links = json.loads((job.run / "item.json").read_text())["links"]
    assert ["file:checksum" in link for link in links] == [False, True]  # a folder has none
    write_series(tmp_path / "scenes", [EMPTY, BUILT])
    assert record()["catalog"]["sha256"] != first["catalog"]["sha256"]

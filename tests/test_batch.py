"""The weekly job: only new work, one line a site, one failure is not all, never twice at once."""

import errno
import fcntl
import json
import shutil
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pystac
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box, mapping

from commands import places_that_say
from groundbreak.catalog.store import SOURCE, read_catalog
from groundbreak.errors import ConfigError, OutputError
from groundbreak.lonlat import cut
from groundbreak.pipeline import tasks
from groundbreak.pipeline.folder import claimed
from groundbreak.raster.read import inspect
from groundbreak.raster.write import write_cog
from groundbreak.types import Site
from scripts_loaded import load
from series import CRS, GRID, ORIGIN, SIDE, picture, write_picture, write_series, write_sites
from servers import Reply, Server

SCRIPT = Path(__file__).parents[1] / "scripts" / "batch_detect.py"
EMPTY, BUILT = {}, {"house": True}
BOTH = ((0, -80, 80, 0), (0, -SIDE, SIDE, 0))


@pytest.fixture
def batch():
    """The script as a module."""
    return load("batch_detect")


@pytest.fixture
def job(tmp_path, batch, engine, monkeypatch, capsys):
    """Runs the job on two sites; its exit code and the lines on stdout by site.

    What it said on stderr is ``job.err``.
    """
    write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT])
    write_sites(tmp_path / "sites.geojson", *BOTH)

    def run(*source):
        source = source or ("--folder", tmp_path / "scenes")
        words = ["--sites", tmp_path / "sites.geojson", *source, "--output", tmp_path / "runs"]
        monkeypatch.setattr(sys, "argv", ["batch_detect.py", *map(str, words)])
        capsys.readouterr()
        code = batch.main()
        said = capsys.readouterr()
        run.err, out = said.err, said.out.splitlines()
        return code, {line.split("\t")[0]: line.split("\t")[1:] for line in out}, len(out)

    return run


def summary(folder):
    [site] = json.loads((folder / "summary.json").read_text())["sites"]
    return site


def test_a_run_and_one_line_a_site(tmp_path, job):
    code, lines, count = job()
    assert code == 0
    assert count == 2
    for name in ("s0", "s1"):
        assert lines[name][0] == "1 event in 3 looks"
        assert "between 10 January and 9 February 2024" in lines[name][1]
        run = tmp_path / "runs" / name
        assert summary(run)["id"] == name
        assert (run / "report.html").is_file()
        log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        assert {entry.get("site") for entry in log} >= {name}


def test_each_site_reads_the_scenes_that_touch_it_only(tmp_path, job):
    far = GeoBox((SIDE, SIDE), Affine(1, 0, ORIGIN[0] + 9000, 0, -1, ORIGIN[1]), CRS)
    write_picture(tmp_path / "scenes" / "2024-05-09.tif", picture(), far)
    write_picture(tmp_path / "scenes" / "2024-06-09.tif", picture(), far)
    write_sites(tmp_path / "sites.geojson", BOTH[0], (9000, -SIDE, 9000 + SIDE, 0))
    _, lines, _ = job()
    assert lines["s0"][0] == "1 event in 3 looks"
    assert lines["s1"][0] == "0 events in 2 looks"
    catalogs = tmp_path / "runs" / "catalogs"
    scenes = {name: read_catalog(catalogs / f"{name}.json").scenes for name in ("s0", "s1")}
    assert {name: len(found) for name, found in scenes.items()} == {"s0": 3, "s1": 2}


def test_the_report_of_each_site_names_files_that_were_left_out(tmp_path, job):
    (tmp_path / "scenes" / "odd.tif").write_text("")
    job()
    for name in ("s0", "s1"):
        assert places_that_say(tmp_path / "runs" / name, "odd.tif was left out: is empty")


def test_what_the_scan_noted_of_the_folder_is_told(tmp_path, job):
    """A band without a name, and a file that dates.csv does not list."""
    scenes = tmp_path / "scenes"
    write_cog(scenes / "2024-06-01.tif", picture()[:1], GRID, ("",), nodata=0)
    listed = [f"{path.name},{path.stem}" for path in sorted(scenes.glob("*.tif"))]
    (scenes / "dates.csv").write_text("\n".join(["file,date", *listed]))
    write_picture(scenes / "2024-07-01.tif", picture())
    job()
    said = "1 file that it does not list left out", "1 scene of no use to detect, the first 2024-06"
    for text in said:
        assert f"note: {text}" in job.err
        for name in ("s0", "s1"):
            assert "report" in places_that_say(tmp_path / "runs" / name, text)


def test_scenes_across_the_antimeridian_touch_sites_on_both_sides(batch):
    ring = box(179.5, 10, 180.5, 11)
    item = pystac.Item("a", mapping(cut(ring)), list(ring.bounds), datetime.now(UTC), {})
    scanned = batch.Scanned([item])
    for west, found in ((179.6, 1), (180.1, 1), (-179.9, 1), (-179.4, 0), (0.0, 0)):
        site = Site("s", "s", box(west, 10.2, west + 0.1, 10.3))
        assert len(scanned.touching(site)) == found


def test_the_second_time_only_what_is_new_is_computed(tmp_path, job, engine):
    job()
    first = engine.pairs
    assert first > 0
    job()
    assert engine.pairs == first
    write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT, BUILT])
    _, lines, _ = job()
    assert lines["s1"][0] == "1 event in 4 looks"
    # Two pairs and one that reaches farther, around the house, were computed before; now one more.
    assert engine.pairs - first == first / 3


def test_what_the_last_run_did_not_note_is_told(tmp_path, job):
    job()
    one = tmp_path / "scenes" / "2024-02-09.tif"
    assert one.is_file(), sorted((tmp_path / "scenes").iterdir())
    write_picture(one.with_name("2024-02-09_corrected.tif"), picture())
    job()
    assert "s1: 2024-02-09, 2024-02-09_corrected show the same ground" in job.err
    job()
    assert "show the same ground" not in job.err


def test_a_run_folder_among_the_images_is_no_imagery(tmp_path, job, engine):
    folder = tmp_path / "scenes"
    (tmp_path / "runs").symlink_to(folder)  # the job writes into the folder that it scans
    _, first, _ = job()
    _, lines, _ = job()
    assert lines["s0"][0] == first["s0"][0].split(" (")[0]
    assert "2 folders passed over that groundbreak wrote" in job.err


def test_a_range_is_no_file_of_dates(job, tmp_path, capsys):
    words = ("--folder", tmp_path / "scenes", "--dates", "2024-01-01/2024-03-10")
    with pytest.raises(SystemExit) as ended:
        job(*words)
    assert ended.value.code == 2
    assert "is no file: give a dates.csv here" in capsys.readouterr().err


@pytest.mark.parametrize("house", [False, True])
def test_of_nothing_it_is_not_said_that_all_is_new(tmp_path, job, house):
    for path in sorted((tmp_path / "scenes").iterdir())[1:]:
        path.unlink()
    job()
    write_series(tmp_path / "scenes", [EMPTY, {"house": house}])
    _, lines, _ = job()
    for state, _ in lines.values():
        assert state.startswith("0 events") is not house
        end = ": all of it is new)" if house else ")"
        assert state.endswith(f"in 2 looks (compared for the first time{end}")


def test_what_is_new_is_told_also_where_the_report_cannot_be_written(tmp_path, job):
    write_series(tmp_path / "scenes", [EMPTY, EMPTY])
    (tmp_path / "scenes" / "2024-03-10.tif").unlink(missing_ok=True)
    job()
    write_series(tmp_path / "scenes", [EMPTY, EMPTY, BUILT, BUILT])
    report = tmp_path / "runs" / "s0" / "report.html"
    report.unlink()
    (report / "in the way").mkdir(parents=True)
    code, lines, _ = job()
    assert code == 0
    assert "1 new since" in lines["s1"][0]
    assert "1 new since" in lines["s0"][0]
    assert "no report: " in lines["s0"][0]
    assert str(report) in lines["s0"][0]


def test_the_page_of_a_site_is_written_while_its_run_folder_is_held(job, batch, monkeypatch):
    def write_report(run):
        with pytest.raises(OutputError, match="is at work in it"), claimed(run):
            pass
        written.append(run.name)

    written = []
    monkeypatch.setattr(batch, "write_report", write_report)
    assert job()[0] == 0
    assert written == ["s0", "s1"]


@pytest.mark.parametrize("left", [0, 1])
def test_what_was_told_is_said_when_the_site_cannot_be_judged(tmp_path, job, left):
    job()
    for path in sorted((tmp_path / "scenes").iterdir())[left:]:
        path.unlink()
    far = GeoBox((SIDE, SIDE), Affine(1, 0, ORIGIN[0] + 9000, 0, -1, ORIGIN[1]), CRS)
    write_picture(tmp_path / "scenes" / "2024-05-09.tif", picture(), far)
    code, lines, _ = job()
    assert code == 0
    for name in ("s0", "s1"):
        assert "1 event told on " in lines[name][0]
        assert f"cannot be checked now, without {3 - left} images compared then" in lines[name][0]


def test_of_a_site_that_fails_it_is_said_what_was_told_of_it(job, monkeypatch):
    job()

    def fail(*_):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(tasks, "detect_site", fail)
    code, lines, _ = job()
    assert code == 1
    for name in ("s0", "s1"):
        assert lines[name][0] == "failed"
        assert "boom; 1 event told on " in lines[name][1]


def test_a_folder_that_cannot_be_read_is_a_note(tmp_path, job):
    job()
    (tmp_path / "runs" / "gone" / "summary.json").mkdir(parents=True)
    (tmp_path / "runs" / "gone" / "run.json").write_text("{}")
    assert job()[0] == 0
    assert "cannot be read now" in job.err


def test_a_site_that_nobody_watches_any_more_is_named_while_its_folder_is_there(tmp_path, job):
    job()
    assert "watch-list" not in job.err
    write_sites(tmp_path / "sites.geojson", BOTH[0])
    words = (
        "note: 1 site of earlier runs is not in the watch-list any more: s1 (1 event of it is no "
        f"longer told); the run folders stay in {tmp_path / 'runs'}"
    )
    for _ in range(2):
        _, lines, _ = job()
        assert lines.keys() == {"s0"}
        assert job.err.splitlines() == [words]
    shutil.rmtree(tmp_path / "runs" / "s1")
    job()
    assert job.err == ""


def test_twice_at_once_the_second_says_so_and_stops(tmp_path, job, batch, engine, capsys):
    with batch.only_one(tmp_path / "runs") as first:
        assert first
        code, lines, _ = job()
        assert code == 0
        assert lines == {}
        assert engine.pairs == 0
    job()
    with batch.only_one(tmp_path / "runs") as first:
        assert first


def test_the_second_one_says_why(tmp_path, batch, monkeypatch, capsys):
    words = ["--sites", "none.csv", "--folder", "none", "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["batch_detect.py", *words])
    with batch.only_one(tmp_path):
        assert batch.main() == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"another batch is at work in {tmp_path}: nothing done\n"


@pytest.fixture
def locks(monkeypatch):
    """Lets files be locked with an outcome."""

    def answer(code):
        def flock(*_):
            raise OSError(code, "as the file system says")

        monkeypatch.setattr(fcntl, "flock", flock)

    return answer


def test_a_file_system_without_locks_is_said_and_the_job_done(job, locks):
    locks(errno.ENOLCK)
    code, lines, _ = job()
    assert code == 0
    assert lines["s0"][0] == "1 event in 3 looks"


def test_a_file_system_without_locks_is_named_once(tmp_path, batch, locks, capsys):
    locks(errno.ENOSYS)
    with batch.only_one(tmp_path / "runs") as first:
        assert first
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path / 'runs'}: its file system has no locks")
    assert said.count("\n") == 1


def test_a_lock_that_cannot_be_had_is_no_other_job(tmp_path, batch, locks):
    locks(errno.EIO)
    with pytest.raises(OutputError, match="cannot be written"), batch.only_one(tmp_path):
        pass


@pytest.mark.parametrize(("failing", "code"), [({"s0"}, 0), ({"s0", "s1"}, 1)])
def test_exit_code_is_1_only_if_all_fail(tmp_path, job, monkeypatch, failing, code):
    original = tasks.detect_site

    def fragile(task, tell):
        if task.plan.site.id in failing:
            raise ZeroDivisionError("boom\nbang")
        return original(task, tell)

    monkeypatch.setattr(tasks, "detect_site", fragile)
    got, lines, count = job()
    assert got == code
    assert count == 2
    for name in ("s0", "s1"):
        assert (lines[name][0] == "failed") is (name in failing)
    assert "boom bang" in lines["s0"][1]
    log = (tmp_path / "runs" / "s0" / "log.jsonl").read_text()
    assert "ZeroDivisionError" in log


def test_a_site_that_nothing_shows_is_an_answer(tmp_path, job):
    write_sites(tmp_path / "sites.geojson", (9000, 0, 9100, 100))
    code, lines, _ = job()
    assert code == 0
    assert lines == {"s0": ["not observed: no scene covers it", ""]}


def test_refused_sites_have_a_line_and_ids_may_be_anything(tmp_path, job):
    path = tmp_path / "sites.geojson"
    document = json.loads(path.read_text())
    document["features"][0]["properties"] = {"id": "..", "name": "up"}
    document["features"][1]["properties"] = {"id": "Hafen Ü.1", "name": "x"}
    path.write_text(json.dumps(document))
    code, lines, _ = job()
    assert code == 0
    assert lines["feature 1 (..)"][0] == "refused"
    assert lines["Hafen Ü.1"][0] == "1 event in 3 looks"


def test_a_point_site_brings_no_note_on_its_radius(tmp_path, job):
    middle = inspect(tmp_path / "scenes" / "2024-01-10.tif").footprint.centroid
    (tmp_path / "sites.csv").write_text(f"id,lat,lon,buffer_m\np,{middle.y},{middle.x},30\n")
    job("--folder", tmp_path / "scenes", "--sites", tmp_path / "sites.csv")
    assert summary(tmp_path / "runs" / "p")["notes"] == []


def test_what_was_assumed_of_a_site_is_told(tmp_path, job):
    middle = inspect(tmp_path / "scenes" / "2024-01-10.tif").footprint.centroid
    (tmp_path / "sites.csv").write_text(f"id,lat,lon\np,{middle.y},{middle.x}\n")
    job("--folder", tmp_path / "scenes", "--sites", tmp_path / "sites.csv")
    text = "p: no buffer_m: 1000 m around the point are taken"
    assert f"note: site {text}" in job.err
    assert "report" in places_that_say(tmp_path / "runs" / "p", text)


def test_options_of_detect_reach_each_run(tmp_path, job, batch, monkeypatch):
    asked = []
    original = batch.detected
    monkeypatch.setattr(batch, "detected", lambda r: asked.append(r) or original(r))
    (tmp_path / "s.yaml").write_text("engine: torch")
    words = ("--folder", tmp_path / "scenes", "--config", tmp_path / "s.yaml")
    job(*words, "--gsd", 2, "--min-confidence", 0.3, "--allow", "a.org", "--allow", "b.org")
    assert len(asked) == 2
    for request in asked:
        assert (request.gsd_m, request.engine) == (2.0, "torch")
        assert request.allow == ("a.org", "b.org")
        assert request.settings.events.least == 0.3
        assert "--gsd 2" in request.command
    job(*words, "--engine", "auto")
    assert asked[-1].engine == "auto"


@pytest.mark.parametrize(
    "words", [("--gsd", "0"), ("--min-confidence", "80"), ("--engine", "steam")]
)
def test_options_out_of_bounds_are_refused(job, capsys, words):
    with pytest.raises(SystemExit) as ended:
        job(*words)
    assert ended.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_an_unknown_scheduler_is_refused(tmp_path, job):
    with pytest.raises(ConfigError, match="use local"):
        job("--folder", tmp_path / "scenes", "--scheduler", "slurm")


@pytest.mark.slow
def test_sites_are_spread_over_processes(tmp_path):
    write_series(tmp_path / "scenes", [EMPTY])
    write_sites(tmp_path / "sites.geojson", *BOTH)
    words = ("--sites", "sites.geojson", "--folder", "scenes", "--output", "runs")
    ended = subprocess.run(
        [sys.executable, SCRIPT, *words, "--scheduler", "local:2"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    lines = sorted(line.split("\t")[:2] for line in ended.stdout.splitlines())
    assert [name for name, _ in lines] == ["s0", "s1"]
    for name, state in lines:
        assert "nothing to compare" in state
        assert (tmp_path / "runs" / name / "report.html").is_file()


class TestScript:
    """As cron calls it."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (
                ["--sites", "none.csv", "--folder", ".", "--output", "{tmp}"],
                "none.csv: does not exist",
            ),
            (
                ["--sites", "x", "--folder", ".", "--output", "/dev/null/x"],
                "/dev/null/x: cannot be written",
            ),
            (
                ["--sites", "x", "--folder", ".", "--output", "{tmp}", "--config", "n.yaml"],
                "n.yaml: does not exist",
            ),
        ],
    )
    def test_bad_input_is_one_line(self, tmp_path, monkeypatch, capsys, words, said):
        import runpy

        words = [word.format(tmp=tmp_path) for word in words]
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        assert ended.value.code == 2
        err = capsys.readouterr().err
        assert said in err
        assert len(err.splitlines()) == 1


class Archive:
    """A STAC API on the loopback with the scenes of a folder, and the files themselves."""

    def __init__(self, server, folder):
        self.server, self.folder, self.asked = server, folder, []
        self.cloudy = set()
        server.routes["/"] = self.root
        server.routes["/search"] = self.search
        server.files(folder, "/files/")

    def root(self, _):
        url = self.server.url
        conforms = [f"https://api.stacspec.org/v1.0.0/{what}" for what in ("core", "item-search")]
        links = [
            {"rel": "self", "href": url},
            {"rel": "root", "href": url},
            {"rel": "search", "href": f"{url}/search", "method": "POST"},
        ]
        document = {"type": "Catalog", "id": "api", "stac_version": "1.0.0", "description": ""}
        return Reply.of_json({**document, "conformsTo": conforms, "links": links})

    def search(self, request):
        self.asked.append(request.body["datetime"].split("/"))
        found = [
            item for item in map(self.item, sorted(self.folder.iterdir())) if self.wanted(item)
        ]
        return Reply.of_json({"type": "FeatureCollection", "features": found, "links": []})

    def wanted(self, item):
        start, end = self.asked[-1]
        return start <= item["properties"]["datetime"] <= end

    def item(self, path):
        info = inspect(path)
        bands = [{"name": n, "common_name": n} for n in ("red", "green", "blue")]
        asset = {"href": f"{self.server.url}/files/{path.name}", "type": "image/tiff"}
        return {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": path.stem,
            "collection": "c",
            "geometry": json.loads(json.dumps(info.footprint.__geo_interface__)),
            "bbox": list(info.footprint.bounds),
            "properties": {
                "datetime": f"{path.stem}T00:00:00Z",
                "gsd": 1.0,
                "eo:cloud_cover": 70 if path.stem in self.cloudy else 5,
            },
            "links": [],
            "assets": {"visual": {**asset, "roles": ["data"], "eo:bands": bands}},
        }


def test_an_api_is_asked_for_what_came_since_and_nothing_is_forgotten(
    tmp_path, job, engine, monkeypatch
):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    write_sites(tmp_path / "sites.geojson")
    now = datetime.now(UTC)
    days = [now - timedelta(days=back) for back in (390, 200, 60, 1)]
    archive = tmp_path / "archive"
    for number, day in enumerate(days[:3]):
        write_picture(archive / f"{day:%Y-%m-%d}.tif", picture(house=number > 0, seed=number))
    with Server() as server:
        api = Archive(server, archive)
        words = ("--api", server.url, "--collection", "c")
        code, lines, _ = job(*words)
        assert (code, lines["s0"][0]) == (0, "1 event in 3 looks")
        began = datetime.fromisoformat(api.asked[0][0])
        assert timedelta(days=399) < now - began < timedelta(days=401)
        first = engine.pairs
        write_picture(archive / f"{days[3]:%Y-%m-%d}.tif", picture(house=True, seed=3))
        code, lines, _ = job(*words)
        assert (code, lines["s0"][0]) == (0, "1 event in 4 looks")
        began = datetime.fromisoformat(api.asked[-1][0])
        assert timedelta(days=89) < now - began < timedelta(days=92)
        assert engine.pairs == first * 4 / 3  # three pairs before, one more now


@pytest.fixture
def asked(tmp_path, batch, monkeypatch):
    """Extends a catalogue from an archive: how many days back it asked, how many scenes it has."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    now = datetime.now(UTC)
    for back in (390, 60, 1):
        write_picture(
            tmp_path / "archive" / f"{now - timedelta(days=back):%Y-%m-%d}.tif", picture()
        )
    place = inspect(next((tmp_path / "archive").iterdir())).footprint
    path = tmp_path / "s.json"
    with Server() as server:
        api = Archive(server, tmp_path / "archive")

        def extend(west=0.0, **changes):
            options = {"api": server.url, "collection": "c", "days": 400, "max_cloud": 60}
            site = Site("s", "s", shapely.affinity.translate(place, west))
            number = batch.extended(path, site, Namespace(**options | changes))
            back = now - datetime.fromisoformat(api.asked[-1][0])
            return round(back / timedelta(days=1)), number

        extend.cloudy = api.cloudy
        extend.path = path
        yield extend


def test_the_same_question_asks_for_the_news_only(asked):
    assert asked() == (400, 3)
    assert asked()[0] in (30, 31, 32)


def test_a_site_that_was_moved_is_searched_in_full(asked):
    asked(west=5.0)
    assert not asked.path.exists()
    assert asked() == (400, 3)
    assert asked(west=0.00001) == (400, 3)
    # Of scenes elsewhere nothing is kept, nor is the old question.
    assert asked(west=5.0) == (400, 0)
    assert asked(west=5.0) == (400, 0)


def test_other_options_are_asked_for_anew_and_nothing_wanted_is_forgotten(asked):
    assert asked(days=100) == (100, 2)
    assert asked(days=500) == (500, 3)
    assert asked(days=100) == (100, 3)
    asked.cloudy.add(min(item.stem for item in (asked.path.parent / "archive").iterdir()))
    assert asked(days=400, max_cloud=80) == (400, 3)
    assert asked(days=400, max_cloud=60) == (400, 2)


def test_a_damaged_catalogue_is_searched_for_anew(asked, capsys):
    asked()
    whole = asked.path.read_text()
    for damaged in (whole[:100], "[]", '{"features": [{}]}'):
        asked.path.write_text(damaged)
        assert asked() == (400, 3)
        assert "s.json.damaged: damaged" in capsys.readouterr().err
    assert asked()[0] < 40


def test_scenes_of_another_api_are_not_mixed_in(asked):
    asked()
    document = json.loads(asked.path.read_text())
    document[SOURCE]["query"]["api"] = "https://example.org"
    document["features"][0]["id"] = "theirs"
    asked.path.write_text(json.dumps(document))
    assert asked() == (400, 3)
    assert "theirs" not in asked.path.read_text()


def test_a_search_that_was_cut_short_is_done_again(asked, batch, monkeypatch):
    real = batch.search
    monkeypatch.setattr(batch, "search", lambda q: real(replace(q, max_items=2)))
    assert asked() == (400, 2)
    assert list(read_catalog(asked.path).incomplete) == ["s"]
    monkeypatch.setattr(batch, "search", real)
    assert asked() == (400, 3)
    assert read_catalog(asked.path).incomplete == {}


def test_an_api_that_has_nothing(tmp_path, job, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    (tmp_path / "archive").mkdir()
    with Server() as server:
        Archive(server, tmp_path / "archive")
        code, lines, _ = job("--api", server.url, "--collection", "c")
    assert code == 0, lines
    assert {fields[0] for fields in lines.values()} == {"no scene was found"}

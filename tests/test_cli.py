"""The command line: help, exit codes, what goes to stdout and what to stderr."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import typer
from PIL import Image
from pyproj import Transformer

from commands import observed, places_that_say
from groundbreak import __version__
from groundbreak.cli.main import app
from groundbreak.config import DetectConfig
from groundbreak.errors import OutputError
from groundbreak.inference import device
from groundbreak.model import export
from groundbreak.model.card import Card
from groundbreak.model.network import SiameseUNet
from groundbreak.model.shape import NetworkConfig
from groundbreak.model.weights import save_weights
from groundbreak.pipeline import folder, news, tasks
from groundbreak.pipeline.folder import claimed
from groundbreak.report import page
from groundbreak.simulate import series as simulation
from groundbreak.simulate.plan import EventCounts
from groundbreak.simulate.site import SimulationConfig
from groundbreak.writers.geoparquet import read_geoparquet
from series import CRS, GRID, write_series, write_sites
from servers import Reply, Server

EMPTY, BUILT = {}, {"house": True}
GROUNDBREAK = (sys.executable, "-m", "groundbreak")


def commands(command=None, path=()):
    """Every command with its words, from the program itself."""
    command = command or typer.main.get_command(app)
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


@pytest.fixture
def places(tmp_path):
    write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT])
    write_sites(tmp_path / "sites.geojson")
    return ("--sites", tmp_path / "sites.geojson", "--catalog", tmp_path / "scenes")


@pytest.fixture
def run(tmp_path, places, engine, command):
    """A finished run."""
    assert command("detect", *places, "-o", tmp_path / "run").code == 0
    return tmp_path / "run"


@pytest.fixture
def weights(tmp_path):
    """Weights of a small network that knows nothing."""
    network = NetworkConfig(fused=(8, 8, 8, 8, 16), decoder=(16, 8, 8, 8))
    card = Card("tiny", "Knows nothing.", ("red", "green", "blue"), (0.2, 3.0), network)
    torch.manual_seed(0)
    save_weights(SiameseUNet(network), card, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


class TestHelp:
    @pytest.mark.parametrize(
        ("path", "inner"),
        [c for c in commands() if c[0] != ("train",)],
        ids=lambda c: " ".join(c) if isinstance(c, tuple) else "",
    )
    def test_it_mentions_everything(self, command, monkeypatch, path, inner):
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("TERM", "dumb")
        answer = command(*path, "--help")
        assert answer.code == 0
        assert answer.err == ""
        assert inner.help.splitlines()[0].rstrip(".") in answer.out
        for parameter in inner.params:
            option = parameter.param_type_name == "option"
            for name in parameter.opts if option else [parameter.name]:
                assert name in answer.out.lower()
        for name in getattr(inner, "commands", {}):
            assert name in answer.out

    def test_every_command_of_the_design_is_there(self):
        known = {" ".join(path) for path, _ in commands()}
        assert known >= {
            *("demo", "sites check", "catalog scan", "catalog search", "tile", "detect", "report"),
            *("export", "train", "evaluate", "weights list", "weights show", "weights export"),
            "simulate",
        }

    def test_train_shows_the_help_of_lightning(self, command):
        pytest.importorskip("lightning")
        answer = command("train", "--help")
        assert answer.code == 0
        assert "fit" in answer.out
        assert "validate" in answer.out

    def test_the_default_of_a_threshold_is_the_one_in_use(self, command, monkeypatch):
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("TERM", "dumb")
        default = DetectConfig().events.min_confidence
        assert f"below; default {default:g}." in command("detect", "--help").out

    def test_without_words(self, command):
        answer = command()
        assert answer.code == 2
        assert "detect" in answer.out + answer.err

    def test_it_is_quick_and_loads_nothing_heavy(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        words = (sys.executable, "-X", "importtime", "-m", "groundbreak", "--help")
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        assert "detect" in done.stdout
        loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "groundbreak.cli.main" in loaded
        heavy = {"torch", "numpy", "pandas", "rasterio", "shapely", "pyproj", "requests", "yaml"}
        assert loaded & heavy == set()
        assert spent < 1.0


def test_matrices_of_numpy_take_one_thread(command, monkeypatch):
    """A user who sets another number keeps it."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    command("--help")
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    command("--help")
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"


class TestJson:
    """One document on stdout and nothing else; notes and progress are on stderr."""

    def test_sites_check(self, command, tmp_path):
        (tmp_path / "s.csv").write_text("id,name,lat,lon,buffer_m\na,A,38,125,\nb,B,99,1,5\n")
        answer = command("sites", "check", tmp_path / "s.csv", "--json")
        assert answer.code == 2
        document = answer.json()
        [site] = document["sites"]
        assert (site["id"], site["centre"]) == ("a", {"lat": 38.0, "lon": 125.0})
        assert site["width_m"] == pytest.approx(2000, rel=0.01)
        assert site["height_m"] == pytest.approx(2000, rel=0.01)
        assert site["area_m2"] == pytest.approx(3.14e6, rel=0.01)
        assert "no buffer_m" in document["notes"][0]
        assert "latitude" in document["refused"][0]["reason"] or document["refused"]

    def test_catalog_scan(self, command, tmp_path, places):
        (tmp_path / "scenes" / "odd.tif").write_text("")
        path = tmp_path / "catalog.json"
        answer = command("catalog", "scan", tmp_path / "scenes", "-o", path, "--json")
        document = answer.json()
        assert document["scenes"] == ["2024-01-10", "2024-02-09", "2024-03-10"]
        assert document["refused"] == [{"subject": "odd.tif", "reason": "is empty"}]
        assert len(json.loads(path.read_text())["features"]) == 3

    def test_catalog_search(self, command, tmp_path, places, monkeypatch):
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        with Server() as server:
            root = {
                "type": "Catalog",
                "id": "api",
                "stac_version": "1.0.0",
                "description": "",
                "conformsTo": [
                    "https://api.stacspec.org/v1.0.0/core",
                    "https://api.stacspec.org/v1.0.0/item-search",
                ],
                "links": [
                    {"rel": "self", "href": server.url},
                    {"rel": "root", "href": server.url},
                    {"rel": "search", "href": f"{server.url}/search", "method": "POST"},
                ],
            }
            server.routes["/"] = lambda _: Reply.of_json(root)
            none = {"type": "FeatureCollection", "features": [], "links": []}
            server.routes["/search"] = lambda _: Reply.of_json(none)
            words = ("--sites", places[1], "--dates", "2024-01-01/2024-02-01", "--collection", "c")
            path = tmp_path / "catalog.json"
            answer = command("catalog", "search", "--api", server.url, *words, "-o", path, "--json")
        assert answer.code == 0, answer.err
        assert answer.json()["scenes"] == []
        assert answer.json()["notes"] == ["no scene was found of 1 site"]

    def test_detect(self, command, tmp_path, places, engine):
        answer = command("detect", *places, "-o", tmp_path / "run", "--json")
        document = answer.json()
        assert document["run"] == str(tmp_path / "run")
        assert document["report"] == str(tmp_path / "run" / "report.html")
        [site] = document["sites"]
        assert site["events"] == 1
        assert any("between 10 January and 9 February" in s["text"] for s in site["sentences"])
        assert "97% Site 0: events" in answer.err
        assert document["notes"] == []

    def test_detect_tells_what_it_found_before_it_fails_to_write_the_report(
        self, command, tmp_path, places, engine
    ):
        assert command("detect", *places, "-o", tmp_path / "run", "--no-report").code == 0
        (tmp_path / "run" / "report.html" / "in the way").mkdir(parents=True)
        answer = command("detect", *places, "-o", tmp_path / "run", "--json")
        assert answer.code == 2
        document = json.loads(answer.out)
        assert document["sites"][0]["events"] == 1
        assert document["report"] is None
        assert "report.html" in answer.error

    def test_no_other_one_begins_before_all_of_a_run_is_written_and_read(
        self, command, tmp_path, places, engine, monkeypatch
    ):
        held = []

        def while_held(original):
            def wrapped(run):
                with pytest.raises(OutputError, match="is at work in it"), claimed(run):
                    pass
                held.append(original.__name__)
                return original(run)

            return wrapped

        monkeypatch.setattr(page, "write_report", while_held(page.write_report))
        monkeypatch.setattr(news, "read_news", while_held(news.read_news))
        monkeypatch.setattr(folder, "read_run", while_held(folder.read_run))
        assert command("detect", *places, "-o", tmp_path / "run").code == 0
        assert {"write_report", "read_news", "read_run"} <= set(held)

    def test_detect_names_what_was_left_out(self, command, tmp_path, places, engine):
        (tmp_path / "scenes" / "odd.tif").write_text("")
        answer = command("detect", *places, "-o", tmp_path / "run", "--json")
        assert answer.json()["notes"] == ["odd.tif was left out: is empty"]

    def test_detect_without_a_report(self, command, tmp_path, places, engine):
        answer = command("detect", *places, "-o", tmp_path / "run", "--no-report", "--json")
        assert answer.json()["report"] is None
        assert not (tmp_path / "run" / "report.html").exists()

    def test_tile(self, command, tmp_path, places, engine):
        answer = command("tile", *places, "-o", tmp_path / "t", "--size", "64", "--json")
        document = answer.json()
        assert document["tiles"] == 27
        assert len(list((tmp_path / "t").rglob("*.tif"))) == 27

    def test_report(self, command, run):
        page = run / "report.html"
        page.unlink()
        assert command("report", run, "--json").json() == {"report": str(page)}
        assert page.is_file()

    @pytest.mark.parametrize(
        "form", ["geojson", "gpkg", "geoparquet", "csv", "kml", "stac", "kwcoco"]
    )
    def test_export(self, command, tmp_path, run, form):
        path = tmp_path / "out" / f"events.{form}"
        answer = command("export", run, "--format", form, "-o", path, "--json")
        assert answer.json() == {"file": str(path), "format": form, "events": 1}
        assert path.stat().st_size > 100
        if form == "geoparquet":
            assert len(read_geoparquet(path)) == 1
        if form == "kwcoco":
            images = json.loads(path.read_text())["images"]
            assert {image["channels"] for image in images} == {"red|green|blue"}
            assert all((path.parent / image["file_name"]).is_file() for image in images)
        if form == "stac":
            item = json.loads(path.read_text())
            places = [e["href"] for e in (*item["links"], *item["assets"].values())]
            assert len(places) == 12
            assert all(Path(place.removeprefix("file://")).exists() for place in places)

    @pytest.mark.parametrize(
        ("form", "name", "said"),
        [
            ("kml", "events.kmz", "does not end as a file of the form kml does"),
            ("geojson", "wrong.gpkg", "end it in .geojson or .json"),
            ("csv", "run/events.geojson", "does not end"),
            ("stac", "run/run.json", "is a file of the run itself"),
        ],
    )
    def test_export_to_another_form_or_over_the_run(self, command, tmp_path, run, form, name, said):
        path = tmp_path / name if "/" not in name else run / Path(name).name
        before = path.read_bytes() if path.is_file() else None
        answer = command("export", run, "--format", form, "-o", path)
        assert answer.code == 2
        assert said in answer.error
        assert (path.read_bytes() if path.is_file() else None) == before

    def test_kwcoco_skips_a_site_that_no_scene_covers(self, command, tmp_path, places, engine):
        write_sites(places[1], (0, -160, 160, 0), (5000, 5000, 5100, 5100))
        assert command("detect", *places, "-o", tmp_path / "run").code == 0
        path = tmp_path / "k.json"
        words = ("export", tmp_path / "run", "--format", "kwcoco", "-o", path)
        answer = command(*words)
        assert (answer.code, answer.err) == (0, "")
        document = json.loads(path.read_text())
        assert [video["name"] for video in document["videos"]] == ["s0"]
        assert {image["video_id"] for image in document["images"]} == {1}
        shutil.rmtree(tmp_path / "run" / "work")
        answer = command(*words)
        assert answer.code == 2
        assert "work/s0: is gone or damaged, and with it looks; run detect again" in answer.error

    def test_evaluate(self, command, tmp_path, run):
        truth = tmp_path / "truth.geojson"
        collection = json.loads((run / "events.geojson").read_text())
        for feature in collection["features"]:
            feature["properties"] |= {"object_id": "house", "replaces": None}
        truth.write_text(json.dumps(collection))
        words = ("--temporal", run, "--truth", truth, "-o", tmp_path / "scores", "--json")
        answer = command("evaluate", *words)
        assert answer.json()["found"] == 1
        assert answer.json()["missed"] == 0

    def test_evaluate_tells_dates_in_words(self, command, tmp_path, run):
        answer = command(
            *("evaluate", "--temporal", run, "--truth", run / "events.geojson"),
            *("-o", tmp_path / "scores"),
        )
        told = answer.out.splitlines()
        assert told[0] == "1 true event at 1 site: 1 found, 0 missed though looks show them"
        assert told[1].startswith("0 invented events, 0 provisional (0.00 in a year")
        assert told[2].startswith("100.0% of the found ones")

    def test_evaluate_writes_to_no_run(self, command, tmp_path, run):
        before = sorted(run.iterdir())
        truth = run / "events.geojson"
        answer = command("evaluate", "--temporal", run, "--truth", truth, "-o", run, "--json")
        assert answer.code == 2
        assert f"{run}: is a run of detect" in answer.error
        assert sorted(run.iterdir()) == before

    def test_weights_list_and_show(self, command):
        shipped = command("weights", "list", "--json").json()
        assert [card["name"] for card in shipped] == ["site-2m", "area-10m"]
        assert command("weights", "show", "site-2m", "--json").json() == shipped[0]

    def test_weights_export(self, command, tmp_path, weights, monkeypatch):
        """What the export itself does is tested with the weights."""
        told = []
        monkeypatch.setattr(export, "export_onnx", lambda *words: told.append(words))
        path = tmp_path / "tiny.onnx"
        answer = command("weights", "export", weights, "-o", path, "--gsd", "0.5", "--json")
        assert answer.json() == {"file": str(path), "item": str(path.with_suffix(".stac.json"))}
        assert told == [(str(weights), path, 0.5)]

    def test_simulate(self, command, tmp_path, monkeypatch):
        events = EventCounts(2, 1, 0, 0)
        small = SimulationConfig(size_px=256, looks=2, gsd_m=2.0, drawn_px=1, events=events)
        monkeypatch.setattr(simulation, "SimulationConfig", lambda: small)
        answer = command("simulate", "-o", tmp_path / "s", "--seed", "3", "--json")
        document = answer.json()
        assert document["simulated"] is True
        assert len(document["scenes"]) == 2
        assert all(Path(path).exists() for path in [*document["scenes"], document["truth"]])
        again = command("simulate", "-o", tmp_path / "s", "--seed", "4", "--json")
        assert again.code == 2
        assert "is not empty" in again.error
        assert json.loads((tmp_path / "s" / "sites.geojson").read_text())["features"]

    def test_tiles_have_a_folder_of_their_own(self, command, tmp_path, places):
        answer = command("tile", *places, "-o", tmp_path / "scenes", "--size", "64", "--json")
        assert answer.code == 2
        assert "is not empty and no folder of tiles" in answer.error
        for _ in range(2):  # made again in their own folder they are no trouble
            answer = command("tile", *places, "-o", tmp_path / "t", "--size", "64", "--json")
            assert answer.code == 0

    def test_a_catalogue_is_no_watch_list(self, command, tmp_path, places):
        catalog = tmp_path / "catalog.json"
        assert command("catalog", "scan", tmp_path / "scenes", "-o", catalog).code == 0
        answer = command("sites", "check", catalog, "--json")
        assert answer.code == 2
        assert "is a catalogue of scenes" in answer.error


class TestText:
    def test_detect_names_what_was_left_out(self, command, tmp_path, places, engine):
        (tmp_path / "scenes" / "odd.tif").write_text("")
        answer = command("detect", *places, "-o", tmp_path / "run")
        assert "note: odd.tif was left out: is empty" in answer.err.splitlines()
        assert answer.out.startswith("Site 0: 1 event in 3 looks")

    def test_detect_tells_what_the_scan_left_out(self, command, tmp_path, places, engine):
        for number in range(8):
            (tmp_path / "scenes" / f"odd{number}.tif").write_text("")
        catalog, run = tmp_path / "catalog.json", tmp_path / "run"
        assert command("catalog", "scan", tmp_path / "scenes", "-o", catalog).code == 0
        answer = command("detect", *places[:2], "--catalog", catalog, "-o", run)
        assert [line for line in answer.err.splitlines() if "left out" in line] == [
            *(f"note: odd{number}.tif was left out: is empty" for number in range(5)),
            "note: 3 more were left out, 8 scenes and files in all (observed.parquet names them)",
        ]
        assert places_that_say(run, "odd4.tif was left out: is empty") == {"log", "report"}
        assert places_that_say(run, "8 scenes and files in all") == {"log", "report"}
        rows = [row for row in observed(run) if row["reason"] == "is empty"]
        assert [row["scene_ids"] for row in rows] == [[f"odd{number}.tif"] for number in range(8)]

    def test_what_is_true_of_a_site_is_said_once(self, command, tmp_path, engine):
        write_series(tmp_path / "scenes", [EMPTY, BUILT])
        east, north = GRID.affine @ (60, 60)
        lon, lat = Transformer.from_crs(CRS, "OGC:CRS84").transform(east, north)
        (tmp_path / "s.csv").write_text(f"id,lat,lon\na,{lat},{lon}\n")
        words = ("--sites", tmp_path / "s.csv", "--catalog", tmp_path / "scenes")
        answer = command("detect", *words, "-o", tmp_path / "run")
        assert answer.err.count("no buffer_m") == 1

    def test_detect_says_sentences_and_where_the_report_is(self, command, tmp_path, places, engine):
        answer = command("detect", *places, "-o", tmp_path / "run")
        first, *sentences, last = answer.out.splitlines()
        assert first == "Site 0: 1 event in 3 looks"
        assert any("between 10 January and 9 February 2024" in text for text in sentences)
        assert last == f"→ {tmp_path / 'run' / 'report.html'}"
        progress = [line for line in answer.err.splitlines() if "%" in line]
        assert 2 <= len(progress) <= 11

    def test_weights_show_tells_the_limits(self, command, weights):
        answer = command("weights", "show", weights)
        assert "bands: red, green, blue" in answer.out
        assert "None" not in answer.out
        assert all(line.strip() for line in answer.out.splitlines())

    def test_sites_check(self, command, places):
        assert command("sites", "check", places[1]).out.splitlines() == [
            "ok       s0  Site 0",
            "         39.7492° N, 129.0009° E; 160 × 160 m, 25,620 m²",
            "1 site, 0 refused",
        ]

    def test_sites_check_fails_if_a_site_is_refused(self, command, tmp_path):
        (tmp_path / "s.csv").write_text("id,lat,lon,buffer_m\na,38,125,50\nb,99,1,5\n")
        answer = command("sites", "check", tmp_path / "s.csv")
        assert (answer.code, answer.err) == (2, "")
        assert answer.out.splitlines()[-1] == "1 site, 1 refused"

    def test_detect_names_sites_that_are_refused(self, command, tmp_path, engine):
        write_series(tmp_path / "scenes", [EMPTY, BUILT])
        lon, lat = Transformer.from_crs(CRS, "OGC:CRS84").transform(*(GRID.affine @ (60, 60)))
        rows = f"id,lat,lon,buffer_m\na,{lat},{lon},40\nb,99,1,5\n"
        (tmp_path / "s.csv").write_text(rows)
        words = ("--sites", tmp_path / "s.csv", "--catalog", tmp_path / "scenes", "--no-report")
        answer = command("detect", *words, "-o", tmp_path / "run")
        assert answer.code == 0
        reason = (
            "has latitude 99: latitude and longitude look swapped (check the columns lat and lon)"
        )
        assert f"line 3 (b): refused: {reason}" in answer.out.splitlines()
        assert "refused" not in answer.err
        document = command("detect", *words, "-o", tmp_path / "run", "--json").json()
        assert document["refused"] == [{"site": "line 3 (b)", "reason": reason}]
        assert command("detect", *words, "-o", tmp_path / "run", "--strict").code == 2

    def test_sites_that_are_watched_no_more_are_named_once(self, command, places, tmp_path, engine):
        words = ("detect", *places, "-o", tmp_path / "run")
        whole = ((0, -160, 160, 0),) * 4
        path = write_sites(places[1], *whole)
        assert "watch-list" not in command(*words).err
        document = json.loads(path.read_text())
        [*_, last] = document["features"] = document["features"][1:]
        last["geometry"] = None  # refused, and said to be
        path.write_text(json.dumps(document))
        said = (
            "1 site of the earlier run is not in the watch-list any more: s0 (1 event of it is no "
            "longer told)"
        )
        assert f"note: {said}\n" in command(*words).err
        assert "report" in places_that_say(tmp_path / "run", said)
        assert "watch-list" not in command(*words).err
        (tmp_path / "run" / "summary.json").write_text("{")
        assert command(*words).code == 0

    def test_what_is_true_of_many_sites_is_said_once(self, command, places, tmp_path, engine):
        write_sites(places[1], (0, -160, 160, 0), (0, -80, 80, 0))
        answer = command("detect", *places, "-o", tmp_path / "run", "--dates", "2020/2021")
        said = "note: only scenes within the asked dates count (--dates) (2 sites)"
        assert [line for line in answer.err.splitlines() if "--dates" in line] == [said]

    def test_version(self, command):
        answer = command("--version")
        assert (answer.code, answer.out, answer.err) == (0, f"groundbreak {__version__}\n", "")


class TestExitCodes:
    @pytest.mark.parametrize(
        "words",
        [
            ["detect"],
            ["detcet"],
            ["sites", "check"],
            ["export", "x", "--format", "shp", "-o", "y"],
            ["simulate", "-o", "x", "--sites", "0"],
            ["evaluate", "-o", "x"],
            ["evaluate", "-o", "x", "--temporal", "run"],
        ],
        ids=" ".join,
    )
    def test_a_wrong_call(self, command, words):
        answer = command(*words)
        assert answer.code == 2
        assert answer.out == ""
        assert len(answer.err.splitlines()) == 1

    def test_an_unknown_format_is_named_with_those_that_are_known(self, command):
        answer = command("export", "x", "--format", "shp", "-o", "y")
        assert answer.error.startswith(
            "Invalid value for '--format': 'shp' is not one of 'geojson'"
        )

    def test_dates_are_judged_of_runs_only(self, command, tmp_path):
        words = ("--temporal", tmp_path, "--truth", tmp_path / "t.json", "-o", tmp_path / "scores")
        answer = command("evaluate", *words)
        assert answer.code == 2
        assert f"{tmp_path}: is not a run folder" in answer.error

    def test_our_fault(self, command, tmp_path, places, engine, monkeypatch):
        def boom(*_):
            raise ZeroDivisionError("boom")

        monkeypatch.setattr(tasks, "detect_site", boom)
        answer = command("detect", *places, "-o", tmp_path / "run")
        assert answer.code == 1
        assert "internal error" in answer.error
        assert "boom" in answer.error
        assert "Traceback" not in answer.err
        log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
        assert any("ZeroDivisionError" in json.loads(line).get("traceback", "") for line in log)

    def test_a_package_that_is_not_installed(self, command, weights, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnx", None)
        monkeypatch.delitem(sys.modules, "groundbreak.model.export", raising=False)
        answer = command("weights", "export", weights, "-o", tmp_path / "w.onnx")
        assert answer.code == 2
        assert answer.error == "onnx is not installed; pip install 'groundbreak[onnx]'"


class TestVerbose:
    WORDS = ("sites", "check", "none.geojson")

    @pytest.mark.parametrize("place", range(4))
    @pytest.mark.parametrize("flag", ["-v", "--verbose"])
    def test_anywhere_it_shows_where_it_happened(self, command, place, flag):
        words = [*self.WORDS[:place], flag, *self.WORDS[place:]]
        answer = command(*words)
        assert answer.code == 2
        assert "Traceback" in answer.err
        assert answer.err.splitlines()[-1] == "groundbreak: none.geojson: does not exist"

    def test_without_it_a_processor_that_fails_is_a_note(self, command, tmp_path, monkeypatch):
        """The log is for programmers; what computes is everyone's concern."""
        monkeypatch.setattr(device, "works", lambda _: "no driver")
        monkeypatch.setattr(export, "export_onnx", lambda *_: device.choose_device("cuda"))
        answer = command("weights", "export", "x", "-o", tmp_path / "w.onnx")
        assert answer.err == "note: cuda does not work here (no driver): computing on the CPU\n"

    def test_it_shows_the_log(self, command, tmp_path, places, engine):
        quiet = command("detect", *places, "-o", tmp_path / "run")
        assert "INFO" not in quiet.err
        loud = command("detect", *places, "-o", tmp_path / "run", "-v")
        assert "INFO groundbreak.pipeline.run: s0: done" in loud.err


class TestProcess:
    def test_a_picture_without_a_place_of_its_own_is_read_without_a_warning(self, tmp_path):
        Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
        row = "a.png,2024-01-10,EPSG:32652,500000,4000000,500040,4000040"
        (tmp_path / "dates.csv").write_text(f"file,date,crs,west,south,east,north\n{row}\n")
        words = (*GROUNDBREAK, "catalog", "scan", tmp_path, "-o", tmp_path / "catalog.json")
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("1 scene →")
        assert done.stderr == f"dates are taken from {tmp_path / 'dates.csv'}\n"

    def test_a_listed_file_that_is_missing_is_named_and_counted(self, tmp_path):
        Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
        place = "EPSG:32652,500000,4000000,500040,4000040"
        rows = (f"{name}.png,2024-01-10,{place}" for name in "ab")
        (tmp_path / "dates.csv").write_text(
            "\n".join(("file,date,crs,west,south,east,north", *rows))
        )
        words = (*GROUNDBREAK, "catalog", "scan", tmp_path, "-o", tmp_path / "catalog.json")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert done.stdout.startswith("1 scene, 1 file left out →")
        assert "left out  b.png: does not exist (line 3 of dates.csv)\n" in done.stderr
        done = subprocess.run((*words, "--strict"), capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "b.png: does not exist (line 3" in done.stderr

    def test_as_a_module(self, tmp_path):
        words = (*GROUNDBREAK, "sites", "check", tmp_path / "none.csv")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == f"groundbreak: {tmp_path / 'none.csv'}: does not exist\n"

    def test_interrupted(self, tmp_path):
        words = (*GROUNDBREAK, "simulate", "-o", tmp_path / "s")
        # What ignores the signal, like a job that a shell put into the background, passes that on.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        signal.signal(signal.SIGINT, before)
        until = time.monotonic() + 200
        while not (tmp_path / "s" / "README.txt").exists() and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err == "groundbreak: interrupted; the same command goes on from here\n"
        assert not [p for p in tmp_path.rglob(".*") if p.is_file()]

    def test_a_reader_that_went_away(self, tmp_path):
        write_sites(tmp_path / "sites.geojson")
        words = (*GROUNDBREAK, "sites", "check", tmp_path / "sites.geojson")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0

"""Bad input that stops the whole job: exit 2, one line, nothing half-written, the rest kept."""

import errno
import fcntl
import json
import os
import resource
import shutil
import subprocess
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import save_file

from commands import events, mounted, temporary_files
from groundbreak.model.weights import weights_folder
from groundbreak.pipeline.folder import claimed
from series import SIDE, write_series, write_sites

EMPTY, BUILT = {}, {"house": True}


@pytest.fixture
def job(tmp_path, command):
    """Calls ``detect`` on a good watch-list and two good scenes; further words win."""
    write_series(tmp_path / "scenes", [EMPTY, BUILT])
    write_sites(tmp_path / "sites.geojson")

    def detect(*more, sites="sites.geojson", catalog="scenes", run="run"):
        places = [tmp_path / place for place in (sites, catalog, run)]
        return command(
            "detect", "--sites", places[0], "--catalog", places[1], "-o", places[2], *more
        )

    return detect


def refused(answer, *words):
    """The one line of an exit with 2, which holds all the words."""
    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err
    line = answer.error
    assert "internal error" not in line
    for word in words:
        assert str(word) in line
    return line


def without_locks(monkeypatch, code):
    """Let files be locked with this outcome."""

    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)


def collection(path, *features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def item(href, name="a"):
    """A STAC item as another program may have written it."""
    bands = [{"name": n, "common_name": n} for n in ("red", "green", "blue")]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": None,
        "links": [],
        "properties": {"datetime": "2024-01-10T00:00:00Z"},
        "assets": {"image": {"href": href, "eo:bands": bands, "roles": ["data"]}},
    }


class TestNothingLeft:
    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("none.geojson", None, "does not exist"),
            ("w.geojson", "{", "not"),
            ("w.geojson", '{"type": "FeatureCollection", "features": []}', "holds no site"),
            ("w.csv", "id,name,lat,lon,buffer_m\na,A,95,200,10\n", "no site is left"),
            ("w.txt", "a", "watch-lists are .geojson"),
        ],
    )
    def test_no_site(self, tmp_path, job, name, text, said):
        if text is not None:
            (tmp_path / name).write_text(text)
        refused(job(sites=name), tmp_path / name, said)
        assert not (tmp_path / "run").exists()

    def test_no_scene_in_a_folder(self, tmp_path, job, command):
        (tmp_path / "other").mkdir()
        refused(job(catalog="other"), tmp_path / "other", "holds no rasters")
        (tmp_path / "other" / "2024-01-01.tif").write_text("no raster")
        refused(job(catalog="other"), "no scene is left", "2024-01-01.tif", "GeoTIFF")
        catalog = tmp_path / "new" / "catalog.json"
        refused(command("catalog", "scan", tmp_path / "other", "-o", catalog), "no scene is left")
        assert not (tmp_path / "run").exists()
        assert not catalog.parent.exists()

    def test_no_scene_in_a_catalogue(self, tmp_path, job):
        collection(tmp_path / "c.json")
        refused(job(catalog="c.json"), tmp_path / "c.json", "holds no scene")
        collection(tmp_path / "c.json", item("gone.tif") | {"id": ""})
        refused(job(catalog="c.json"), "no scene is left of 1 item", "item 1 has no id")
        refused(job(catalog="none.json"), tmp_path / "none.json", "does not exist")
        assert not (tmp_path / "run").exists()


class TestWeights:
    @pytest.fixture
    def weights(self, tmp_path):
        """A copy of shipped weights."""
        for suffix in (".safetensors", ".json"):
            shutil.copy(weights_folder() / f"site-2m{suffix}", tmp_path / f"own{suffix}")
        return tmp_path / "own.safetensors"

    def test_corrupt(self, tmp_path, job, weights):
        with weights.open("r+b") as file:
            file.seek(4_000_000)
            file.write(b"xxxx")
        refused(job("--weights", weights), weights, "not the file its card describes")
        assert not (tmp_path / "run").exists()

    def test_cut_short(self, tmp_path, job, weights):
        weights.write_bytes(weights.read_bytes()[:1000])
        refused(job("--weights", weights), weights, "not the file its card describes", "again")
        assert not (tmp_path / "run").exists()

    def test_foreign(self, tmp_path, job, weights):
        torch.save({"w": torch.zeros(1)}, tmp_path / "model.pt")
        refused(job("--weights", tmp_path / "model.pt"), "model.pt", ".safetensors", "site-2m")
        weights.with_suffix(".json").unlink()
        refused(job("--weights", weights), weights, "no card own.json")
        weights.with_suffix(".json").write_text('{"format": 1}')
        refused(job("--weights", weights), weights.with_suffix(".json"), "not a card")
        refused(job("--weights", "site-9m"), "site-9m", "shipped are site-2m, area-10m")

    def test_of_another_network(self, tmp_path, job, weights):
        """Found only when they are loaded, and yet the end of the job, whatever else it holds."""
        card = weights.with_suffix(".json")
        card.write_text(json.dumps(json.loads(card.read_text()) | {"sha256": None}))
        save_file({"layer.weight": torch.zeros(3)}, weights)
        write_sites(tmp_path / "sites.geojson", (0, -SIDE, SIDE, 0), (9000, 0, 9100, 100))
        refused(job("--weights", weights), weights, "does not fit the network of its card")
        assert not (tmp_path / "run" / "events.geojson").exists()
        assert temporary_files(tmp_path / "run") == []


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("prepare: {min_usable_shar: 0.1}", "did you mean 'min_usable_share'?"),
            ("inferences: {}", "did you mean 'inference'?"),
            ("events: {decode: {rates: {changed: fast}}}", "a number"),
            ("inference: {window: 64, overlap: 96}", "overlap"),
            ("a: [", "not a YAML file"),
            ("- 1", "expected keys and values"),
        ],
    )
    def test_a_key_or_value_that_is_not_known(self, tmp_path, job, text, said):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        refused(job("--config", path), path, said)
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--kinds", "new_buildings"], "--kinds"),
            (["--dates", "spring"], "--dates"),
            (["--device", "tpu"], "tpu"),
            (["--scheduler", "cloud"], "--scheduler"),
            (["--gsd", "-1"], "--gsd"),
            (["--min-confidence", "2"], "--min-confidence"),
            (["--wieghts", "x"], "--weights"),
        ],
    )
    def test_an_option_that_is_not_known(self, job, engine, words, said):
        refused(job(*words), said)


class TestHrefs:
    @pytest.mark.parametrize(
        ("href", "said"),
        [
            ("/vsicurl/http://example.com/a.tif", "virtual file"),
            ("/vsizip/scenes.zip/a.tif", "virtual file"),
            ("scenes/all.vrt", "VRT"),
            ("../secret.tif", "--allow"),
            ("/etc/passwd", "--allow /etc"),
            ("s3://bucket/a.tif", "scheme 's3'"),
            ("https://example.com/a.tif", "--allow example.com"),
        ],
    )
    def test_refused(self, tmp_path, job, href, said):
        good = sorted(p.name for p in (tmp_path / "scenes").iterdir())
        (tmp_path / "secret.tif").write_bytes(b"")
        (tmp_path / "c").mkdir()
        shutil.copytree(tmp_path / "scenes", tmp_path / "c" / "scenes")
        items = [item(f"scenes/{name}", name) for name in good]
        collection(tmp_path / "c" / "c.json", *items, item(href, "bad"))
        refused(job(catalog="c/c.json"), href, "scene bad", said)
        assert not (tmp_path / "run").exists()

    def test_a_link_that_leads_outside(self, tmp_path, job):
        (tmp_path / "c").mkdir()
        (tmp_path / "c" / "a.tif").symlink_to(next((tmp_path / "scenes").iterdir()))
        collection(tmp_path / "c" / "c.json", item("a.tif"))
        refused(job(catalog="c/c.json"), "outside the folder", "--allow")

    def test_a_vrt_by_another_name_is_no_raster(self, tmp_path, job):
        path = tmp_path / "c" / "2024-01-10.tif"
        path.parent.mkdir()
        path.write_text("<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>")
        refused(job(catalog="c"), "2024-01-10.tif", "is not a raster")


@contextmanager
def filled(folder, free):
    """The disk of a folder with so many bytes left."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        file.write(b"\0" * (shutil.disk_usage(folder).free - free))
    yield
    filler.unlink()


class TestFullDisk:
    @pytest.mark.parametrize("free", [0, 40_000, 160_000])
    def test_what_was_finished_stays_and_the_rest_can_follow(self, tmp_path, job, engine, free):
        with mounted(tmp_path / "disk", "size=24m") as disk:
            run = disk / "run"
            assert job(run="disk/run").code == 0
            before = {
                p.name: p.read_bytes()
                for p in run.iterdir()
                if p.suffix != ".jsonl" and p.is_file()
            }
            write_series(tmp_path / "scenes", [EMPTY, BUILT, BUILT])
            with filled(disk, free):
                refused(job(run="disk/run"), disk, "the disk is full", "free some space")
            assert temporary_files(run) == []
            finished = json.loads(before["events.geojson"])
            assert json.loads((run / "events.geojson").read_text()) == finished
            assert job(run="disk/run").code == 0
            assert job(run="elsewhere").code == 0
            assert events(run) == events(tmp_path / "elsewhere")
            assert events(run) != [feature["properties"] for feature in finished["features"]]

    def test_a_catalogue(self, tmp_path, job, command):
        with mounted(tmp_path / "disk", "size=1m") as disk, filled(disk, 0):
            path = disk / "catalog.json"
            answer = command("catalog", "scan", tmp_path / "scenes", "-o", path)
            refused(answer, path, "the disk is full")
            assert not path.exists()
            assert temporary_files(disk) == []

    @pytest.mark.parametrize(
        "form", ["geojson", "gpkg", "geoparquet", "csv", "kml", "stac", "kwcoco"]
    )
    def test_an_export(self, tmp_path, job, command, engine, form):
        assert job().code == 0
        with mounted(tmp_path / "disk", "size=1m") as disk, filled(disk, 0):
            path = disk / "events.out"
            answer = command("export", tmp_path / "run", "--format", form, "-o", path)
            refused(answer, path, "the disk is full")
            assert not path.exists()
            assert temporary_files(disk) == []

    def test_a_file_that_may_not_grow(self, tmp_path, job, engine):
        """The same on any machine: the system refuses to write beyond a size."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            answer = job()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert answer.code == 2
        last = answer.err.splitlines()[-1]  # libtiff has its say before
        assert last.startswith(f"groundbreak: {tmp_path / 'run' / 'work'}")
        assert "cannot be written" in last
        assert temporary_files(tmp_path / "run") == []
        assert not list((tmp_path / "run").rglob("*.tif"))
        assert job().code == 0


class TestReadOnly:
    WRITERS = (
        ["catalog", "scan", "{scenes}", "-o", "{out}/catalog.json"],
        ["detect", "--sites", "{sites}", "--catalog", "{scenes}", "-o", "{out}/run"],
        ["tile", "--sites", "{sites}", "--catalog", "{scenes}", "-o", "{out}/tiles"],
        ["export", "{run}", "--format", "geojson", "-o", "{out}/e.geojson"],
        ["export", "{run}", "--format", "gpkg", "-o", "{out}/e.gpkg"],
        ["export", "{run}", "--format", "geoparquet", "-o", "{out}/e.parquet"],
        ["export", "{run}", "--format", "csv", "-o", "{out}/e.csv"],
        ["export", "{run}", "--format", "kml", "-o", "{out}/e.kml"],
        ["export", "{run}", "--format", "kwcoco", "-o", "{out}/e.kwcoco.json"],
        ["weights", "export", "site-2m", "-o", "{out}/w.onnx"],
        ["simulate", "-o", "{out}/series"],
        ["demo", "-o", "{out}/demo"],
    )

    @pytest.mark.parametrize("words", WRITERS, ids=lambda words: f"{words[0]}-{words[-1][6:]}")
    @pytest.mark.parametrize("kind", ["read-only", "below a file"])
    def test_every_command_that_writes(self, tmp_path, job, command, engine, words, kind):
        if "{run}" in words:
            assert job().code == 0
        places = {
            "scenes": tmp_path / "scenes",
            "sites": tmp_path / "sites.geojson",
            "run": tmp_path / "run",
            "out": tmp_path / "out",
        }
        words = [word.format(**places) for word in words]
        if kind == "below a file":
            (tmp_path / "out").write_text("a file")
            refused(command(*words), tmp_path / "out", "cannot be written")
            assert (tmp_path / "out").read_text() == "a file"
        else:
            with mounted(tmp_path / "out", "ro"):
                refused(command(*words), tmp_path / "out", "may not be written", "choose another")

    def test_a_finished_run_on_a_read_only_disk(self, tmp_path, job, command, engine):
        with mounted(tmp_path / "disk", "size=24m") as disk:
            assert job(run="disk/run").code == 0
            page = (disk / "run" / "report.html").read_bytes()
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            refused(job(run="disk/run"), disk, "may not be written")
            refused(command("report", disk / "run"), disk, "may not be written")
            assert (disk / "run" / "report.html").read_bytes() == page

    def test_a_folder_that_holds_something_else(self, tmp_path, job, command):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "thesis.txt").write_text("mine")
        refused(job(), tmp_path / "run", "is not a run folder", "choose a new folder")
        refused(command("demo", "-o", tmp_path / "run"), tmp_path / "run", "not an earlier demo")
        refused(command("report", tmp_path / "run"), tmp_path / "run", "is not a run folder")
        assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.txt"]

    def test_a_run_that_another_process_is_at(self, tmp_path, job):
        with claimed(tmp_path / "run"):
            refused(job(), tmp_path / "run", "another groundbreak is at work", "wait")

    @pytest.mark.parametrize("code", [errno.EWOULDBLOCK, errno.EACCES])
    def test_a_lock_that_another_process_has(self, tmp_path, job, monkeypatch, code):
        without_locks(monkeypatch, code)
        refused(job(), tmp_path / "run", "another groundbreak is at work", "wait")

    def test_a_lock_that_cannot_be_had(self, tmp_path, job, monkeypatch):
        without_locks(monkeypatch, errno.EIO)
        refused(job(), tmp_path / "run", f"cannot be written ({os.strerror(errno.EIO)})")

    @pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
    def test_a_file_system_without_locks(self, tmp_path, job, engine, monkeypatch, code):
        without_locks(monkeypatch, code)
        answer = job()
        assert answer.code == 0
        told = f"{tmp_path / 'run'}: its file system has no locks"
        assert answer.err.count(told) == 1
        assert told in (tmp_path / "run" / "log.jsonl").read_text()
        assert (tmp_path / "run" / "report.html").is_file()

    def test_a_log_that_cannot_be_written(self, tmp_path, job, engine, full_disk):
        assert job().code == 0
        log = tmp_path / "run" / "log.jsonl"
        log.unlink()
        log.symlink_to(full_disk)
        answer = job()
        assert answer.code == 0
        assert [line for line in answer.err.splitlines() if "%" not in line] == [
            f"note: {log}: the disk is full; what was logged is not complete"
        ]

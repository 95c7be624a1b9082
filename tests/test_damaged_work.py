"""A working folder after a full disk, a crash or a careless hand: what is damaged is made anew."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from commands import events, observed
from groundbreak.errors import RasterError, UnreachedError
from groundbreak.kept import kept_json
from groundbreak.pipeline import change
from groundbreak.pipeline import detect as detect_module
from groundbreak.pipeline.news import TOLD
from groundbreak.prepare import store
from groundbreak.prepare.known import Known
from groundbreak.prepare.offsets import dark_ends
from series import run_again, write_inputs, write_series, write_sites

STATES = [{}, {}, {"house": True}, {"house": True}]

JSON_DAMAGE = {
    "empty": lambda _: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "not UTF-8": lambda data: b"\xff" + data,
    "something else": lambda _: b"[3]",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A small series and its watch-list; what the first test finds in it is kept beside them."""
    folder = write_inputs(tmp_path_factory.mktemp("inputs"), STATES)
    (folder / "settings.yaml").write_text("inference: {window: 96, overlap: 32, margin: 4}\n")
    return folder


@pytest.fixture
def detect(tmp_path, inputs, command, engine):
    """``detect()`` of the series into ``run``, in several bands of rows; a run is there."""
    run = tmp_path / "run"

    def again(*more, sites="sites.geojson"):
        words = ["--sites", inputs / sites, "--catalog", inputs / "scenes"]
        words += ["--config", inputs / "settings.yaml", "-o", run, "--json", *more]
        (run / "log.jsonl").unlink(missing_ok=True)
        return command("detect", *words)

    def first():
        assert again().code == 0
        assert told(tmp_path) == []

    run_again(run, inputs, first)
    return again


def work(tmp_path, pattern="**/*"):
    """Files of the working folder of the site with what they hold.

    But for what was told when, which cannot be made anew as it was.
    """
    files = sorted((tmp_path / "run" / "work" / "s0").glob(pattern))
    return {p: p.read_bytes() for p in files if p.is_file() and p.name != TOLD}


def told(tmp_path):
    """What the log warns of; nothing in it is an error."""
    log = (tmp_path / "run" / "log.jsonl").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["level"] for line in lines} <= {"info", "warning"}
    return [line["message"] for line in lines if line["level"] == "warning"]


def damage(files, how):
    for path, data in files.items():
        path.write_bytes(how(data))


@pytest.mark.parametrize("how", JSON_DAMAGE.values(), ids=JSON_DAMAGE)
def test_documents_that_are_damaged_are_made_anew(tmp_path, detect, how):
    before, found = work(tmp_path), events(tmp_path / "run")
    assert len(found) == 1
    documents = work(tmp_path, "**/*.json")
    damage(documents, how)
    assert detect("--no-report").code == 0
    assert events(tmp_path / "run") == found
    assert work(tmp_path) == before
    warned = {text.split(" is damaged")[0] for text in told(tmp_path)}
    # Of a pair whose key is damaged nothing else is looked at.
    assert warned == {str(p) for p in documents if p.name == "key.json" or "__" not in str(p)}


@pytest.mark.parametrize(
    "pattern",
    ["*/*/key.json", "*/*/rows_*.json", "*/*/outlines.json", "looks/*/look.json", "site.json"],
)
def test_only_what_is_damaged_is_made_anew(tmp_path, detect, engine, pattern):
    before, windows = work(tmp_path), engine.pairs
    times = {path: path.stat().st_mtime_ns for path in before}
    damaged = work(tmp_path, pattern)
    assert damaged
    damage(damaged, JSON_DAMAGE["cut short"])
    assert detect("--no-report").code == 0
    assert work(tmp_path) == before
    assert len(told(tmp_path)) == len(damaged)
    folders = {path.parent for path in damaged}
    anew = {path for path in before if path.stat().st_mtime_ns != times[path]}
    always = {"site.json", "objects.json"}
    assert {path for path in anew if path.parent not in folders} == {
        path for path in before if path.name in always and path.parent not in folders
    }
    assert (engine.pairs > windows) == ("key" in pattern or "rows" in pattern)


@pytest.mark.parametrize("how", [lambda data: data[:50], lambda _: b"{}"], ids=["cut", "no list"])
def test_that_ids_could_not_be_continued_is_said(tmp_path, detect, how):
    path = tmp_path / "run" / "work" / "s0" / "objects.json"
    path.write_bytes(how(path.read_bytes()))
    [note] = detect().json()["sites"][0]["notes"]
    assert "ids of earlier runs could not be continued" in note
    assert "ids of earlier runs" in (tmp_path / "run" / "report.html").read_text()
    assert detect().json()["sites"][0]["notes"] == []


WRONG_ANSWERS = {
    "a number": lambda _: 3,
    "a list": lambda _: [3],
    "nothing": lambda _: None,
    "no fields": lambda _: {},
    "other fields": lambda answer: answer | {"colour": 3},
    "texts": lambda answer: dict.fromkeys(answer, "3"),
    "numbers": lambda answer: dict.fromkeys(answer, 3.5),
    "lists": lambda answer: {name: [value] for name, value in answer.items()},
}


@pytest.mark.parametrize("wrong", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_answers_that_are_none_are_found_anew(tmp_path, detect, wrong):
    before, found = work(tmp_path), events(tmp_path / "run")
    path = tmp_path / "run" / "work" / "s0" / "glances" / "known.json"
    answers = json.loads(path.read_text())
    path.write_text(json.dumps({key: wrong(answer) for key, answer in answers.items()}))
    assert detect("--no-report").code == 0
    assert (events(tmp_path / "run"), work(tmp_path)) == (found, before)
    assert len(told(tmp_path)) == len(answers)
    assert all(text.startswith(f"{path} is damaged") for text in told(tmp_path))


def test_a_wrong_answer_leaves_the_others_known(tmp_path, detect):
    path = tmp_path / "run" / "work" / "s0" / "glances" / "known.json"
    before = path.read_text()
    answers = json.loads(before)
    for wrong in (3, float("nan")):
        path.write_text(json.dumps(answers | {max(answers): wrong}))
        assert detect("--no-report").code == 0
        assert (path.read_text(), len(told(tmp_path))) == (before, 1)


WRONG_FIELDS = {
    "looks/*/look.json": {
        "start": 3,
        "scene_ids": "abc",
        "gsd_m": "fine",
        "usable_share": None,
        "aligned": 3,
        "shift_px": [0.0],
        "alignment_note": 3,
        "mean": [0.1, "x", 0.1],
        "flags": 3,
    },
    "pairs/*/rows_*.json": {"empty": "no", "bytes": "many"},
}


@pytest.mark.parametrize(
    ("pattern", "field"), [(p, field) for p, fields in WRONG_FIELDS.items() for field in fields]
)
def test_a_field_of_another_type_is_damage(tmp_path, detect, pattern, field):
    before, found = work(tmp_path), events(tmp_path / "run")
    path = min(work(tmp_path, pattern))
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {field: WRONG_FIELDS[pattern][field]}))
    assert detect("--no-report").code == 0
    assert (events(tmp_path / "run"), work(tmp_path)) == (found, before)
    assert len(told(tmp_path)) == 1


@pytest.mark.parametrize("answer", [[], [0.1, "x"], {}, 3, "x"])
def test_dark_ends_are_numbers_or_none(tmp_path, answer):
    path, question = tmp_path / "known.json", ["darks"]
    first = Known(path)
    assert first.of(question, lambda: [0.1, 0.2], dark_ends) == [0.1, 0.2]
    first.save(forget=False)
    [key] = json.loads(path.read_text())
    assert Known(path).of(question, list, dark_ends) == [0.1, 0.2]
    path.write_text(json.dumps({key: answer}))
    assert Known(path).of(question, lambda: None, dark_ends) == ([] if answer == [] else None)


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES])
def test_a_document_that_cannot_be_read_is_not_taken_for_damaged(tmp_path, monkeypatch, code):
    path = tmp_path / "known.json"
    path.write_text("[3]")

    def fail(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(UnreachedError, match=re.escape(os.strerror(code))):
        kept_json(path, list)


def test_a_document_is_not_damaged_where_memory_runs_out(tmp_path):
    path = tmp_path / "known.json"
    path.write_text("[3]")

    def fail(_):
        raise MemoryError

    with pytest.raises(MemoryError):
        kept_json(path, fail)
    assert kept_json(path, dict) is None
    assert kept_json(tmp_path / "none.json", list) is None


@pytest.mark.parametrize("name", ["site.json", "objects.json"])
def test_one_damaged_file_does_not_end_the_other_sites(tmp_path, inputs, detect, name):
    write_sites(inputs / "two.geojson", (0, -160, 160, 0), (0, -80, 80, 0))
    assert detect("--no-report", sites="two.geojson").code == 0
    found = events(tmp_path / "run")
    path = tmp_path / "run" / "work" / "s0" / name
    path.write_text("{}" if name == "site.json" else "[3]")
    assert detect("--no-report", sites="two.geojson").code == 0
    assert events(tmp_path / "run") == found
    assert len({event["site_id"] for event in found}) == 2


@pytest.mark.parametrize("transform", [[1, 0, 0, 0, 0, 0], [0, 0, 5e5, 0, -1, 4e6], [1, 2]])
def test_a_grid_without_a_pixel_size_is_chosen_anew(tmp_path, detect, transform):
    before = work(tmp_path)
    path = tmp_path / "run" / "work" / "s0" / "site.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"transform": transform}))
    assert detect("--no-report").code == 0
    assert work(tmp_path) == before


def detected_by_catalog(tmp_path, command):
    """Run once on a catalogue, which stays when the scenes go; the words of the command."""
    write_series(tmp_path / "scenes", STATES)
    catalog, sites = tmp_path / "catalog.json", write_sites(tmp_path / "sites.geojson")
    assert command("catalog", "scan", tmp_path / "scenes", "-o", catalog).code == 0
    words = ["--sites", sites, "--catalog", catalog, "-o", tmp_path / "run", "--no-report"]
    assert command("detect", *words).code == 0
    return words


@pytest.mark.parametrize("name", ["look.json", "pixels.tif", "usable.tif"])
def test_a_look_is_damaged_while_its_scene_is_gone(tmp_path, command, engine, name):
    """It cannot be used, but it is not deleted either: a copy may be found."""
    words = detected_by_catalog(tmp_path, command)
    before, files = events(tmp_path / "run"), work(tmp_path, f"looks/*/{name}")
    first = min(files)
    first.write_bytes(files[first][:100])
    (tmp_path / "scenes").rename(tmp_path / "elsewhere")
    answer = command("detect", *words, "--json")
    assert answer.code == 0
    [site] = answer.json()["sites"]
    assert (site["looks"], site["looks_left_out"]) == (3, 1)
    assert len([*first.parent.iterdir()]) == 3
    first.write_bytes(files[first])
    assert command("detect", *words).code == 0
    assert events(tmp_path / "run") == before


@pytest.mark.parametrize("pattern", ["site.json", "looks/*/look.json", "looks/*/pixels.tif"])
def test_exports_that_need_the_looks_say_what_is_damaged(tmp_path, command, detect, pattern):
    path = min(work(tmp_path, pattern))
    path.write_bytes(path.read_bytes()[:40])
    words = ("export", tmp_path / "run", "--format", "kwcoco", "-o", tmp_path / "e.json")
    answer = command(*words)
    assert answer.code == 2
    assert "work/s0: is gone or damaged, and with it looks; run detect again" in answer.error
    assert command("report", tmp_path / "run").code == 0
    assert detect("--no-report").code == 0
    assert command(*words).code == 0


RASTER_DAMAGE = {
    "empty": lambda _: b"",
    "its head only": lambda data: data[:300],
    "without its end": lambda data: data[:-1],
    "another file": lambda _: b"[3]",
    "zeros inside": lambda data: data[:500] + bytes(len(data) - 600) + data[-100:],
}
RASTERS = ["looks/*/pixels.tif", "looks/*/usable.tif", "pairs/*/rows_*.tif", "longer/*/rows_*.tif"]


@pytest.mark.parametrize("pattern", RASTERS)
@pytest.mark.parametrize("how", RASTER_DAMAGE.values(), ids=RASTER_DAMAGE)
def test_rasters_that_are_damaged_are_made_anew(tmp_path, detect, engine, pattern, how):
    before, found, windows = work(tmp_path), events(tmp_path / "run"), engine.pairs
    damaged = dict([*work(tmp_path, pattern).items()][1:3])
    damage(damaged, how)
    assert detect("--no-report").code == 0
    assert events(tmp_path / "run") == found
    unread = {path for path in damaged if path.read_bytes() != before[path]}
    assert work(tmp_path) == before | {path: how(before[path]) for path in unread}
    warned = {re.split(": | is damaged| cannot be had", text)[0] for text in told(tmp_path)}
    assert warned == {str(path) for path in damaged.keys() - unread}
    if how is not RASTER_DAMAGE["zeros inside"]:
        assert not unread
    assert (engine.pairs > windows) == ("rows" in pattern and warned != set())


@pytest.mark.parametrize("pattern", RASTERS)
def test_rasters_that_are_gone_are_made_anew(tmp_path, detect, pattern):
    before = work(tmp_path)
    path = min(work(tmp_path, pattern))
    path.unlink()
    assert detect("--no-report").code == 0
    assert work(tmp_path) == before
    assert told(tmp_path) == [f"{path} cannot be had (No such file or directory)"]


def test_what_is_damaged_again_and_again_is_not_tried_for_ever(tmp_path, detect, monkeypatch):
    asked = []

    def fail(path, *_):
        asked.append(path)
        raise RasterError(str(path), "is damaged")

    monkeypatch.setattr(change, "read_window", fail)
    answer = detect("--no-report")
    assert answer.code == 2
    assert "every site: failed, the first with: " in answer.error
    assert len(asked) == 2


def test_a_passing_fault_costs_no_file(tmp_path, detect, monkeypatch):
    before, found = work(tmp_path), events(tmp_path / "run")
    times = {path: path.stat().st_mtime_ns for path in before if path.suffix == ".tif"}
    read, asked = store.read_window, []

    def fail_once(path, *more):
        asked.append(path)
        if len(asked) == 1:
            raise RasterError(str(path), "is damaged or cannot be read (TIFFFillTile: read error)")
        return read(path, *more)

    monkeypatch.setattr(store, "read_window", fail_once)
    assert detect("--no-report").code == 0
    assert (events(tmp_path / "run"), work(tmp_path)) == (found, before)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert [text.split("; ")[-1] for text in told(tmp_path)] == ["read once more it is in order"]


def test_what_the_disk_does_not_give_is_not_taken_for_damaged(tmp_path, detect, monkeypatch):
    before = work(tmp_path)

    def fail(path, *_):
        raise RasterError(str(path), "is damaged or cannot be read (TIFFFillTile: read error)")

    def refuse(path):
        raise UnreachedError(str(path), "cannot be read now (Input/output error)")

    monkeypatch.setattr(store, "read_window", fail)
    monkeypatch.setattr(detect_module, "read_through", refuse)
    answer = detect("--no-report")
    assert answer.code == 2
    assert "cannot be read now (Input/output error)" in answer.error
    assert work(tmp_path, "**/*.tif").keys() == {p for p in before if p.suffix == ".tif"}


def test_many_damaged_rasters_are_found_at_once(tmp_path, detect, monkeypatch):
    before, found = work(tmp_path), events(tmp_path / "run")
    damage(work(tmp_path, "looks/*/*.tif"), RASTER_DAMAGE["zeros inside"])
    damage(work(tmp_path, "pairs/*/*.tif"), RASTER_DAMAGE["zeros inside"])
    once, passes = detect_module._detect, []

    def counted(*given):
        passes.append(1)
        return once(*given)

    monkeypatch.setattr(detect_module, "_detect", counted)
    assert detect("--no-report").code == 0
    assert (events(tmp_path / "run"), work(tmp_path)) == (found, before)
    assert len(passes) == 2


@pytest.mark.parametrize("name", ["pixels.tif", "usable.tif"])
@pytest.mark.parametrize("place", [0, 3], ids=["the first", "the last"])
def test_a_look_is_damaged_inside_while_its_scene_is_gone(tmp_path, command, engine, name, place):
    """The site does without it. It stays, until its scene is back to make it anew from."""
    words = detected_by_catalog(tmp_path, command)
    before = events(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "work" / "s0" / "pairs")
    files = work(tmp_path, f"looks/*/{name}")
    path = sorted(files)[place]
    damage({path: files[path]}, RASTER_DAMAGE["zeros inside"])
    (tmp_path / "scenes").rename(tmp_path / "elsewhere")
    for _ in range(2):
        answer = command("detect", *words, "--json")
        assert answer.code == 0
        [site] = answer.json()["sites"]
        assert (site["looks"], site["looks_left_out"]) == (3, 1)
        [row] = [row for row in observed(tmp_path / "run") if not row["used"]]
        assert row["look_id"] == path.parent.name
        assert "does not exist" in row["reason"]
        assert row["reason"].endswith("; what was prepared of it earlier is damaged")
        assert path.read_bytes() != files[path]
        assert len(events(tmp_path / "run")) == len(before)
    assert command("detect", *words, "--strict").code == 2
    (tmp_path / "elsewhere").rename(tmp_path / "scenes")
    assert command("detect", *words).code == 0
    assert (events(tmp_path / "run"), path.read_bytes()) == (before, files[path])


@pytest.mark.parametrize("name", ["pixels.tif", "usable.tif"])
def test_all_looks_are_damaged_inside_while_their_scenes_are_gone(tmp_path, command, engine, name):
    words = detected_by_catalog(tmp_path, command)
    before = events(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "work" / "s0" / "pairs")
    files = work(tmp_path, f"looks/*/{name}")
    damage(files, RASTER_DAMAGE["zeros inside"])
    (tmp_path / "scenes").rename(tmp_path / "elsewhere")
    answer = command("detect", *words, "--json")
    assert answer.code == 0
    [site] = answer.json()["sites"]
    assert site["remark"].startswith("not observed: no usable look (")
    assert work(tmp_path, f"looks/*/{name}").keys() == files.keys()
    (tmp_path / "elsewhere").rename(tmp_path / "scenes")
    assert command("detect", *words).code == 0
    assert events(tmp_path / "run") == before


def test_a_report_goes_without_pictures_that_are_damaged(tmp_path, command, detect):
    page = tmp_path / "run" / "report.html"
    whole = page.read_text()
    path = max(work(tmp_path, "looks/*/pixels.tif"))
    damage({path: path.read_bytes()}, RASTER_DAMAGE["zeros inside"])
    assert command("report", tmp_path / "run").code == 0
    assert f"{path}: is damaged" in page.read_text()
    assert "give detect again" in page.read_text()
    assert "data:image/jpeg" not in page.read_text()
    path.unlink()
    assert detect().code == 0
    assert page.read_text().count("data:image/jpeg") == whole.count("data:image/jpeg") > 0


def test_looks_of_runs_that_noted_no_sizes_are_used(tmp_path, detect, engine):
    before, windows = work(tmp_path), engine.pairs
    for path in work(tmp_path, "**/*.json"):
        document = json.loads(path.read_text())
        if "bytes" in document:
            del document["bytes"]
            path.write_text(json.dumps(document))
    assert detect("--no-report").code == 0
    assert (work(tmp_path, "**/*.tif"), engine.pairs, told(tmp_path)) == (
        {path: data for path, data in before.items() if path.suffix == ".tif"},
        windows,
        [],
    )

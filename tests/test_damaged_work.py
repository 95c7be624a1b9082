"""A working folder after a full disk, a crash or a careless hand: what is damaged is made anew."""

import json
import shutil

import pytest

from commands import events
from series import write_series, write_sites

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
    folder = tmp_path_factory.mktemp("inputs")
    write_sites(folder / "sites.geojson")
    write_series(folder / "scenes", STATES)
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

    if not (inputs / "run").exists():
        assert again().code == 0
        assert told(tmp_path) == []
        run.rename(inputs / "run")
    shutil.copytree(inputs / "run", run)
    return again


def work(tmp_path, pattern="**/*"):
    """Files of the working folder of the site with what they hold."""
    folder = tmp_path / "run" / "work" / "s0"
    return {p: p.read_bytes() for p in sorted(folder.glob(pattern)) if p.is_file()}


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


def test_that_ids_could_not_be_continued_is_said(tmp_path, detect):
    path = tmp_path / "run" / "work" / "s0" / "objects.json"
    path.write_bytes(path.read_bytes()[:50])
    [note] = detect().json()["sites"][0]["notes"]
    assert "ids of earlier runs could not be continued" in note
    assert "ids of earlier runs" in (tmp_path / "run" / "report.html").read_text()
    assert detect().json()["sites"][0]["notes"] == []


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


def test_what_is_told_of_looks_is_damaged_while_their_scenes_are_gone(tmp_path, command, engine):
    """They cannot be used, but they are not deleted either: a copy may be found."""
    write_series(tmp_path / "scenes", STATES)
    catalog, sites = tmp_path / "catalog.json", write_sites(tmp_path / "sites.geojson")
    assert command("catalog", "scan", tmp_path / "scenes", "-o", catalog).code == 0
    words = ["--sites", sites, "--catalog", catalog, "-o", tmp_path / "run", "--no-report"]
    assert command("detect", *words).code == 0
    before, looks = events(tmp_path / "run"), work(tmp_path, "looks/*/look.json")
    first = min(looks)
    first.write_bytes(looks[first][:100])
    (tmp_path / "scenes").rename(tmp_path / "elsewhere")
    answer = command("detect", *words, "--json")
    assert answer.code == 0
    [site] = answer.json()["sites"]
    assert (site["looks"], site["looks_left_out"]) == (3, 1)
    assert (first.parent / "pixels.tif").is_file()
    first.write_bytes(looks[first])
    assert command("detect", *words).code == 0
    assert events(tmp_path / "run") == before


def test_exports_that_need_the_looks_say_what_is_damaged(tmp_path, command, detect):
    path = tmp_path / "run" / "work" / "s0" / "site.json"
    path.write_bytes(path.read_bytes()[:40])
    words = ("export", tmp_path / "run", "--format", "kwcoco", "-o", tmp_path / "e.json")
    answer = command(*words)
    assert answer.code == 2
    assert "work/s0: is gone or damaged, and with it the looks; run detect again" in answer.error
    assert command("report", tmp_path / "run").code == 0
    assert detect("--no-report").code == 0
    assert command(*words).code == 0

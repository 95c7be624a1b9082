"""A run folder whose files were damaged: one line names the file, and detect makes it anew."""

import json
import os
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from commands import events, temporary_files
from series import run_again, write_inputs

STATES = [{}, {"house": True}, {"house": True}]

DAMAGE = {
    "empty": lambda _: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "not UTF-8": lambda data: b"\xff" + data,
    "a list": lambda _: b"[3]",
    "empty object": lambda _: b"{}",
    "other types": lambda _: b'{"status": "", "notes": 3, "sites": 3, "features": 3, "assets": 3}',
    "other entries": lambda _: (
        b'{"status": "", "weights": {"a": 3}, "sites": [3], "features": [{}], "assets": {"a": 3}}'
    ),
}

READERS = {
    "run.json": ("report", "stac", "temporal"),
    "summary.json": ("report", "kwcoco"),
    "events.geojson": ("report", "temporal"),
    "observed.parquet": ("report", "kwcoco", "temporal"),
    "ledger.parquet": ("report", "temporal"),
    "events.parquet": ("csv",),
    "item.json": ("stac",),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A small series and its watch-list; the first run on it is kept beside them."""
    folder = write_inputs(tmp_path_factory.mktemp("inputs"), STATES)
    (folder / "truth.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    return folder


@pytest.fixture
def detect(tmp_path, inputs, command, engine):
    """``detect()`` of the series into ``run``; a run is there."""
    run = tmp_path / "run"
    words = ["--sites", inputs / "sites.geojson", "--catalog", inputs / "scenes", "-o", run]

    def first():
        assert command("detect", *words).code == 0

    run_again(run, inputs, first)
    return lambda: command("detect", *words)


@pytest.fixture
def read(tmp_path, inputs, command):
    """``read("report")``, of a form that is exported, or of ``temporal``: reads the run."""
    run = tmp_path / "run"

    def answer(what):
        if what == "report":
            return command("report", run)
        if what == "temporal":
            truth = inputs / "truth.geojson"
            return command("evaluate", "--temporal", run, "--truth", truth, "-o", tmp_path / "out")
        return command("export", run, "--format", what, "-o", tmp_path / "exported")

    return answer


@pytest.mark.parametrize("name", READERS)
def test_it_is_named_in_one_line_and_made_anew(tmp_path, detect, read, name):
    path, found = tmp_path / "run" / name, events(tmp_path / "run")
    whole = path.read_bytes()
    for how in DAMAGE.values():
        path.write_bytes(how(whole))
        for reader in READERS[name]:
            answer = read(reader)
            assert answer.code == 2
            assert answer.error.startswith(f"{path}: ")
    assert detect().code == 0
    assert [read(reader).code for reader in READERS[name]] == [0] * len(READERS[name])
    assert events(tmp_path / "run") == found


LEFT = (
    ".events.a1_b2c3d.gpkg",
    ".report.abcdefgh.html",
    "work/s0/.site.abcdefgh.json",
    "work/s0/looks/20240110T000000-0/.pixels.abcdefgh.tif",
    "work/s0/pairs/a__b/.rows_0.12345678.tif",
)
OTHERS = (".notes", ".notes.abcdefgh.txt", ".events.json", "mine/.events.abcdefgh.gpkg")


def test_what_a_killed_process_left_is_removed(tmp_path, detect):
    run = tmp_path / "run"
    for name in (*LEFT, *OTHERS):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("half")
    for name in (*LEFT[1:], *OTHERS):  # the first is being written
        os.utime(run / name, (time.time() - 7200,) * 2)
    assert detect().code == 0
    assert [name for name in (*LEFT, *OTHERS) if (run / name).exists()] == [LEFT[0], *OTHERS]


def test_what_another_process_writes_is_left_alone(tmp_path, detect):
    report, look = tmp_path / "run" / "report.html", tmp_path / "run" / "work" / "s0" / "a.tif"
    code = (
        "import sys; from pathlib import Path; from groundbreak.atomic import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as a, atomic_path(Path(sys.argv[2])) as b:\n"
        "    print('ready', flush=True); sys.stdin.readline(); b.write_text('whole')"
    )
    words = [sys.executable, "-c", code, report, look]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "ready\n"
        assert detect().code == 0
        assert len(temporary_files(tmp_path / "run")) == 2
        other.stdin.write("\n")
        other.stdin.close()
        assert other.wait() == 0
    assert (look.read_text(), temporary_files(tmp_path / "run")) == ("whole", [])


def test_what_a_killed_process_was_writing_is_removed(tmp_path, detect):
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from groundbreak.atomic import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "run" / "work" / "s0" / "site.json"
    subprocess.run([sys.executable, "-c", code, path], check=False)
    [left] = temporary_files(tmp_path / "run")
    assert detect().code == 0
    assert temporary_files(tmp_path / "run") == [left]  # it may still be written
    os.utime(left, (time.time() - 7200,) * 2)
    assert detect().code == 0
    assert temporary_files(tmp_path / "run") == []


@pytest.mark.parametrize("name", [name for name in READERS if name.endswith(".parquet")])
def test_a_table_of_another_shape(tmp_path, detect, read, name):
    path = tmp_path / "run" / name
    table = pq.read_table(path)
    assert table.num_rows
    when = next(n for n, field in enumerate(table.schema) if "timestamp" in str(field.type))
    words = table.set_column(when, table.column_names[when], [["soon"] * table.num_rows])
    for other in (table.select([0]), words):
        pq.write_table(other, path)
        answer = read(READERS[name][0])
        assert (answer.code, str(path) in answer.error) == (2, True)


def test_what_no_longer_fits_the_schema_is_named(tmp_path, detect, read):
    path = tmp_path / "run" / "events.geojson"
    document = json.loads(path.read_text())
    document["features"][0]["properties"]["confidence"] = "high"
    path.write_text(json.dumps(document))
    answer = read("report")
    assert answer.code == 2
    assert 'properties/confidence: "high" is not of type "number"' in answer.error
    assert "give the same detect command again" in answer.error


@pytest.mark.parametrize("option", ["--sites", "--catalog"])
def test_input_that_is_nested_without_end_is_no_json(tmp_path, inputs, command, option):
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    words = {"--sites": inputs / "sites.geojson", "--catalog": inputs / "scenes", option: path}
    given = [word for pair in words.items() for word in pair]
    answer = command("detect", *given, "-o", tmp_path / "run")
    assert answer.code == 2
    assert answer.error.startswith(f"{path}: is not JSON")

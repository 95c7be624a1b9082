"""What other processes log reaches the run's log."""

import json
import logging
import pickle
from dataclasses import replace

import pytest

from groundbreak.config import DetectConfig
from groundbreak.errors import InternalError
from groundbreak.pipeline import worklog
from groundbreak.pipeline.folder import logged
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.pipeline.worklog import PROCESS, logged_apart, replay
from series import write_series, write_sites

log = logging.getLogger("groundbreak.prepare.offsets")


@pytest.fixture
def worker():
    """Leaves the loggers of this process as they were."""
    package = logging.getLogger("groundbreak")
    handlers, level = package.handlers[:], package.level
    worklog._records.cache_clear()
    yield
    package.handlers[:] = handlers
    package.setLevel(level)
    worklog._records.cache_clear()


def work(task):
    log.info("%s begun", task, extra={"site": task})
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        log.exception("%s failed", task)
    return task.upper()


def lines(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_records_travel_with_the_result(tmp_path, worker):
    result, records = pickle.loads(pickle.dumps(logged_apart(work, "s0", "another process")))
    assert result == "S0"
    with logged(tmp_path):
        replay(records)
    begun, failed = lines(tmp_path)
    assert (begun["level"], begun["room"]) == ("info", "prepare.offsets")
    assert (begun["message"], begun["site"]) == ("s0 begun", "s0")
    assert failed["level"] == "error"
    assert failed["traceback"].splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_nothing_is_told_twice(tmp_path, worker):
    assert len(logged_apart(work, "s0", "another process")[1]) == 2
    assert len(logged_apart(work, "s1", "another process")[1]) == 2
    with logged(tmp_path):
        _, records = logged_apart(work, "s2", PROCESS)
        replay(records)
    assert [line["message"] for line in lines(tmp_path)] == ["s2 begun", "s2 failed"]


def test_names_that_are_no_text_are_logged(tmp_path, capsys, monkeypatch):
    # pytest would keep the line as well, and cannot send it to the process that counts its tests.
    monkeypatch.setattr(logging.getLogger("groundbreak"), "propagate", False)
    with logged(tmp_path):
        log.info("no place: %s", b"caf\xe9.tif".decode("utf-8", "surrogateescape"))
    assert [line["message"] for line in lines(tmp_path)] == ["no place: caf\udce9.tif"]
    assert capsys.readouterr().err == ""


@pytest.fixture
def full(tmp_path, full_disk):
    """A run folder whose log is on a full disk."""
    (tmp_path / "log.jsonl").symlink_to(full_disk)
    return tmp_path


def test_a_log_that_cannot_be_written_is_told_once(full, capsys, caplog):
    with logged(full):
        for number in range(5):
            log.info("look %d", number)
    assert capsys.readouterr().err == ""
    [told] = [r.getMessage() for r in caplog.records if r.name == "groundbreak.pipeline.folder"]
    assert told.startswith(f"{full / 'log.jsonl'}: the disk is full")


def test_a_log_that_cannot_be_written_does_not_hide_what_went_wrong(full, capsys):
    def fail():
        log.info("look 1")
        raise InternalError("what went wrong")

    with pytest.raises(InternalError, match="what went wrong"), logged(full):
        fail()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_traceback_of_a_process_is_in_the_log(tmp_path):
    write_series(tmp_path / "scenes", [{}, {"house": True}])
    write_sites(tmp_path / "sites.geojson")
    job = RunRequest(
        tmp_path / "sites.geojson",
        tmp_path / "scenes",
        tmp_path / "run",
        replace(DetectConfig().settings(), inference=None),
        scheduler="local:1",
    )
    with pytest.raises(InternalError, match="AttributeError"):
        run_detect(job)
    [failed] = [line for line in lines(job.run) if "traceback" in line]
    assert failed["message"] == "site s0 failed"
    assert "detect_site" in failed["traceback"]

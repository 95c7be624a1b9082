"""Sites spread over a real Dask cluster on the loopback; a worker that dies costs nothing."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from shapely.geometry import box

from groundbreak.config import DetectConfig
from groundbreak.errors import ConfigError, OutputError
from groundbreak.inference.choose import EngineChoice
from groundbreak.pipeline.plan import SitePlan
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.pipeline.tasks import SiteTask, run_tasks
from groundbreak.types import HrefPolicy, Site
from series import SIDE, write_series, write_sites

STATES = [{}, {"house": True}, {"house": True}]
CORNERS = [(0, -80, 80, 0), (80, -80, SIDE, 0), (0, -SIDE, 80, -80), (0, -SIDE, SIDE, 0)]


def start(*words):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


def drain(pipe):
    """Keep a pipe empty until it is closed."""
    with contextlib.suppress(ValueError, OSError):
        while pipe.readline():
            pass


def await_line(process, pattern, timeout=90):
    """The first match of a pattern in what the process says; then keep its pipe empty."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        line = process.stderr.readline()
        if found := re.search(pattern, line):
            threading.Thread(target=drain, args=[process.stderr], daemon=True).start()
            return found
    raise AssertionError(f"no {pattern}")


@pytest.fixture
def cluster():
    with contextlib.ExitStack() as stack:

        def launch(*words):
            process = start(*words)
            stack.callback(process.stderr.close)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        scheduler = launch("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        address = await_line(scheduler, r"Scheduler at:\s+tcp://(127\.0\.0\.1:\d+)")[1]
        workers = [
            launch(
                "dask_worker", f"tcp://{address}", "--nthreads", "1", "--no-dashboard", "--no-nanny"
            )
            for _ in range(2)
        ]
        for worker in workers:
            await_line(worker, r"Registered to")
        yield address, workers


def request(tmp_path, name, scheduler):
    return RunRequest(
        tmp_path / "sites.geojson",
        tmp_path / "scenes",
        tmp_path / name,
        replace(DetectConfig().settings()),
        scheduler=scheduler,
    )


def events(job):
    document = json.loads((job.run / "events.geojson").read_text())
    return [feature["properties"] for feature in document["features"]]


@pytest.mark.slow
def test_a_cluster_finds_what_one_process_finds_though_a_worker_dies(tmp_path, cluster):
    address, workers = cluster
    write_series(tmp_path / "scenes", STATES)
    write_sites(tmp_path / "sites.geojson", *CORNERS)
    alone = request(tmp_path, "alone", "local")
    run_detect(alone)
    spread = request(tmp_path, "spread", f"dask://{address}")
    done = []

    def tell(message, share):
        if not done:
            workers[0].send_signal(signal.SIGKILL)
        done.append(message)

    outcome = run_detect(spread, tell)
    assert [site.problem for site in outcome.sites] == [""] * len(CORNERS)
    assert workers[0].poll() is not None
    assert events(spread) == events(alone)


@dataclass(frozen=True)
class Fatal:
    """A plan that kills the process that works on it, the first ``times`` times."""

    site: Site
    marks: Path
    times: int

    @property
    def looks(self):
        done = len(list(self.marks.iterdir()))
        if done < self.times:
            (self.marks / str(done)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return ()


def tasks_of(tmp_path, times):
    """Five sites of which the second kills its process."""
    (tmp_path / "marks").mkdir()
    sites = [Site(str(i), f"Site {i}", box(0, 0, 1, 1)) for i in range(5)]
    plans = [SitePlan(site, (), ()) for site in sites]
    plans[1] = Fatal(sites[1], tmp_path / "marks", times)
    settings, engine = DetectConfig().settings(), EngineChoice("torch", "cpu")
    return [SiteTask(plan, HrefPolicy(), settings, engine, tmp_path, "site-2m") for plan in plans]


@pytest.mark.parametrize(("times", "problem"), [(1, ""), (2, ""), (99, "was killed")])
def test_a_process_that_is_killed_costs_its_site_at_most(tmp_path, times, problem):
    done = run_tasks(tasks_of(tmp_path, times), "local:2", lambda *_: None)
    problems = {task.plan.site.id: outcome.problem for task, outcome in done}
    assert sorted(problems) == ["0", "1", "2", "3", "4"]
    assert [name for name in problems if problems[name]] == (["1"] if problem else [])
    assert problem in problems["1"]


ORPHANS = """
import os, sys, time
from groundbreak.pipeline.spread import spread

def work(seconds):
    print(os.getpid(), flush=True)
    time.sleep(seconds)

if __name__ == "__main__":
    list(spread(work, [0.0, 600.0, 0.0], "local:2", None))
"""
"""One process that has done its work and waits for more, one that has work for minutes."""


def test_no_process_outlives_the_one_that_began_it(tmp_path):
    (tmp_path / "orphans.py").write_text(ORPHANS)
    words = [sys.executable, str(tmp_path / "orphans.py")]
    workers = set()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as began:
        try:
            workers |= {int(began.stdout.readline()) for _ in range(3)}
            began.kill()
            # The end of the pipe is seen when the last process that could write to it is gone.
            assert began.communicate(timeout=20)[0] == ""
        finally:
            began.kill()
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
    assert len(workers) == 2


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_site_at_most(tmp_path, monkeypatch, request):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    address, _ = request.getfixturevalue("cluster")
    done = run_tasks(tasks_of(tmp_path, 1), f"dask://{address}", lambda *_: None)
    problems = {task.plan.site.id: outcome.problem for task, outcome in done}
    assert sorted(problems) == ["0", "1", "2", "3", "4"]
    assert "was killed" in problems["1"]  # Dask may suspect what waited beside it as well


@dataclass(frozen=True)
class Full:
    """A plan that meets a full disk, and marks each time that somebody tries it."""

    site: Site
    marks: Path

    @property
    def looks(self):
        (self.marks / f"{os.getpid()} {time.monotonic_ns()}").touch()
        raise OutputError(str(self.marks), "the disk is full")


@pytest.mark.slow
def test_what_fails_on_a_worker_is_not_tried_again(tmp_path, cluster):
    address, _ = cluster
    [task, *_] = tasks_of(tmp_path, 0)
    full = replace(task, plan=Full(task.plan.site, tmp_path / "marks"))
    with pytest.raises(OutputError, match="the disk is full"):
        list(run_tasks([full], f"dask://{address}", lambda *_: None))
    assert len(list((tmp_path / "marks").iterdir())) == 1


@pytest.mark.parametrize("scheduler", ["dask", "local:0", "local:x", "slurm"])
def test_unknown_schedulers_are_refused(tmp_path, scheduler):
    write_series(tmp_path / "scenes", STATES[:2])
    write_sites(tmp_path / "sites.geojson")
    with pytest.raises(ConfigError, match="use local"):
        run_detect(request(tmp_path, "run", scheduler))


def test_a_scheduler_that_does_not_answer_is_said(tmp_path):
    write_series(tmp_path / "scenes", STATES[:2])
    write_sites(tmp_path / "sites.geojson")
    with pytest.raises(ConfigError, match="no Dask scheduler answers"):
        run_detect(request(tmp_path, "run", "dask://127.0.0.1:9"))

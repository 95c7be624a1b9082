"""What ``detect`` takes beside the network's forward pass, on a site that this script makes.

    python scripts/benchmark_detect.py                        # 3400 x 3400 px, 2 dates
    python scripts/benchmark_detect.py --new-look --dates 5   # a run, and one more look
    python scripts/benchmark_detect.py --workers --sites 4    # one process against two

Each figure is that of a process of its own, from its start to the finished report. The bare
forward pass is measured in the same process, afterwards: the same engine, the same windows (which
take 24 MB each until then), nothing else going on. Seconds of the clock mean
something on an idle machine only; those of the processor hardly depend on what else it does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmark_memory import CORNER, GSD_M, add_changing, make_series

CLOCK = "GROUNDBREAK_BENCHMARK_BEGAN"


def main() -> None:
    options = parse()
    if options.inside:
        print(json.dumps(inside(options)))
        return
    with tempfile.TemporaryDirectory(prefix="groundbreak-", dir=options.folder) as name:
        folder = Path(name)
        make_series(folder, options.size, options.dates, options.changing)
        strips(folder / "sites.geojson", options.size, options.sites)
        kind = new_look if options.new_look else workers if options.workers else overhead
        figures = kind(folder, options)
    print(json.dumps(figures | {"load": os.getloadavg()[0]}, indent=2))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=3400, help="side of the imagery in pixels")
    parser.add_argument("--dates", type=int, default=2)
    parser.add_argument("--sites", type=int, default=1, help="strips of the imagery")
    add_changing(parser)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--weights", default="site-2m", help="shipped name or file")
    parser.add_argument("--folder", type=Path, help="where the site is made, and removed again")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--new-look", action="store_true")
    what.add_argument("--workers", action="store_true")
    what.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def strips(path: Path, size: int, count: int) -> None:
    """Cut the one site of the series into several, side by side."""
    document = json.loads(path.read_text())
    [whole] = document["features"]
    (west, north), side = CORNER, size * GSD_M
    document["features"] = []
    for number in range(count):
        x0, x1 = west + side * number / count, west + side * (number + 1) / count
        ring = [
            [x0, north - side],
            [x1, north - side],
            [x1, north],
            [x0, north],
            [x0, north - side],
        ]
        about = {"id": f"strip-{number}", "name": f"Strip {number}"}
        geometry = {"type": "Polygon", "coordinates": [ring]}
        document["features"].append({**whole, "properties": about, "geometry": geometry})
    path.write_text(json.dumps(document))


def overhead(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    figures = run_inside(folder, options)
    wall, cpu = (figures[f"{kind}_s"] / figures[f"forward_{kind}_s"] for kind in ("wall", "cpu"))
    ratios = {"wall_over_forward": round(wall, 3), "cpu_over_forward": round(cpu, 3)}
    return {"size_px": options.size, **figures, **ratios}


def new_look(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    whole = run_inside(folder, options)
    shutil.rmtree(folder / "run")
    newest = max((folder / "scenes").iterdir())
    aside = newest.rename(folder / newest.name)
    run_inside(folder, options)
    aside.rename(newest)
    added = run_inside(folder, options)
    share = added["network_px"] / whole["network_px"]
    wall, cpu = (added[kind] / (share * whole[kind]) for kind in ("wall_s", "cpu_s"))
    return {
        "whole": whole,
        "added": added,
        "share_of_network_px": round(share, 3),
        "wall_over_share": round(wall, 3),
        "cpu_over_share": round(cpu, 3),
    }


def workers(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every process on one core."""
    seconds = {}
    for count in (1, 2):
        seconds[count] = detect_apart(folder, options, f"local:{count}")
        shutil.rmtree(folder / "run")
    return {
        "one_s": round(seconds[1], 1),
        "two_s": round(seconds[2], 1),
        "times_faster": round(seconds[1] / seconds[2], 3),
    }


def detect_apart(folder: Path, options: argparse.Namespace, scheduler: str) -> float:
    words = [sys.executable, "-m", "groundbreak", "detect", "--json", "--scheduler", scheduler]
    words += ["--sites", str(folder / "sites.geojson"), "--catalog", str(folder / "scenes")]
    words += ["--output", str(folder / "run"), "--weights", options.weights, "--device", "cpu"]
    words += ["--engine", options.engine]
    one_core = {**os.environ, "OMP_NUM_THREADS": "1"}
    began = time.time()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True, env=one_core)
    return time.time() - began


def run_inside(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    words = [sys.executable, __file__, "--inside", str(folder)]
    words += ["--engine", options.engine, "--weights", options.weights]
    clock = {"OPENBLAS_NUM_THREADS": "1", **os.environ, CLOCK: str(time.time())}
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, env=clock)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def inside(options: argparse.Namespace) -> dict[str, Any]:
    """Detect in this process, then repeat what the engine was asked."""
    from groundbreak.config import DetectConfig
    from groundbreak.pipeline import tasks
    from groundbreak.pipeline.run import RunRequest, run_detect
    from groundbreak.report.page import write_report

    folder, opened = options.inside, tasks._engine
    spy: list[Spy] = []

    def engine(*asked: Any) -> Spy:
        if not spy:
            spy.append(Spy(opened(*asked)))
        return spy[0]

    tasks._engine = engine  # type: ignore[assignment]
    request = RunRequest(
        sites=folder / "sites.geojson",
        catalog=folder / "scenes",
        run=folder / "run",
        settings=DetectConfig().settings(),
        weights=options.weights,
        device="cpu",
        engine=options.engine,
    )
    outcome = run_detect(request)
    write_report(folder / "run")
    wall, cpu = time.time() - float(os.environ[CLOCK]), time.process_time()
    forward_wall, forward_cpu = spy[0].again()
    return {
        "engine": spy[0].engine.description,
        "events": sum(len(site.result.events) for site in outcome.sites if site.result),
        "network_px": spy[0].pixels,
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "forward_wall_s": round(forward_wall, 2),
        "forward_cpu_s": round(forward_cpu, 2),
    }


class Spy:
    """An engine that remembers what it was asked."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.card = engine, engine.card
        self.pixels = 0
        self.calls: list[tuple[Any, ...]] = []

    @property
    def description(self) -> str:
        """That of the engine."""
        return str(self.engine.description)

    @property
    def device(self) -> str:
        """That of the engine."""
        return str(self.engine.device)

    def predict(self, before: Any, after: Any, statistics: Any = None, zoom: Any = None) -> Any:
        """What the engine says."""
        answer = self.engine.predict(before, after, statistics, zoom)
        self.pixels += len(before) * before.shape[2] * before.shape[3] * (zoom or 1) ** 2
        self.calls.append((before, after, statistics, zoom))
        return answer

    def again(self) -> tuple[float, float]:
        """Seconds of the clock and of the processor that the same work takes by itself."""
        began, cpu = time.perf_counter(), time.process_time()
        for call in self.calls:
            self.engine.predict(*call)
        return time.perf_counter() - began, time.process_time() - cpu


if __name__ == "__main__":
    main()

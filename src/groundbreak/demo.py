"""The demonstration: simulate, scan, detect, score against the exact truth, report."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundbreak.atomic import write_json, write_text
from groundbreak.catalog.scan import scan_folder
from groundbreak.catalog.store import write_catalog
from groundbreak.config import DetectConfig
from groundbreak.errors import OutputError
from groundbreak.evaluate.run_temporal import evaluate_temporal
from groundbreak.pipeline.folder import MARKER
from groundbreak.pipeline.results import summary_of
from groundbreak.pipeline.run import RunRequest, run_detect
from groundbreak.report.page import write_report
from groundbreak.simulate.series import write_series

Tell = Callable[[str, float], None]

INPUT = "input"
"""The simulated series lies in the run folder, so that the demo is one folder to throw away."""

SIGN = ".demo"
"""Empty file, made first, that marks a folder as the demo's own: no other one is removed."""


@dataclass(frozen=True)
class DemoResult:
    """Where the demo is, what it found, and how much of that is true."""

    run: Path
    report: Path
    sentences: tuple[str, ...]
    scores: dict[str, Any]

    @property
    def verdict(self) -> str:
        """The scores in one line."""
        scores = self.scores
        coverage = scores["coverage"]
        dated = "" if coverage is None else f", {coverage:.0%} of them with the true date inside"
        return (
            f"{scores['found']} of {scores['true_events']} true events found{dated}; "
            f"{scores['invented']} invented"
        )


def run_demo(folder: Path, seed: int, tell: Tell = lambda _message, _share: None) -> DemoResult:
    """Run the main job on a simulated series, from nothing.

    Args:
        folder: made anew; it must not exist, or be an earlier demo's.
        seed: of the simulation.
        tell: told what is done, and which share of the work that is.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    if folder.exists():
        if not _may_go(folder):
            raise OutputError(str(folder), "is not an earlier demo", "choose a new folder")
        shutil.rmtree(folder)
    write_text(folder / SIGN, "")
    tell("simulating", 0.0)
    series = folder / INPUT
    write_series(series, seed)
    catalog = series / "catalog.json"
    write_catalog(scan_folder(series / "scenes").items, catalog)
    write_json(folder / MARKER, {"status": "simulated"})
    request = RunRequest(
        sites=series / "sites.geojson",
        catalog=catalog,
        run=folder,
        settings=DetectConfig().settings(),
        command=f"groundbreak demo -o {folder}",
    )
    outcome = run_detect(request, lambda message, share: tell(message, 0.2 + 0.7 * share))
    tell("scoring", 0.95)
    scores = evaluate_temporal(folder, series / "truth.geojson", folder / "scores")
    report = write_report(folder)
    sentences = [s["text"] for site in outcome.sites for s in summary_of(site)["sentences"]]
    return DemoResult(folder, report, tuple(sentences), scores)


def _may_go(folder: Path) -> bool:
    """Whether nothing of the user's is lost with a folder."""
    return folder.is_dir() and ((folder / SIGN).is_file() or not any(folder.iterdir()))

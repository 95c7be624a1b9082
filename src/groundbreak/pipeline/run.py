"""A whole watch-list: plan, do the sites, write the run."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from groundbreak import __version__
from groundbreak.catalog.store import read_catalog
from groundbreak.errors import GroundbreakError, InputError, InternalError
from groundbreak.inference.choose import EngineChoice
from groundbreak.model.card import Card
from groundbreak.model.weights import located, read_card
from groundbreak.pipeline.delisted import delisted
from groundbreak.pipeline.delisted import in_words as delisted_in_words
from groundbreak.pipeline.detect import Settings, SiteOutcome
from groundbreak.pipeline.folder import (
    WRITING,
    claimed,
    earlier_run,
    finished_before,
    logged,
    write_run,
)
from groundbreak.pipeline.plan import COARSE, FINE, PlanRequest, SitePlan, plan_site
from groundbreak.pipeline.results import (
    observed_rows,
    remark,
    told_shortly,
    write_results,
)
from groundbreak.pipeline.sitework import Ground, load_ground, site_folder
from groundbreak.pipeline.tasks import SiteTask, run_tasks
from groundbreak.sites.read import SiteList, read_sites
from groundbreak.types import Catalog, Kind, Refusal, Scene

log = logging.getLogger(__name__)

Tell = Callable[[str, float], None]

LIBRARIES = ("numpy", "torch", "segmentation-models-pytorch", "rasterio", "shapely", "odc-geo")


@dataclass(frozen=True)
class RunRequest:
    """What ``detect`` was asked for.

    Attributes:
        sites: the watch-list.
        catalog: a catalogue, or a folder of rasters.
        run: the run folder.
        settings: of the stages.
        weights: ``auto``, a shipped name or a file.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        engine: what runs the network, one of ``choose.ENGINES``.
        gsd_m: pixel size of the grids in metres, None for the scenes' own.
        dates: outer bounds of the looks.
        kinds: kinds of events that are written, None for those of the settings.
        scheduler: see ``tasks.run_tasks``.
        allow: hosts and folders that the catalogue may name beside its own.
        strict: what would be left out with a reason is an error instead.
        command: as the user wrote it, for the record.
        notes: what the caller knows of the watch-list, for the record and the report.
    """

    sites: Path
    catalog: Path
    run: Path
    settings: Settings
    weights: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    gsd_m: float | None = None
    dates: tuple[datetime | None, datetime | None] = (None, None)
    kinds: tuple[Kind, ...] | None = None
    scheduler: str = "local"
    allow: tuple[str, ...] = ()
    strict: bool = False
    command: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunOutcome:
    """A finished run: its sites in the order of the watch-list, and those that were refused."""

    run: Path
    sites: tuple[SiteOutcome, ...]
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class _Inputs:
    sites: SiteList
    catalog: Catalog
    cards: dict[str, Card]


def run_detect(request: RunRequest, tell: Tell = lambda _message, _share: None) -> RunOutcome:
    """Do the main job; see ``detected``."""
    with detected(request, tell) as outcome:
        pass
    return outcome


@contextmanager
def detected(
    request: RunRequest, tell: Tell = lambda _message, _share: None
) -> Iterator[RunOutcome]:
    """Do the main job; go on where an earlier call was interrupted, or extend its run.

    The run folder is held until the block is left: what is read from it there, or added to it, such
    as the report, is of this run and no other. A call that fails as a whole leaves what an earlier
    one finished as it was.

    Raises:
        InputError: the job as a whole cannot be done (exit code 2).
        InternalError: every site failed by our fault.
    """
    inputs = _read_inputs(request)
    asked = request.settings.prepare
    request = replace(request, settings=_settled(request))
    with claimed(request.run) as remarks, logged(request.run):
        record = _record(request, inputs)
        record["notes"] += remarks
        record["asked"]["cloud_network"] = asked.cloud_network  # what it became is in the config
        earlier = earlier_run(request.run)
        record["finished_before"] = finished_before(earlier)
        if earlier is not None and earlier["status"] == WRITING:
            record["status"] = WRITING  # until they are replaced as a whole
        write_run(request.run, record)
        for text in record["notes"]:
            log.info("%s", text)
        try:
            outcomes = _do_sites(request, inputs, tell)
            if record["finished_before"]:
                _check_failures(outcomes)
        except BaseException as error:
            text = error if isinstance(error, GroundbreakError) else type(error).__name__
            log.info("ended before its end, what was finished before stays: %s", text)
            if earlier is not None:
                write_run(request.run, earlier)
            raise
        _write(request.run, outcomes, record, inputs)
        _check_failures(outcomes)
        yield RunOutcome(request.run, tuple(outcomes), inputs.sites.refused)


def _write(
    run: Path, outcomes: Sequence[SiteOutcome], record: dict[str, Any], inputs: _Inputs
) -> None:
    """The results; until all are there the record says so, since they belong together."""
    for name, entry in record["weights"].items():
        entry["engine"] = _engines(outcomes, name)
    write_run(run, record | {"status": WRITING})
    write_results(run, outcomes, record, inputs.sites.refused, inputs.catalog.refused)
    failed = bool(outcomes) and all(outcome.problem for outcome in outcomes)
    ended = {"status": "failed"} if failed else {"status": "finished", "finished": _now()}
    write_run(run, record | ended)


def _settled(request: RunRequest) -> Settings:
    """The settings with what was asked for beside them, and what the installation decides.

    Raises:
        ConfigError: something is asked for that is not installed.
    """
    prepare, events = request.settings.prepare.settled(), request.settings.events
    if request.kinds is not None:
        events = replace(events, kinds=request.kinds)
    return replace(request.settings, prepare=prepare, events=events)


def _read_inputs(request: RunRequest) -> _Inputs:
    sites = read_sites(request.sites, strict=request.strict)
    catalog = read_catalog(request.catalog, allow=request.allow, strict=request.strict)
    names = (FINE, COARSE) if request.weights == "auto" else (request.weights,)
    cards = {name: read_card(name) for name in names}
    EngineChoice(request.engine, request.device).check()
    return _Inputs(sites, catalog, cards)


def _do_sites(request: RunRequest, inputs: _Inputs, tell: Tell) -> list[SiteOutcome]:
    asked = PlanRequest(request.gsd_m, request.dates, request.weights)
    # Absolute, as the weights below: a worker elsewhere has another current folder.
    run = request.run.resolve()
    plans, outcomes = [], {}
    for site in inputs.sites.sites:
        earlier = load_ground(site_folder(run, site.id))
        gsd_m = None if earlier is None else earlier.gsd_m
        try:
            plan = plan_site(site, inputs.catalog, asked, inputs.cards, gsd_m)
            plans.append(plan if earlier is None else _told_of(plan, earlier))
        except InputError as error:
            if request.strict or len(inputs.sites.sites) == 1:
                raise
            outcomes[site.id] = SiteOutcome.failed(site, str(error))
            _log(outcomes[site.id])
    engine = EngineChoice(request.engine, request.device, _work_px(plans, inputs.cards))
    policy = inputs.catalog.policy
    tasks = [
        SiteTask(
            plan,
            policy,
            request.settings,
            engine,
            site_folder(run, plan.site.id),
            located(plan.weights),
        )
        for plan in plans
    ]
    for task, outcome in run_tasks(tasks, request.scheduler, tell):
        outcomes[task.plan.site.id] = outcome
        _log(outcome)
        if request.strict:
            _refuse_gaps(outcome)
    return [outcomes[site.id] for site in inputs.sites.sites]


def _told_of(plan: SitePlan, earlier: Ground) -> SitePlan:
    """The plan, with a note where what an earlier run computed cannot be used."""
    why = "" if plan.grid is None else earlier.other_than(plan.site, plan.grid)
    return replace(plan, notes=(*plan.notes, why)) if why else plan


def _work_px(plans: Sequence[SitePlan], cards: dict[str, Card]) -> float:
    """What there is for the network, each look compared with the one before."""
    total = 0.0
    for plan in plans:
        if plan.grid is not None:
            zoom = cards[plan.weights].magnification(plan.gsd_m)
            height, width = plan.grid.shape
            total += float(height * width) * zoom**2 * (len(plan.looks) - 1)
    return total


def _log(outcome: SiteOutcome) -> None:
    """What the run's log says of a site: the looks that took no part, and how it ended."""
    about = {"site": outcome.plan.site.id}
    for text in outcome.plan.notes:
        log.info("%s", text, extra=about)
    for row in observed_rows(outcome):
        if not row["used"] and row.get("look_id"):
            log.info("look %s is not used: %s", row["look_id"], row["reason"], extra=about)
    log.info("%s: %s", outcome.plan.site.id, remark(outcome) or "done", extra=about)


def _refuse_gaps(outcome: SiteOutcome) -> None:
    """Under ``--strict`` whatever was left out is an error."""
    name = f"site '{outcome.plan.site.id}'"
    unused = [
        f"{', '.join(row['scene_ids'])}: {row['reason']}"
        for row in observed_rows(outcome)
        if not row["used"] and row.get("scene_ids")
    ]
    for reason in (remark(outcome), *unused):
        if reason:
            raise InputError(name, reason, "leave --strict out to go on without it")


def _check_failures(outcomes: Sequence[SiteOutcome]) -> None:
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    if problems and len(problems) == len(outcomes):
        if any(problem.startswith("internal error") for problem in problems):
            raise InternalError(f"every site failed, the first with: {problems[0]}")
        raise InputError("every site", f"failed, the first with: {problems[0]}")


def _record(request: RunRequest, inputs: _Inputs) -> dict[str, Any]:
    """What ``run.json`` says."""
    gone = delisted_in_words(delisted(request.run, inputs.sites))
    left_out = [
        *([gone] if gone else []),
        *(f"site {r.subject} was refused: {r.reason}" for r in inputs.sites.refused),
        *told_shortly(inputs.catalog.refused, "observed.parquet"),
    ]
    simulated = any(
        scene.properties.get("groundbreak:simulated") for scene in inputs.catalog.scenes
    )
    return {
        "format": 1,
        "status": "running",
        "version": __version__,
        "command": request.command,
        "started": _now(),
        "finished": None,
        "simulated": simulated,
        "asked": {
            "gsd_m": request.gsd_m,
            "dates": [moment and moment.isoformat() for moment in request.dates],
            "kinds": None if request.kinds is None else list(request.kinds),
            "weights": request.weights,
            "engine": request.engine,
            "device": request.device,
            "scheduler": request.scheduler,
            "strict": request.strict,
        },
        "config": _plain(asdict(request.settings)),
        "sites": {
            "path": str(request.sites),
            "sha256": _digest(request.sites),
            "count": len(inputs.sites.sites),
        },
        "catalog": {
            "source": inputs.catalog.source,
            "sha256": _digest(request.catalog) or _scenes_digest(inputs.catalog.scenes),
            "scenes": len(inputs.catalog.scenes),
        },
        "weights": {
            name: {"sha256": card.sha256, "engine": None} for name, card in inputs.cards.items()
        },
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in LIBRARIES},
        },
        "notes": [*request.notes, *inputs.sites.notes, *left_out, *inputs.catalog.notes],
    }


def _engines(outcomes: Sequence[SiteOutcome], weights: str) -> str | None:
    """What ran these weights; workers may differ."""
    used = {site.engine for site in outcomes if site.plan.weights == weights and site.engine}
    return "; ".join(sorted(used)) or None


def _plain(value: Any) -> Any:
    """Keys and values as JSON has them."""
    if isinstance(value, dict):
        return {str(getattr(key, "value", key)): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _scenes_digest(scenes: Sequence[Scene]) -> str:
    """Of what a scan found in a folder: its scenes with their files, times, places and bands."""
    document = json.dumps([asdict(scene) for scene in scenes], default=str, sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

"""A site as a task: everything it needs travels with it, so that any process can do it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, cast

from groundbreak.catalog.access import Access
from groundbreak.errors import HrefError, InputError, OutputError, WeightsError
from groundbreak.inference.choose import EngineChoice, open_engine
from groundbreak.inference.engine import Engine
from groundbreak.pipeline.detect import DetectJob, Settings, SiteOutcome, detect_site
from groundbreak.pipeline.plan import SitePlan
from groundbreak.pipeline.spread import KILLED, spread
from groundbreak.pipeline.worklog import PROCESS, logged_apart, replay
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.job import PrepareConfig
from groundbreak.prepare.site import PreparedSite
from groundbreak.types import HrefPolicy

log = logging.getLogger(__name__)

Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class SiteTask:
    """One site to be done. ``weights`` are those of the plan; a file by its absolute path."""

    plan: SitePlan
    policy: HrefPolicy
    settings: Settings
    engine: EngineChoice
    folder: Path
    weights: str


def do_site(task: SiteTask, tell: Tell = lambda _message, _share: None) -> SiteOutcome:
    """Do one site; a site that fails is an outcome with a problem.

    Raises:
        HrefError: an address may not be read: the whole run ends.
        OutputError: nothing can be written: the whole run ends.
        WeightsError: the weights cannot be used: the whole run ends.
    """
    plan = task.plan
    if not plan.looks:
        return SiteOutcome(plan, PreparedSite((), (), ()), None)
    try:
        with Access(task.policy) as access:
            source = source_of(plan.bands, task.policy, access, task.settings.prepare)
            engine = _engine(task.weights, task.engine)
            job = DetectJob(plan, engine, source, task.settings, task.folder)
            return replace(detect_site(job, tell), engine=engine.description)
    except (HrefError, OutputError, WeightsError):
        raise
    except InputError as error:
        log.warning("site %s: %s", plan.site.id, error)
        problem = str(error)
    except Exception as error:
        # Whatever it is: one site must not stop the others.
        log.exception("site %s failed", plan.site.id)
        problem = f"internal error: {type(error).__name__}: {error}"
    return SiteOutcome(plan, PreparedSite((), (), ()), None, problem)


def source_of(
    bands: tuple[str, ...], policy: HrefPolicy, access: Access, config: PrepareConfig
) -> Source:
    """How the scenes of a site are read."""
    return Source(
        bands,
        policy,
        opener=lambda href: cast("IO[bytes]", access.open(href)),
        zero_is_nodata=config.zero_is_nodata,
    )


@lru_cache(maxsize=4)
def _engine(weights: str, choice: EngineChoice) -> Engine:
    return open_engine(weights, choice)


_forget_engines = _engine.cache_clear


def run_tasks(
    tasks: Sequence[SiteTask], scheduler: str, tell: Tell
) -> Iterator[tuple[SiteTask, SiteOutcome]]:
    """Do all sites, one after the other or spread over processes or a Dask cluster.

    Args:
        tasks: the sites.
        scheduler: see ``spread.spread``.
        tell: told what is done and which share of all work that is.

    Yields:
        Tasks with their outcomes, in the order in which they are finished.

    Raises:
        ConfigError: there is no such scheduler, or it cannot be reached.
    """
    if scheduler == "local":
        for index, task in enumerate(tasks):
            yield task, do_site(task, partial(_tell_part, tell, task, index / len(tasks), tasks))
        _forget_engines()  # what comes next, the report, has their memory
        return
    work = partial(logged_apart, do_site, asker=PROCESS)
    with closing(spread(work, tasks, scheduler, _killed)) as finished:
        for count, (task, (outcome, records)) in enumerate(finished, start=1):
            replay(records)
            tell(task.plan.site.name, count / len(tasks))
            yield task, outcome


def _killed(task: SiteTask) -> tuple[SiteOutcome, list[logging.LogRecord]]:
    return SiteOutcome(task.plan, PreparedSite((), (), ()), None, KILLED), []


def _tell_part(
    tell: Tell, task: SiteTask, done: float, tasks: Sequence[SiteTask], message: str, share: float
) -> None:
    tell(f"{task.plan.site.name}: {message}", done + share / len(tasks))

"""A site as a task: everything it needs travels with it, so that any process can do it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, cast

from groundbreak.catalog.access import Access
from groundbreak.errors import ConfigError, HrefError, InputError, OutputError, WeightsError
from groundbreak.inference.choose import EngineChoice, open_engine
from groundbreak.inference.device import share_cores
from groundbreak.inference.engine import Engine
from groundbreak.pipeline.detect import DetectJob, Settings, SiteOutcome, detect_site
from groundbreak.pipeline.plan import SitePlan
from groundbreak.pipeline.worklog import PROCESS, logged_apart, replay
from groundbreak.prepare.acquire import Source
from groundbreak.prepare.site import PrepareConfig, PreparedSite
from groundbreak.types import HrefPolicy

log = logging.getLogger(__name__)

Tell = Callable[[str, float], None]

RETRIES = 2
"""A site whose worker was killed is given to another one so many times."""


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
        scheduler: ``local`` (this process), ``local:N`` (N processes), ``dask://HOST:PORT`` (an
            existing cluster whose workers see the same files).
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
    with _pool(scheduler) as finished:
        for count, (task, (outcome, records)) in enumerate(finished(tasks), start=1):
            replay(records)
            tell(task.plan.site.name, count / len(tasks))
            yield task, outcome


def _tell_part(
    tell: Tell, task: SiteTask, done: float, tasks: Sequence[SiteTask], message: str, share: float
) -> None:
    tell(f"{task.plan.site.name}: {message}", done + share / len(tasks))


Done = tuple[SiteOutcome, list[logging.LogRecord]]
"""What came out of a site, and what was logged meanwhile."""

Finished = Callable[[Sequence[SiteTask]], Iterator[tuple[SiteTask, Done]]]


@contextmanager
def _pool(scheduler: str) -> Iterator[Finished]:
    kind, _, rest = scheduler.partition(":")
    if kind == "local" and rest.isdigit() and int(rest) > 0:
        with _processes(int(rest)) as finished:
            yield finished
    elif scheduler.startswith("dask://") and len(rest) > 2:
        with _dask("tcp:" + rest) as finished:
            yield finished
    else:
        raise ConfigError(
            "--scheduler", f"unknown '{scheduler}'", "use local, local:N or dask://HOST:PORT"
        )


@contextmanager
def _processes(count: int) -> Iterator[Finished]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Not forked: threads of the libraries do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, share_cores, (count,)) as pool:

        def finished(tasks: Sequence[SiteTask]) -> Iterator[tuple[SiteTask, Done]]:
            futures, lost = {}, []
            for task in tasks:
                try:
                    futures[pool.submit(logged_apart, do_site, task, PROCESS)] = task
                except BrokenProcessPool:
                    lost.append(task)
            for future in as_completed(futures):
                try:
                    yield futures[future], future.result()
                except BrokenProcessPool:
                    lost.append(futures[future])
            if lost:
                log.warning(
                    "a worker process was killed; %d sites go on, each in its own", len(lost)
                )
                yield from _one_a_process(lost, count)

        try:
            yield finished
        finally:
            # What ends the run (a refused address, a full disk) must not wait for queued sites.
            pool.shutdown(wait=False, cancel_futures=True)


def _one_a_process(tasks: Sequence[SiteTask], count: int) -> Iterator[tuple[SiteTask, Done]]:
    """Do sites in processes of their own: one that is killed again takes no other with it."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed

    context = multiprocessing.get_context("spawn")

    def attempt(task: SiteTask) -> Done:
        for _ in range(RETRIES):
            with (
                suppress(BrokenProcessPool),
                ProcessPoolExecutor(1, context, share_cores, (count,)) as pool,
            ):
                return pool.submit(logged_apart, do_site, task, PROCESS).result()
        return _killed(task), []

    with ThreadPoolExecutor(count) as threads:
        futures = {threads.submit(attempt, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _killed(task: SiteTask) -> SiteOutcome:
    problem = (
        "every process that worked on it was killed, perhaps for want of memory "
        "(a larger --gsd, or fewer processes, need less)"
    )
    return SiteOutcome(task.plan, PreparedSite((), (), ()), None, problem)


@contextmanager
def _dask(address: str) -> Iterator[Finished]:
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError:
        raise ConfigError(
            "--scheduler", "dask is not installed", "pip install 'groundbreak[dask]'"
        ) from None
    try:
        client = Client(address, timeout="20s", set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ConfigError("--scheduler", f"no Dask scheduler answers at {address}") from error
    with closing(client):

        def finished(tasks: Sequence[SiteTask]) -> Iterator[tuple[SiteTask, Done]]:
            futures = {
                client.submit(
                    logged_apart, do_site, task, PROCESS, pure=False, retries=RETRIES
                ): task
                for task in tasks
            }
            for future in as_completed(list(futures), loop=client.loop):
                try:
                    yield futures[future], future.result()
                except KilledWorker:
                    yield futures[future], (_killed(futures[future]), [])

        yield finished

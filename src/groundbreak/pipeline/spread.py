"""Work spread over processes or a Dask cluster; what is killed is tried again, then told."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from typing import TypeVar

from groundbreak.errors import ConfigError
from groundbreak.inference.device import share_cores

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 2
"""What was killed with its process is given to another one so often; Dask counts for itself."""

KILLED = (
    "every process that worked on it was killed, perhaps for want of memory "
    "(a larger --gsd, or fewer processes, need less)"
)


def spread(
    work: Callable[[T], R], items: Sequence[T], scheduler: str, killed: Callable[[T], R]
) -> Generator[tuple[T, R], None, None]:
    """Do every item, one after the other or spread over processes or a Dask cluster.

    Args:
        work: does an item; like the items and its results, it must be able to travel.
        items: what to do.
        scheduler: ``local`` (this process), ``local:N`` (N processes), ``dask://HOST:PORT`` (an
            existing cluster whose workers see the same files).
        killed: the result of an item whose workers were killed, each time it was tried.

    Yields:
        Items with their results, in the order in which they are finished.

    Raises:
        ConfigError: there is no such scheduler, or it cannot be reached.
    """
    kind, _, rest = scheduler.partition(":")
    if scheduler == "local":
        finished = ((item, work(item)) for item in items)
    elif kind == "local" and rest.isdigit() and int(rest) > 0:
        finished = _by_processes(work, items, int(rest), killed)
    elif scheduler.startswith("dask://") and len(rest) > 2:
        finished = _by_dask(work, items, "tcp:" + rest, killed)
    else:
        raise ConfigError(
            "--scheduler", f"unknown '{scheduler}'", "use local, local:N or dask://HOST:PORT"
        )
    with closing(finished):
        yield from finished


def _by_processes(
    work: Callable[[T], R], items: Sequence[T], count: int, killed: Callable[[T], R]
) -> Generator[tuple[T, R], None, None]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # Not forked: threads of the libraries do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (count,)) as pool:
        futures, lost = {}, []
        try:
            for item in items:
                try:
                    futures[pool.submit(work, item)] = item
                except BrokenProcessPool:
                    lost.append(item)
            for future in as_completed(futures):
                try:
                    yield futures[future], future.result()
                except BrokenProcessPool:
                    lost.append(futures[future])
            if lost:
                log.warning(
                    "a worker process was killed; %d sites go on, each in its own", len(lost)
                )
                yield from _one_a_process(work, lost, count, killed)
        finally:
            # What ends the run (a refused address, a full disk) must not wait for queued sites.
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(count: int) -> None:
    """Begin one of ``count`` worker processes."""
    share_cores(count)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process at once when the one that began it is gone, however that ended.

    What is still written then would meet what the next one writes, which finds the run folder free;
    and a worker without work waits for ever.
    """
    import multiprocessing
    from multiprocessing.connection import wait

    if (parent := multiprocessing.parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)


def _one_a_process(
    work: Callable[[T], R], items: Sequence[T], count: int, killed: Callable[[T], R]
) -> Generator[tuple[T, R], None, None]:
    """Do items in processes of their own: one that is killed again takes no other with it."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed

    context = multiprocessing.get_context("spawn")

    def attempt(item: T) -> R:
        for _ in range(RETRIES):
            with (
                suppress(BrokenProcessPool),
                ProcessPoolExecutor(1, context, _begin, (count,)) as pool,
            ):
                return pool.submit(work, item).result()
        return killed(item)

    with ThreadPoolExecutor(count) as threads:
        futures = {threads.submit(attempt, item): item for item in items}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _by_dask(
    work: Callable[[T], R], items: Sequence[T], address: str, killed: Callable[[T], R]
) -> Generator[tuple[T, R], None, None]:
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
        # No retries, which are for what raises: a full disk ends the run. How often what was
        # killed with its worker is tried again is the scheduler's ``allowed-failures``.
        futures = {client.submit(work, item, pure=False, retries=0): item for item in items}
        for future in as_completed(list(futures), loop=client.loop):
            try:
                yield futures[future], future.result()
            except KilledWorker:
                yield futures[future], killed(futures[future])

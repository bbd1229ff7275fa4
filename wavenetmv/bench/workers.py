"""Jobs in this process or side by side in several, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice

from wavenetmv.bench.jobs import Job, Plan
from wavenetmv.bench.measure import Worker
from wavenetmv.bench.results import Row

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_worker: Worker | None = None  # of this process, if it is one of the pool's


def run_jobs(
    plan: Plan, jobs: Sequence[Job], processes: int, begins: Callable[[Job], None]
) -> Iterator[Row]:
    """The jobs' rows as they finish; `begins` is called before each job is started.

    A process that dies costs the row of its job.  On an interrupt the jobs at work are given
    up; what was done is in the cache.
    """
    if processes == 1:
        worker = Worker(plan)
        for job in jobs:
            begins(job)
            yield worker(job)
        return
    waiting = iter(jobs)
    while suspects := (yield from _until_broken(plan, waiting, processes, begins)):
        # One of those at work brought the pool down: each gets a process of its own.
        for job in suspects:
            if (yield from _until_broken(plan, iter([job]), 1, lambda job: None)):
                yield _dead(job)


def _until_broken(
    plan: Plan, waiting: Iterator[Job], processes: int, begins: Callable[[Job], None]
) -> Generator[Row, None, list[Job]]:
    """Yields rows; returns the jobs that were at work when a process died, [] at the end."""
    context = multiprocessing.get_context("spawn")  # torch does not survive a fork
    started: list[Job] = []
    futures: dict[Future[Row], Job] = {}
    with _one_thread_each():
        pool = ProcessPoolExecutor(processes, context, _start, (plan,))
        try:
            while True:
                for job in islice(waiting, processes - len(started)):
                    begins(job)
                    started.append(job)
                    futures[pool.submit(_work, job)] = job
                if not started:
                    return []
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    yield future.result()
                    started.remove(futures.pop(future))
        except BrokenProcessPool:
            return started
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Libraries read these variables when a new process loads them."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start(plan: Plan) -> None:
    """The terminal sends Ctrl-C to every process; one that waits for work leaves it to ours."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker = Worker(plan)


def _work(job: Job) -> Row:
    assert _worker is not None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _worker(job)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _dead(job: Job) -> Row:
    source = job.source
    return Row(
        job.codec, job.setting.label, source.name, source.width, source.height,
        frames=source.frames,
        error="the process that worked on this died; was there enough memory?",
    )  # fmt: skip

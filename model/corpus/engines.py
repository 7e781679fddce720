"""Run one function over many tasks, in processes of this machine or on a Ray cluster; a worker that dies costs nothing.

Both engines take the same things: `start`, which a worker calls once and which returns the function (loading a model
takes long), and the tasks. Results come in the order in which they are done. A task whose worker was killed is done
again, so it must leave nothing half done behind.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

from ..errors import InputError, needs

T = TypeVar("T")
R = TypeVar("R")
Start = Callable[[], Callable[[T], R]]

ENGINES = ("processes", "ray")
ATTEMPTS = 5  # workers that may die over one task
DIED = (
    f"workers died {ATTEMPTS} times over the same work, perhaps for want of memory: let fewer work at once, and "
    "run the same command again"
)
WAITING = 2  # tasks handed to processes, for each worker, so that none waits for the next


def run_tasks(
    start: Start[T, R], tasks: Iterable[T], *, engine: str = "processes", workers: int = 1, address: str | None = None
) -> Iterator[R]:
    """The results of all tasks, as they are done.

    Args:
        start, tasks: can be pickled.
        engine: "processes", or "ray" (Moritz et al. 2018, arXiv 1712.05889).
        workers: how many run at once.
        address: of a Ray cluster, such as "auto" or "ray://host:10001"; None = one on this machine, for this run.
    Raises what the function raises, and InputError when the engine is unknown, cannot be reached, or workers die again
    and again over one task.
    """
    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}; use one of {', '.join(ENGINES)}")
    if engine == "ray":
        return _on_ray(start, tasks, workers, address)
    return _in_processes(start, tasks, workers)


# --- processes of this machine -------------------------------------------------------------------------------------

_function: Callable[[Any], Any]  # of this worker


def _in_processes(start: Start[T, R], tasks: Iterable[T], workers: int) -> Iterator[R]:
    numbered, died = enumerate(tasks), Counter[int]()
    waiting: deque[tuple[int, T]] = deque()
    while True:
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (start,))
        running: dict[Future[R], tuple[int, T]] = {}
        try:
            yield from _pooled(pool, numbered, waiting, running, workers * WAITING)
            return
        except BrokenProcessPool:  # a worker died, and the others went with it
            waiting.extend(running.values())
            died.update(number for number, _ in running.values())
            if max(died.values(), default=0) >= ATTEMPTS:
                raise InputError(DIED) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _pooled(
    pool: ProcessPoolExecutor,
    numbered: Iterator[tuple[int, T]],
    waiting: deque[tuple[int, T]],
    running: dict[Future[R], tuple[int, T]],
    most: int,
) -> Iterator[R]:
    """The results of one pool; what it has begun stands in `running`, what it has not in `waiting`."""
    while True:
        waiting.extend(islice(numbered, max(most - len(running) - len(waiting), 0)))
        while waiting and len(running) < most:
            running[pool.submit(_call, waiting[0][1])] = waiting[0]
            waiting.popleft()
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            result = future.result()
            del running[future]
            yield result


def _begin(start: Start[Any, Any]) -> None:
    """In a new process: make the function; where that fails, every task says so."""
    global _function
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _function = start()
    except Exception as error:
        _function = partial(_fail, error)


def _fail(error: Exception, task: Any) -> None:
    raise error


def _end_with_parent() -> None:
    """A pool whose owner was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _call(task: Any) -> Any:
    return _function(task)


# --- Ray -----------------------------------------------------------------------------------------------------------

_started: dict[bytes, Callable[[Any], Any]] = {}  # of this Ray worker


def _on_ray(start: Start[T, R], tasks: Iterable[T], workers: int, address: str | None) -> Iterator[R]:
    with needs("ray"):
        import ray
    ours = not ray.is_initialized()
    if ours:
        try:
            size = {} if address else {"num_cpus": workers}
            ray.init(address=address, log_to_driver=False, include_dashboard=False, logging_level="ERROR", **size)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(
                f"no Ray cluster at {address!r} ({str(error).splitlines()[0]}): correct --address"
            ) from None
    call = ray.remote(num_cpus=1, max_retries=ATTEMPTS)(_call_on_ray)
    packed, left = ray.put(pickle.dumps(start)), iter(tasks)
    try:
        running = [call.remote(packed, task) for task in islice(left, workers)]  # a larger cluster would run more
        while running:
            (done,), running = ray.wait(running, num_returns=1)
            running += [call.remote(packed, task) for task in islice(left, 1)]
            yield _result_of(ray, done)
    finally:
        if ours:
            ray.shutdown()


def _call_on_ray(packed: bytes, task: Any) -> Any:
    if packed not in _started:
        _started.clear()
        _started[packed] = pickle.loads(packed)()
    return _started[packed](task)


def _result_of(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.WorkerCrashedError:
        raise InputError(DIED) from None
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None

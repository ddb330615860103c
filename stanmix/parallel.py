"""Calls that run at the same time: on all processors, or wherever joblib is told to run them.

Joblib has the workers: processes of this machine unless `joblib.parallel_config` names another
backend, such as `dask` or `ray`, whose workers may be anywhere. A call may kill its worker, most
often by want of memory; it is told from those that only ran beside it, which are called again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

from joblib import Parallel, delayed, effective_n_jobs, wrap_non_picklable_objects
from joblib.parallel import get_active_backend

from stanmix.errors import Problem, SamplingError

Called = TypeVar("Called")
Returned = TypeVar("Returned")

TOGETHER = 4
"""Calls for each worker that are handed over at once, where they cannot be one by one."""


def workers_for(calls: int, workers: int | None) -> int:
    """How many calls run at the same time.

    Parameters
    ----------
    calls
        How many there are.
    workers
        How many may; None for as many as `joblib.parallel_config` says, or there are processors.
        In threads, one alone: the engines are not made for more.
    """
    backend, configured = get_active_backend()
    if getattr(backend, "uses_threads", False):
        return 1
    most = next(n for n in (workers, configured, -1) if n is not None)
    return max(1, min(calls, int(effective_n_jobs(most))))


def unordered(
    function: Callable[[Called], Returned],
    calls: Sequence[Called],
    workers: int,
    lost: Callable[[Called, Exception], Returned],
) -> Iterator[Returned]:
    """What a function returns for each of `calls`, as soon as it does.

    Parameters
    ----------
    function
        Of a module, so that workers can import it.
    calls
        What to call it with. They are pickled, unless there is one worker.
    workers
        What `workers_for` returned.
    lost
        What there is for a call from which nothing came back, and the error that says why: as a
        rule, each worker that took it died.
    """
    backend, _ = get_active_backend()
    if hasattr(backend, "client"):
        return _on_dask(function, calls, TOGETHER * workers, lost, backend)
    if getattr(backend, "supports_return_generator", False):
        return _in_processes(function, calls, workers, lost)
    return _in_pool(function, calls, workers)


def _in_processes(
    function: Callable[[Called], Returned],
    calls: Sequence[Called],
    workers: int,
    lost: Callable[[Called, Exception], Returned],
) -> Iterator[Returned]:
    """By processes of this machine, all of which stop where one dies."""
    waiting = dict(enumerate(calls))
    while waiting:
        taken: list[int] = []
        try:
            for place, returned in _parallel(function, waiting, workers, taken):
                del waiting[place]
                yield returned
            return
        except BrokenProcessPool:
            suspects = [place for place in taken if place in waiting]
        for place in suspects:
            yield _alone(function, waiting.pop(place), lost)


def _alone(
    function: Callable[[Called], Returned],
    call: Called,
    lost: Callable[[Called, Exception], Returned],
) -> Returned:
    try:
        # Of two workers, since joblib calls in this very process for one.
        ((_, returned),) = _parallel(function, {0: call}, 2, [])
        return returned
    except BrokenProcessPool:
        return lost(call, _death())


def _parallel(
    function: Callable[[Called], Returned],
    calls: Mapping[int, Called],
    workers: int,
    taken: list[int],
) -> Iterator[tuple[int, Returned]]:
    """What is returned with the places of calls; `taken` are those that workers were given."""

    def given() -> Iterator[Any]:
        for place, call in dict(calls).items():
            taken.append(place)
            yield _prepared(_placed, function, place, call)

    parallel = Parallel(
        n_jobs=workers, batch_size=1, pre_dispatch=workers, return_as="generator_unordered"
    )
    yield from parallel(given())


def _placed(
    function: Callable[[Called], Returned], place: int, call: Called
) -> tuple[int, Returned]:
    return place, function(call)


def _prepared(function: Callable[..., Any], *arguments: Any) -> Any:
    # Families of one's own hold functions that only cloudpickle takes.
    return delayed(wrap_non_picklable_objects(partial(function, *arguments)))()


def _in_pool(
    function: Callable[[Called], Returned], calls: Sequence[Called], workers: int
) -> Iterator[Returned]:
    """By pools, such as that of Ray, which return all at once: they get some at a time."""
    parallel, size = Parallel(n_jobs=workers, batch_size=1), TOGETHER * workers
    for start in range(0, len(calls), size):
        yield from parallel(_prepared(function, call) for call in calls[start : start + size])


def _on_dask(
    function: Callable[[Called], Returned],
    calls: Sequence[Called],
    together: int,
    lost: Callable[[Called, Exception], Returned],
    backend: Any,
) -> Iterator[Returned]:
    """By a cluster of Dask, asked itself: joblib waits forever for what its workers cannot do."""
    distributed: Any = import_module("distributed")

    def submit(call: Called) -> Any:
        return backend.client.submit(function, call, pure=False, **backend.submit_kwargs)

    waiting, suspects = iter(calls), list[Called]()
    given = {submit(call): call for call in islice(waiting, together)}
    finished = distributed.as_completed(list(given), with_results=True, raise_errors=False)
    try:
        with backend.retrieval_context():
            for future, found in finished:
                call = given.pop(future)
                for later in islice(waiting, 1):
                    given[more := submit(later)] = later
                    finished.add(more)
                # What came back counts, whatever has become of the worker since.
                error = found[1] if future.status == "error" else found
                if not isinstance(error, Exception):
                    yield found
                elif not isinstance(error, (distributed.KilledWorker, CancelledError)):
                    yield lost(call, error)
                elif together == 1:
                    yield lost(call, _death())
                else:
                    # Dask blames all that waited for the workers that died.
                    suspects.append(call)
    finally:
        backend.client.cancel(list(given))
    for call in suspects:
        yield from _on_dask(function, [call], 1, lost, backend)


def _death() -> SamplingError:
    return SamplingError(
        Problem(
            "Every worker process that took it died; it may have been short of memory.",
            hint="give each worker more memory, or run fewer at the same time",
        )
    )

"""Calls that run at the same time: on all processors, or wherever joblib is told to run them.

Joblib has the workers: processes of this machine unless `joblib.parallel_config` names another
backend, such as `dask` or `ray`, whose workers may be anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from stanmix.errors import Problem, SamplingError

TOGETHER = 4
"""Calls for each worker that are waited for together, where they cannot be one by one."""


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


def unordered(function: Callable[[Any], Any], calls: Sequence[Any], workers: int) -> Iterator[Any]:
    """What a function returns for each of `calls`, as soon as it does.

    Parameters
    ----------
    function
        Of a module, so that workers can import it.
    calls
        What to call it with. They are pickled, unless there is one worker.
    workers
        What `workers_for` returned.

    Raises
    ------
    SamplingError
        A process died, and with it what the others were at.
    """
    backend, _ = get_active_backend()
    as_it_comes = getattr(backend, "supports_return_generator", False)
    # Backends made of pools, such as that of Ray, return all at once: they get some at a time.
    size = max(1, len(calls)) if as_it_comes else TOGETHER * workers
    options = {"return_as": "generator_unordered"} if as_it_comes else {}
    parallel = Parallel(n_jobs=workers, batch_size=1, **options)
    try:
        for start in range(0, len(calls), size):
            yield from parallel(delayed(function)(call) for call in calls[start : start + size])
    except BrokenProcessPool as error:
        raise SamplingError(
            Problem(
                "A worker process died; it may have been short of memory.",
                hint="with `folder=`, what is finished is kept, and the same call does the rest",
            )
        ) from error

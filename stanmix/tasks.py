"""One fit of many, as a worker makes it: what it is given, and what it gives back."""

from __future__ import annotations

import threading
import time
import warnings
from dataclasses import dataclass, replace

import xarray as xr

from stanmix.engines import engine as find_engine
from stanmix.engines.base import SamplerSettings
from stanmix.errors import SamplingError, StanmixError, StanmixWarning
from stanmix.fit import Fit
from stanmix.fits import Key, Row
from stanmix.identifiability import held_correlations, identifiability_warnings
from stanmix.model import Model


@dataclass(frozen=True, eq=False)
class Task:
    """One fit to be made: what a worker needs for it."""

    key: Key
    model: Model
    settings: SamplerSettings
    engine: str


def bare(model: Model) -> Model:
    """The model without the columns of its data that it does not need."""
    needed = (*model.spec.response_columns, *model.spec.other_columns)
    return replace(model, table=model.table.only(needed))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a task: draws, with the name and version of the engine; or an error."""

    key: Key
    row: Row
    made: tuple[xr.DataTree, str] | StanmixError


def run(task: Task) -> Outcome:
    """Make a fit, and look at it. Whatever goes wrong is what became of it."""
    start = time.perf_counter()
    try:
        fit = task.model.draw(task.settings, find_engine(task.engine))
        row = _row(fit, time.perf_counter() - start)
    except Exception as error:
        return failed(task.key, error)
    return Outcome(task.key, row, (fit.draws, fit.engine))


def failed(key: Key, error: Exception) -> Outcome:
    """What became of a task, or of what should have been one, that failed."""
    known = error if isinstance(error, StanmixError) else _unforeseen(error)
    return Outcome(key, Row.of_failure(known), known)


def lost(task: Task, error: Exception) -> Outcome:
    """What became of a task from which no worker returned."""
    return failed(task.key, error)


def _unforeseen(error: Exception) -> StanmixError:
    # As it is, it might not survive the way back.
    return SamplingError(f"{type(error).__name__}: {error}")


_DIAGNOSING = threading.Lock()
"""Held while warnings are recorded, since that is one list for all threads."""


def _row(fit: Fit, seconds: float) -> Row:
    with _DIAGNOSING, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = fit.diagnose()
    spec, table = fit.model.spec, found.invariant
    said = [
        *found.problems,
        *(str(w.message) for w in caught if issubclass(w.category, StanmixWarning)),
        *identifiability_warnings(spec, fit.model.data),
        *held_correlations(spec, fit.draws, fit.model.table.n_rows),
    ]
    return Row(
        seconds,
        found.divergent,
        float(table["r_hat"].max()),
        float(table[["ess_bulk", "ess_tail"]].min().min()),
        not found.serious,
        " ".join(said),
    )

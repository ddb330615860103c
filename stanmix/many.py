"""One model fitted to many data sets, at the same time, and again from where it was cut off."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stanmix.engines import engine as find_engine
from stanmix.engines.progress import bar
from stanmix.errors import (
    Problem,
    SpecError,
    StanmixError,
    require_count,
)
from stanmix.fit import Fit
from stanmix.fits import Finished, Fits, Key, fits_of, name_of, warn_of
from stanmix.fits_folder import FitsFolder, opened, purpose_of
from stanmix.model import Model, transfer
from stanmix.parallel import unordered, workers_for
from stanmix.settings import sampler_settings, seed_of_call
from stanmix.tasks import Outcome, Task, bare, failed, lost, run


def fit_many(
    model: Model,
    datasets: Mapping[Any, Any] | Iterable[Any],
    *,
    folder: str | Path | None = None,
    workers: int | None = None,
    engine: str = "auto",
    chains: int = 4,
    warmup: int = 1000,
    draws: int = 1000,
    seed: int | None = None,
    adapt_delta: float = 0.9,
    **sampler: Any,
) -> Fits:
    """Fit one model to many data sets.

    Nothing of the model is taken from them that is not about each alone (see `Model.on`), so that
    the fits differ by their data only, and one executable serves all. The fits run at the same
    time, in processes of this machine, or wherever `joblib.parallel_config` says. Workers return
    draws to this process, which alone writes files, so that they need not share a disk with it.

    What is wrong with one data set stops no other, even if it kills the workers that take it: see
    `Fits.failed` and `Fits.table`.

    Parameters
    ----------
    model
        The model, as `stanmix.model` returns it.
    datasets
        Data frames, or mappings of arrays: by their keys in a mapping or in pairs of a key and its
        data set, such as those of `frame.groupby(..)`; else numbered from 0.
    folder
        Where to keep each fit as soon as it is finished, as a file that `stanmix.load` reads. The
        same call again, after whatever cut it off, does the rest; a fit whose data have changed is
        made again, and so are failed ones.
    workers
        How many fits run at the same time; as many as `joblib.parallel_config` says, or there are
        processors, if not given.
    engine
        As for `stanmix.fit`, by its name.
    chains, warmup, draws, adapt_delta, **sampler
        As for `stanmix.fit`. Chains of a fit run one after another if several fits run at the same
        time.
    seed
        Seed of all. That of a fit follows from it and from the key of its data set, so that neither
        other data sets nor the order matter. If not given, it is that of the folder, or another one
        at every call.

    Returns
    -------
    Fits
        The fits by the keys of their data sets, and a table of them.

    Raises
    ------
    SpecError
        `datasets` are none, or one alone; a setting makes no sense; the folder is for other fits.
    DataError
        There can be no such folder.
    EngineError
        There is no such engine, or it refused the program.

    Warns
    -----
    StanmixWarning
        Some data sets have no fit.
    ConvergenceWarning
        Some fits have draws that are unfit for use.

    Examples
    --------
    >>> import stanmix as sm
    >>> rng = np.random.default_rng(1)
    >>> data = {who: {"y": rng.normal([0, 9] * 10)} for who in ["ann", "bob"]}
    >>> m = sm.model("y ~ mix(normal, K=2)", data["ann"])
    >>> fits = sm.fit_many(m, data, engine="stanli", chains=2, seed=1, workers=1)
    >>> fits["bob"].draws["posterior"]["mu"].mean(("chain", "draw")).values.round()
    array([0., 9.])
    >>> fits.table["divergent"].tolist()
    [0, 0]

    On a cluster of Dask, whose workers may come and go:

    >>> with joblib.parallel_config(backend="dask"):  # doctest: +SKIP
    ...     fits = sm.fit_many(m, data, folder="fits", seed=1)
    """
    if not isinstance(model, Model):
        raise SpecError(f"`model` is what `stanmix.model` returns, not {type(model).__name__}.")
    if not isinstance(engine, str):
        raise SpecError("`engine` is a name here: every worker has its own engine.")
    if workers is not None:
        require_count("workers", workers, 1, what=", or None")
    given = _keyed(datasets)
    with nullcontext() if folder is None else opened(folder) as files:
        if seed is None and files is not None and files.purpose is not None:
            seed = files.purpose.get("seed")
        settings = sampler_settings(
            chains=chains,
            warmup=warmup,
            draws=draws,
            seed=seed_of_call(seed),
            adapt_delta=adapt_delta,
            **sampler,
        )
        runner = find_engine(engine)
        if files is not None:
            files.require(purpose_of(model, runner, settings))
        waiting: dict[Key, Model] = {}
        finished: dict[Key, Finished] = {}
        for key, data in given.items():
            try:
                own = transfer(model, data)
            except Exception as error:
                finished[key] = _kept(failed(key, error), model, files)
                continue
            row = None if files is None else files.row(key, own)
            if files is None or row is None:
                waiting[key] = own
            else:
                finished[key] = Finished(files.place(key), row)
        several = workers_for(len(waiting), workers)
        if several > 1 and settings.parallel_chains is None:
            settings = replace(settings, parallel_chains=1)
        for own in waiting.values():
            # All mistakes of the program, and its compilation, come before anything is sampled.
            runner.compile(own.program)
        tasks = [
            Task(key, bare(own), replace(settings, seed=seed_of(settings.seed, key)), runner.name)
            for key, own in waiting.items()
        ]
        with bar(len(given), len(finished), "fits") as advance:
            for outcome in unordered(run, tasks, several, lost):
                finished[outcome.key] = _kept(outcome, waiting[outcome.key], files)
                advance()
    fits = fits_of(model, {key: finished[key] for key in given})
    warn_of(fits)
    return fits


def _kept(outcome: Outcome, model: Model, files: FitsFolder | None) -> Finished:
    """What became of a data set, its fit in the folder if there is one."""
    if isinstance(outcome.made, StanmixError):
        return Finished(outcome.made, outcome.row)
    fit = Fit(model, *outcome.made)
    kept = fit if files is None else files.keep(outcome.key, fit, outcome.row)
    return Finished(kept, outcome.row)


def seed_of(seed: int, key: Key) -> int:
    """The seed of the fit to one data set."""
    words = np.frombuffer(hashlib.sha256(name_of(key).encode()).digest(), "<u4")
    return int(np.random.SeedSequence([seed, *words.tolist()]).generate_state(1)[0])


def _keyed(datasets: Any) -> dict[Key, Any]:
    """The data sets by their keys.

    Raises
    ------
    SpecError
        There are none, or one alone; or two keys read alike.
    """
    alone = hasattr(datasets, "columns")
    if isinstance(datasets, Mapping):
        given = list(datasets.items())
        alone = bool(given) and not any(_is_data(data) for _, data in given)
    elif isinstance(datasets, Iterable) and not isinstance(datasets, str) and not alone:
        listed = list(datasets)
        given = listed if all(map(_is_pair, listed)) else list(enumerate(listed))
    elif not alone:
        raise SpecError(f"`datasets` holds data sets, and is not {type(datasets).__name__}.")
    if alone:
        raise SpecError(Problem("`datasets` is one data set, not many.", hint="put it into a list"))
    if not given:
        raise SpecError("`datasets` holds no data set.")
    named = pd.Index([name_of(key) for key, _ in given])
    if named.has_duplicates:
        again = named[named.duplicated()][0]
        raise SpecError(f"Two keys of `datasets` read {again!r}, and would share a seed.")
    return dict(given)


def _is_pair(value: Any) -> bool:
    """Whether something is a key and its data set, as groups of a data frame come."""
    return isinstance(value, tuple) and len(value) == 2 and _is_data(value[1])


def _is_data(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "columns")

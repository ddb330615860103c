"""Data sets simulated from a prior, with their true parameters, and fits of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.diagnostics import independent_draws
from stanmix.errors import SpecError, StanmixWarning, require_count
from stanmix.fit import Fit
from stanmix.fits import Fits, Key
from stanmix.judging.compared import thinned
from stanmix.many import fit_many, seed_of
from stanmix.model import Model
from stanmix.named_draws import numbers
from stanmix.questions.asking import ask
from stanmix.questions.invariants import sorted_probabilities
from stanmix.sensitivity import log_likelihoods
from stanmix.simulation import required

Array = NDArray[np.float64]

LIKELIHOOD = "log likelihood"
"""What the log density of all responses is called among quantities."""


@dataclass(frozen=True, eq=False)
class Replication:
    """What a fit of simulated data says of the parameters that these are from.

    Parameters
    ----------
    truth
        The true value of each quantity.
    draws
        Draws of each, about independent of each other: (draw).
    """

    truth: dict[str, float]
    draws: dict[str, Array]


@dataclass(frozen=True, eq=False)
class Replications:
    """Simulated data sets with their true parameters, and their fits.

    Parameters
    ----------
    truths
        The parameters of each data set, by its number from 1: one draw.
    fits
        The fits, by the same numbers.
    """

    truths: dict[Key, xr.Dataset]
    fits: Fits

    def __iter__(self) -> Iterator[tuple[Key, Replication]]:
        for number, fit in self.fits.items():
            yield number, _replication(fit, self.truths[number])


def replicated(
    model: Model,
    n: int,
    *,
    simulator: Model | None,
    folder: str | Path | None,
    seed: int,
    **options: Any,
) -> Replications:
    """Draw parameters from a prior and data from them, `n` times, and fit the model to all.

    Raises
    ------
    SpecError
        A prior is flat; the simulator has other parameters; or as in `fit_many`.
    """
    require_count("n", n, 1)
    require_count("seed", seed, 0, 2**32 - 1)
    for given in (model, simulator):
        if given is not None and not isinstance(given, Model):
            raise SpecError(f"A model is needed, not {type(given).__name__}.")
    source = model if simulator is None else simulator
    if required(source.spec) != required(model.spec):
        raise SpecError("The simulator has other parameters than the model.")
    truths: dict[Key, xr.Dataset] = {}
    datasets: dict[Key, Any] = {}
    for number in range(1, n + 1):
        own = seed_of(seed, number)
        drawn = source.sample_prior(1, seed=own)
        truths[number] = drawn
        at = {name: drawn[name].values[0, 0] for name in required(source.spec)}
        # With the same seed, but independent of what was drawn from the prior.
        datasets[number] = source.simulate(at, seed=own).data
    with warnings.catch_warnings():
        # The table of the fits says it all, and calibration does not leave fits out.
        warnings.simplefilter("ignore", StanmixWarning)
        fits = fit_many(model, datasets, folder=folder, seed=seed, **options)
    return Replications(truths, fits)


def _replication(fit: Fit, truth: xr.Dataset) -> Replication:
    posterior = fit.draws["posterior"].to_dataset()
    known = fit.model.with_draws(truth)
    ours, theirs = (
        _quantities(fit, posterior),
        _quantities(known, known.draws["posterior"].to_dataset()),
    )
    values = np.stack(list(ours.values()), axis=-1)
    kept = thinned(values, independent_draws(values))
    draws = {name: kept[..., i].ravel() for i, name in enumerate(ours)}
    true = {name: float(values.item()) for name, values in theirs.items()}
    # What the model fixes is not looked at; what stays in one place may be a fit that is stuck.
    fixed = [name for name, v in draws.items() if (v == true[name]).all()]
    return Replication(
        {name: value for name, value in true.items() if name not in fixed},
        {name: v for name, v in draws.items() if name not in fixed},
    )


def _quantities(fit: Fit, posterior: xr.Dataset) -> dict[str, Array]:
    """What is looked at, (chain, draw) each: what has labels only if these mean something."""
    found: dict[str, Array] = {}
    if not fit.model.spec.labels_may_switch:
        found |= numbers(posterior)
    if fit.model.spec.K > 1:
        found |= numbers(xr.Dataset(sorted_probabilities(posterior)))
    sizes = posterior.sizes
    values = log_likelihoods(ask(fit, draws=None))
    found[LIKELIHOOD] = values.reshape(sizes["chain"], sizes["draw"])
    return found

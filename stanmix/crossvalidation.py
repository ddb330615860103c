"""Cross-validation that fits the model again: K-fold, and of the future.

References
----------
Buerkner, P.-C., Gabry, J., & Vehtari, A. (2020). Approximate leave-future-out cross-validation for
Bayesian time series models. *Journal of Statistical Computation and Simulation*, 90, 2499-2523.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.elpd import Elpd
from stanmix.errors import SpecError, require_count
from stanmix.importance import efficiency, good_k, log_mean, log_weighted_mean, smoothed
from stanmix.questions.asking import Asked, ask
from stanmix.questions.terms import LeftOut, leave_out
from stanmix.refits import fit_without, on_all_rows

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def kfold(
    fit: Fit,
    kind: str | None = None,
    *,
    k: int | None = None,
    folds: Any = None,
    seed: int | None = None,
) -> Elpd:
    """K-fold cross-validation: the model is fitted again without each of `k` parts of the data.

    Slower than `loo`, and sure; what shares a fold is predicted without each other.

    Parameters
    ----------
    kind
        What folds are made of, as in `loo`, but for "future".
    k
        How many folds to make, at random; 10, or as many as there are things, if not given.
    folds
        The folds, if you make them: a label for each row, unit or series.
    seed
        Seed of the folds; that of the fit if not given.

    Returns
    -------
    Elpd
        Terms and their sum.

    Raises
    ------
    SpecError
        The model has nothing of that kind, or not as many as there are folds; `folds` are not one
        for each.

    Warns
    -----
    ConvergenceWarning
        As `stanmix.fit`, for each fold.
    """
    left = leave_out(ask(fit, draws=None, seed=seed), kind)
    if left.kind == "future":
        raise SpecError('Folds are not of the future; ask for `loo("future", refit=True)`.')
    if (left.counts > 1).any():
        raise SpecError("A row that counts several times cannot be in one fold: write it out.")
    codes = _folds(folds, k, left.seen, left.asked.seed)
    count = int(codes.max()) + 1
    terms = pd.DataFrame({"count": left.counts, "refitted": True}, index=left.places.index)
    terms["lpd"], _ = log_mean(left.log_densities())
    elpd, mcse = np.empty(len(codes)), np.empty(len(codes))
    for fold in range(count):
        places, rows = np.flatnonzero((codes == fold) & left.seen), (codes == fold)[left.of_row]
        again = replace(left, asked=on_all_rows(fit_without(fit, rows, fold + 1), fit))
        elpd[places], mcse[places] = log_mean(again.log_densities(places, rows))
    terms["elpd"], terms["mcse"], terms["pareto_k"] = elpd, mcse, np.nan
    terms["p"] = terms["lpd"] - terms["elpd"]
    method = f"{count}-fold cross-validation"
    limit = good_k(left.asked.n_draws)
    return Elpd(method, left.kind, left.question, terms[left.seen], limit, fit, left.of_row)


def _folds(folds: Any, k: int | None, seen: NDArray[np.bool_], seed: int) -> Integers:
    """The fold, from 0, of each place; -1 where there is nothing to leave out."""
    n, codes = int(seen.sum()), np.full(len(seen), -1)
    if folds is not None:
        labels = np.array(folds, dtype=object)
        if labels.shape != seen.shape or pd.isna(labels[seen]).any():
            raise SpecError(f"`folds` must be {len(seen)} labels, one for each, none missing.")
        codes[seen], names = pd.factorize(labels[seen])
        if len(names) < 2:
            raise SpecError("`folds` must name two folds or more.")
        return codes
    k = min(n, 10) if k is None else k
    require_count("k", k, 2, n)
    codes[seen] = np.random.default_rng(seed).permutation(np.arange(n) % k)
    return codes


def future(fit: Fit, left: LeftOut, *, refit: bool, first: int | None) -> Elpd:
    """Leave-future-out cross-validation, one step ahead.

    Parameters
    ----------
    fit
        The fit.
    left
        The future of its series.
    refit
        Whether to fit the model again for every step, and not only where importance sampling from
        the latest fit fails.
    first
        How many steps of each series are known at the outset; a quarter of the longest if None.

    Raises
    ------
    SpecError
        `first` is no such number.
    """
    steps = _steps(left.asked)
    last = int(steps.max())
    if last == 0:
        raise SpecError("Every series has one row or unit, and so no future.")
    first = max(1, (last + 1) // 4) if first is None else first
    require_count("first", first, 1, last, what=", the steps before the last")
    found = []
    for step, weighted in enumerate(_stepwise(fit, left, steps, first, refit), start=first):
        for place in np.flatnonzero((steps == step) & left.seen):
            values, log_weights = weighted.values[..., place], weighted.log_weights
            (share,) = efficiency((log_weights + values)[..., None])
            elpd, mcse = log_weighted_mean(values.ravel(), log_weights.ravel(), share)
            found.append((place, elpd, mcse, weighted.pareto_k, weighted.refitted))
    names = ["place", "elpd", "mcse", "pareto_k", "refitted"]
    terms = pd.DataFrame(found, columns=names).set_index("place").sort_index()
    lpd, _ = log_mean(left.log_densities(terms.index.to_numpy()))
    terms["lpd"], terms["p"], terms["count"] = lpd, lpd - terms["elpd"], 1.0
    terms.index = left.places.index[terms.index]
    method = "exact LFO" if refit else "PSIS-LFO"
    return Elpd(
        method, "future", left.question, terms, good_k(left.asked.n_draws), fit, left.of_row
    )


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Draws that stand for a posterior which has seen the rows before a step.

    Parameters
    ----------
    values
        Log density of every row, or unit, given those before it: (chain, draw, place).
    log_weights, pareto_k
        Weights of the draws (chain, draw), and how far to trust them.
    refitted
        Whether they were drawn for this step.
    """

    values: Array
    log_weights: Array
    pareto_k: float
    refitted: bool


def _stepwise(
    fit: Fit, left: LeftOut, steps: Integers, first: int, refit: bool
) -> Iterator[_Weighted]:
    """Draws for each step from the first: of the latest fit if weights can make them fit."""
    values, since = np.empty((0, 0, 0)), 0
    for step in range(first, int(steps.max()) + 1):
        if values.size and not refit:
            ratios = values[..., (steps >= since) & (steps < step)].sum(axis=-1)
            log_weights, k = smoothed(ratios.ravel())
            if k <= good_k(ratios.size):
                yield _Weighted(values, log_weights.reshape(ratios.shape), k, False)
                continue
        again = fit_without(fit, (steps >= step)[left.of_row], step)
        values = replace(left, asked=on_all_rows(again, fit)).log_densities()
        since, (chains, draws) = step, values.shape[:2]
        alike = np.full((chains, draws), -np.log(chains * draws))
        yield _Weighted(values, alike, 0.0, True)


def _steps(asked: Asked) -> Integers:
    """The place of each row, or unit, in its series, from 0, in the user's order."""
    starts, n = asked.rows.starts, len(asked.rows.unit_size)
    steps = np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))
    return steps if asked.model.spec.unit is not None else steps[np.argsort(asked.rows.order)]

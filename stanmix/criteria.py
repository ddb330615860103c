"""How well a model predicts what it has not seen: leave-one-out cross-validation and WAIC.

References
----------
Vehtari, A., Gelman, A., & Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out
cross-validation and WAIC. *Statistics and Computing*, 27, 1413-1432.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from stanmix.crossvalidation import future
from stanmix.elpd import Elpd
from stanmix.errors import ConvergenceWarning, SpecError, plural, require_count, warn
from stanmix.importance import good_k, log_mean, psis
from stanmix.questions.asking import THIN, ask
from stanmix.questions.terms import LeftOut, leave_out
from stanmix.refits import binding, exact_term
from stanmix.stacking import require_posterior

if TYPE_CHECKING:
    from stanmix.fit import Fit

MANY = 10_000
"""Terms beyond which only some are worked out."""

SOME = 1000
"""How many are, then."""

WAIC_LIMIT = 0.4
"""Variance of a log density beyond which WAIC is not to be trusted (Vehtari et al. 2017)."""


def loo(
    fit: Fit,
    kind: str | None = None,
    *,
    refit: bool = False,
    first: int | None = None,
    some: int | None = None,
) -> Elpd:
    """Leave-one-out cross-validation: how well each part of the data is predicted by the others.

    By Pareto-smoothed importance sampling, from all draws of this fit.

    Parameters
    ----------
    kind
        What is left out. "observation": a row, predicted from all others; in a hidden Markov model
        from those before and after it. "unit": all rows that share a state. "series": a whole
        series. "future": of a hidden Markov model, each row is predicted from those before it, and
        the model is fitted again whenever the draws have become too different. Where not given, a
        series if there are several, else a unit, if rows share states, else a row.
    refit
        Fit the model again, without it, for each term whose Pareto k is too large; of "future",
        for each.
    first
        Of "future": how many rows, or units, of each series are known at the outset; a quarter of
        the longest if not given.
    some
        How many terms to work out, at random; the sum is then an estimate. Not given: all up to
        10 000, else 1000.

    Returns
    -------
    Elpd
        Terms, their sum, and how far to trust them.

    Raises
    ------
    SpecError
        The model has nothing of that kind; an option makes no sense.

    Warns
    -----
    ConvergenceWarning
        Terms have a Pareto k that is too large.

    Notes
    -----
    Labels that are known stay known: the density is that of responses given all labels. Rows that
    alone set a bound, as the shortest response time bounds `ndt`, are predicted by draws that they
    have shut in; their Pareto k counts as infinite. Groups of
    group-level terms are known where rows of them remain, and unknown, as they should be, where
    none does: then importance sampling is hard, and `refit=True`, or `kfold`, may be needed. Of a
    row that counts several times one copy is left out, and its term counted as often.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 4.8, 5.1, 5.2, 4.9, 9.0]
    >>> f = sm.fit("y ~ mix(normal(sigma=1), K=2)", {"y": y}, engine="stanli", seed=1)
    >>> f.loo(refit=True).terms["elpd"].idxmin()
    9
    """
    require_posterior(fit, "loo()")
    left = leave_out(ask(fit, draws=None), kind)
    if left.kind == "future":
        return future(fit, left, refit=refit, first=first)
    if first is not None:
        raise SpecError('`first` is for `kind="future"`.')
    chosen = _chosen(left.seen, some)
    found = psis(left.log_densities(chosen))
    # Draws that saw what sets a bound cannot stand for those that did not.
    found.loc[binding(left)[chosen], "pareto_k"] = np.inf
    limit = good_k(left.asked.n_draws)
    again = np.flatnonzero(found["pareto_k"] > limit) if refit else np.empty(0, np.int64)
    for i in again:
        found.loc[i, ["elpd", "mcse"]] = exact_term(fit, left, int(chosen[i]))
        found.loc[i, "pareto_k"] = np.nan
    # By place: names of rows may repeat.
    terms = found.set_axis(chosen).reindex(np.arange(len(left.seen)))
    terms["count"], terms["refitted"] = left.counts, np.isin(terms.index, chosen[again])
    if len(chosen) < left.seen.sum():
        terms["lpd"] = terms["lpd"].fillna(_in_sample(fit, left))
    terms["p"] = terms["lpd"] - terms["elpd"]
    terms = terms[left.seen].set_axis(left.places.index[left.seen])
    result = Elpd("PSIS-LOO", left.kind, left.question, terms, limit, fit, left.of_row)
    if len(result.bad):
        warn(
            f"Pareto k is above {limit:.2f} for {plural(len(result.bad), 'term')}: importance "
            "sampling fails there, and they are not to be trusted. "
            f'`loo("{left.kind}", refit=True)` fits the model again without them.',
            ConvergenceWarning,
        )
    return result


def waic(fit: Fit, kind: str | None = None) -> Elpd:
    """The widely applicable information criterion, on the scale of `loo`.

    `loo` estimates the same, and says where it is not to be trusted, which WAIC hardly does.

    Parameters
    ----------
    kind
        As of `loo`, but for "future".

    Returns
    -------
    Elpd
        Terms and their sum; `p` is the variance of each log density over draws.

    Raises
    ------
    SpecError
        The terms would not be independent given the parameters: rows, or units, of a hidden Markov
        model.

    Warns
    -----
    ConvergenceWarning
        Some variances are too large to trust the sum.
    """
    left = leave_out(ask(fit, draws=None), kind)
    if fit.model.spec.kind == "hmm" and left.kind != "series":
        raise SpecError(
            "WAIC needs terms that are independent given the parameters, and of a hidden Markov "
            "model only series are; ask for loo()."
        )
    places = np.flatnonzero(left.seen)
    values = left.log_densities(places)
    lpd, mcse = log_mean(values)
    terms = pd.DataFrame({"lpd": lpd, "mcse": mcse}, index=left.places.index[places])
    terms["p"] = values.var(axis=(0, 1), ddof=1)
    terms["elpd"], terms["pareto_k"], terms["refitted"] = terms["lpd"] - terms["p"], np.nan, False
    terms["count"] = left.counts[places]
    loose = int((terms["p"] > WAIC_LIMIT).sum())
    if loose:
        warn(
            f"The log density of {plural(loose, 'term')} varies by more than {WAIC_LIMIT} over "
            "draws, so WAIC is not to be trusted; ask for loo().",
            ConvergenceWarning,
        )
    return Elpd(
        "WAIC", left.kind, left.question, terms, good_k(left.asked.n_draws), fit, left.of_row
    )


def _chosen(seen: NDArray[np.bool_], some: int | None) -> NDArray[np.int64]:
    """The terms to work out; the same ones of the same number, so that fits can be compared."""
    places = np.flatnonzero(seen)
    if some is None:
        some = SOME if len(places) > MANY else len(places)
    require_count("some", some, 2)
    if some >= len(places):
        return places
    return np.sort(np.random.default_rng(len(places)).choice(places, some, replace=False))


def _in_sample(fit: Fit, left: LeftOut) -> pd.Series:
    """Log of the mean density of every term, from some of the draws, which saw all."""
    few = replace(left, asked=ask(fit, draws=THIN))
    total = np.full(len(left.seen), -np.inf)
    for block in few.asked.blocks():
        total = np.logaddexp(total, logsumexp(few.log_terms(block), axis=0))
    return pd.Series(total - np.log(few.asked.n_draws))

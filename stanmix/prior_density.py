"""The log density of the priors of a model at values of its parameters.

It is that of the priors as they are written, for the parameters that the posterior names: without
the Jacobian of the scale that a sampler moves on, and up to a constant, since truncation at bounds
adds no more than that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import xlogy

from stanmix.prior_draws import concentration
from stanmix.priors import DISTRIBUTIONS, Prior
from stanmix.program.declare import sampled_name
from stanmix.spec import ModelSpec, Parameter

Array = NDArray[np.float64]


def log_priors(spec: ModelSpec, values: Mapping[str, Array]) -> dict[str, Array]:
    """The log density of the prior of every parameter, by its name.

    Effects of groups have a distribution given their spread and correlations, and no prior of their
    own. Of slopes with a horseshoe prior, what is counted are the priors of the global scale and of
    the slab, given which they are normal.

    Parameters
    ----------
    spec
        The model.
    values
        What the posterior names, and what the program samples besides: (draw, ...) each.

    Returns
    -------
    dict
        (draw) each, up to a constant.
    """
    return {p.name: _log_prior(p, spec, values) for p in spec.parameters}


def _log_prior(parameter: Parameter, spec: ModelSpec, values: Mapping[str, Array]) -> Array:
    if parameter.shrinking is not None:
        return _horseshoe(parameter, parameter.shrinking, values)
    # The posterior reports slopes with what follows from them.
    name = sampled_name(parameter) if parameter.is_slope else parameter.name
    value = values[name]
    if parameter.constraint == "simplex":
        return _simplexes(parameter, spec, value)
    if parameter.constraint == "correlation":
        return _correlations(parameter, value)
    return _numbers(parameter, value)


def _summed(values: Array) -> Array:
    """The sum over all axes but that of draws."""
    return np.asarray(values.reshape(len(values), -1).sum(axis=1))


def _numbers(parameter: Parameter, value: Array) -> Array:
    """Numbers, or angles: independent elements, or the first and the steps between neighbours."""
    total = np.zeros(len(value))
    for place in np.ndindex(*value.shape[1:]):
        index = tuple(i + 1 for i in place)
        total += _of_one(parameter.prior_at(index), index, value[(slice(None), *place)])
    for entry in parameter.priors:
        if entry.increments and parameter.order is not None:
            steps = np.diff(value, axis=1 + parameter.axes.index(parameter.order))
            total += _summed(_of_one(entry.prior, (1,), steps))
    return total


def _of_one(prior: Prior | None, index: tuple[int, ...], value: Array) -> Array:
    """The log density of one element; flat priors have none."""
    if prior is None or prior.distribution == "flat":
        return np.zeros_like(value)
    arguments = [a.at(index) for a in prior.arguments]
    if prior.distribution == "von_mises":
        mu, kappa = arguments
        return np.asarray(kappa * np.cos(value - mu))
    return np.asarray(DISTRIBUTIONS[prior.distribution].reference(*arguments).logpdf(value))


def _simplexes(parameter: Parameter, spec: ModelSpec, value: Array) -> Array:
    if len(parameter.axes) == 1:
        alpha = concentration(parameter.prior_at(()), 0, value.shape[-1], spec.K)
        return np.asarray(xlogy(alpha - 1, value).sum(axis=-1))
    total = np.zeros(len(value))
    for k in range(value.shape[1]):
        row, prior = value[:, k], parameter.prior_at((k + 1,))
        if parameter.name == "transition":
            allowed = np.array(spec.moves, dtype=bool)[k]
            alpha = concentration(prior, k, int(allowed.sum()), spec.K)
            alpha, row = alpha[allowed] if len(alpha) > allowed.sum() else alpha, row[:, allowed]
        else:
            alpha = concentration(prior, k, row.shape[-1], spec.K)
        total += xlogy(alpha - 1, row).sum(axis=-1)
    return total


def _correlations(parameter: Parameter, value: Array) -> Array:
    """LKJ, or LKJ times exp(-guard * trace(inverse)), of each matrix."""
    total = np.zeros(len(value))
    for place in np.ndindex(*value.shape[1:-2]):
        prior = parameter.prior_at(tuple(i + 1 for i in place))
        if prior is None or prior.distribution == "flat":
            continue
        matrix = value[(slice(None), *place)]
        eta, *guard = (a.at(()) for a in prior.arguments)
        total += (eta - 1) * np.linalg.slogdet(matrix)[1]
        for own in guard:
            total -= own * np.trace(np.linalg.inv(matrix), axis1=1, axis2=2)
    return total


def _horseshoe(parameter: Parameter, prior: Prior, values: Mapping[str, Array]) -> Array:
    """The global scale and the slab of slopes that are shrunk together."""
    name = sampled_name(parameter)
    spread, slab, df = (a.at(()) for a in prior.arguments[:3])
    overall = stats.halfcauchy.logpdf(values[f"{name}_global"], scale=spread)
    squared = stats.invgamma.logpdf(values[f"{name}_slab"], df / 2, scale=df / 2 * slab**2)
    return _summed(overall) + _summed(squared)

"""Draws from the prior of a model, by the names and in the shapes that the posterior has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from stanmix.covariances import covariance_factor
from stanmix.errors import SpecError
from stanmix.latent import stationary
from stanmix.links import linked, upper_bound
from stanmix.priors import DISTRIBUTIONS, Prior
from stanmix.spec import GroupEffect, ModelSpec, Parameter, Regression, move_slopes

Array = NDArray[np.float64]

MOST_TRIED = 2_000_000
"""Draws tried for an ordered vector whose elements have different priors before it is given up."""


def prior_draws(spec: ModelSpec, draws: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draws of every parameter, and of what follows from them.

    Bounds that are data (a non-decision time below the shortest response) do not apply: they
    restrict the posterior, not the prior.

    Parameters
    ----------
    spec
        The model.
    draws
        How many.
    rng
        What draws.

    Returns
    -------
    dict
        (draw, *shape) each, by the names of the posterior.

    Raises
    ------
    SpecError
        A prior is flat, or an order leaves next to nothing of it.
    """
    found: dict[str, Array] = {}
    for parameter in spec.parameters:
        linked_below = [r for r in spec.regressions if r.parameter == parameter.name and r.upper]
        if parameter.below is not None and linked_below:
            # Here the bound is part of the link.
            parameter = replace(parameter, upper=upper_bound(linked_below[0], spec))
        if parameter.constraint == "simplex":
            found[parameter.name] = _simplexes(parameter, spec, draws, rng)
        elif parameter.constraint == "circular":
            found[parameter.name] = _angles(parameter, spec, draws, rng)
        elif parameter.constraint == "correlation":
            found[parameter.name] = _correlations(parameter, spec, draws, rng)
        else:
            found[parameter.name] = _numbers(parameter, spec, draws, rng)
    for regression in spec.regressions:
        for effect in regression.groups:
            found[f"r_{effect.name}"] = _effects(effect, regression, spec, found, rng)
        if regression.columns or regression.is_offset_alone:
            found[regression.coefficients] = _coefficients(regression, spec, found)
    if spec.initial == "stationary":
        found["initial"] = np.stack([stationary(matrix) for matrix in found["transition"]])
    return found


# Numbers.


def _numbers(parameter: Parameter, spec: ModelSpec, draws: int, rng: np.random.Generator) -> Array:
    shape = tuple(spec.sizes[axis] for axis in parameter.axes)
    if parameter.shrinking is not None:
        return _shrunk(parameter.shrinking, (draws, *shape), rng)
    increments = [e.prior for e in parameter.priors if e.increments]
    if increments:
        return _by_increments(parameter, increments[0], shape, draws, rng)
    if parameter.order is None:
        return independent(parameter, shape, draws, rng)
    return _ordered(parameter, shape, draws, rng)


def _shrunk(prior: Prior, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Slopes that are shrunk together: those along the last axis."""
    spread, slab, df = (float(np.asarray(a.value)) for a in prior.arguments[:3])
    one = (*shape[:-1], 1)
    free = np.abs(rng.standard_cauchy(shape) * spread * rng.standard_cauchy(one))
    squared = df / 2 * slab**2 / rng.gamma(df / 2, size=one)
    width = free / np.sqrt(1 + free**2 / squared)
    return np.asarray(prior.arguments[3].value) * width * rng.normal(size=shape)


def independent(
    parameter: Parameter, shape: tuple[int, ...], draws: int, rng: np.random.Generator
) -> Array:
    """Draws of every element from its own prior, whatever orders them: (draw, *shape)."""
    values = np.empty((draws, *shape))
    for place in np.ndindex(*shape):
        index = tuple(i + 1 for i in place)
        prior = parameter.prior_at(index)
        values[(slice(None), *place)] = truncated(
            prior, index, parameter.name, parameter.lower, parameter.upper, draws, rng
        )
    return values


def truncated(
    prior: Prior | None,
    index: tuple[int, ...],
    name: str,
    lower: float | None,
    upper: float | None,
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """Draws of one element from its prior between two bounds."""
    if prior is None or prior.distribution == "flat":
        if lower is not None and upper is not None:
            return rng.uniform(lower, upper, draws)
        raise SpecError(f"The prior of `{name}` is flat, so nothing can be drawn from it.")
    arguments = [a.at(index) for a in prior.arguments]
    distribution = DISTRIBUTIONS[prior.distribution].reference(*arguments)
    low = -np.inf if lower is None else lower
    high = np.inf if upper is None else upper
    u = rng.random(draws)
    # From the nearer tail, where probabilities keep their digits.
    if distribution.cdf(low) > 0.5:
        top, bottom = distribution.sf(low), distribution.sf(high)
        return np.asarray(distribution.isf(bottom + u * (top - bottom)))
    bottom, top = distribution.cdf(low), distribution.cdf(high)
    return np.asarray(distribution.ppf(bottom + u * (top - bottom)))


def _by_increments(
    parameter: Parameter,
    steps: Prior,
    shape: tuple[int, ...],
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """An increasing vector: its first element, and what is added to each."""
    values = np.empty((draws, *shape))
    for place in np.ndindex(*shape[:-1]):
        index = (*(i + 1 for i in place), 1)
        first = truncated(
            parameter.prior_at(index),
            index,
            parameter.name,
            parameter.lower,
            parameter.upper,
            draws,
            rng,
        )
        added = [
            truncated(steps, (1,), parameter.name, 0.0, None, draws, rng)
            for _ in range(shape[-1] - 1)
        ]
        values[(slice(None), *place)] = np.cumsum([first, *added], axis=0).T
    inside = np.ones(draws, dtype=bool)
    if parameter.upper is not None:
        inside = np.asarray((values.reshape(draws, -1) < parameter.upper).all(axis=1))
    if not inside.any():
        raise SpecError(f"No prior draw of `{parameter.name}` is within its bounds.")
    if not inside.all():
        more = _by_increments(parameter, steps, shape, draws, rng)
        values = np.concatenate([values[inside], more])[:draws]
    return values


def _ordered(
    parameter: Parameter,
    shape: tuple[int, ...],
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """Increasing elements: the product of their priors where they increase.

    Sorting does where all have the same prior. Else those that do not increase are drawn again;
    drawing each above the one before would be another distribution.
    """
    axis = parameter.axes.index(parameter.order or "") + 1
    chosen = (...,) if parameter.place is None else (..., parameter.place - 1)
    kept: list[Array] = []
    count = tried = 0
    while count < draws:
        values = independent(parameter, shape, draws, rng)
        if exchangeable(parameter, shape, axis):
            values[chosen] = np.sort(values[chosen], axis=axis)
        increasing = (np.diff(values[chosen], axis=axis) > 0).reshape(draws, -1).all(axis=1)
        kept.append(values[increasing])
        count, tried = count + int(increasing.sum()), tried + draws
        if tried > MOST_TRIED and count < draws:
            raise SpecError(
                f"Draws from the priors of `{parameter.name}` are increasing in {count} of {tried} "
                "cases only; priors that agree with the order would help."
            )
    return np.concatenate(kept)[:draws]


def exchangeable(parameter: Parameter, shape: tuple[int, ...], axis: int) -> bool:
    """Whether the elements along an axis all have the same prior."""
    others = [range(1, n + 1) for i, n in enumerate(shape) if i != axis - 1]
    for place in np.ndindex(*(len(o) for o in others)):
        index = [i + 1 for i in place]
        priors = {
            parameter.prior_at((*index[: axis - 1], k, *index[axis - 1 :]))
            for k in range(1, shape[axis - 1] + 1)
        }
        if len(priors) > 1:
            return False
    return True


# Probabilities and correlations.


def _simplexes(
    parameter: Parameter, spec: ModelSpec, draws: int, rng: np.random.Generator
) -> Array:
    K, size = spec.K, spec.sizes[parameter.axes[-1]]
    if len(parameter.axes) == 1:
        return dirichlet(concentration(parameter.prior_at(()), 0, size, K), draws, rng)
    if parameter.name != "transition":
        alphas = [concentration(parameter.prior_at((k + 1,)), k, size, K) for k in range(K)]
        return np.stack([dirichlet(alpha, draws, rng) for alpha in alphas], axis=1)
    rows = np.zeros((draws, K, K))
    for k, allowed in enumerate(np.array(spec.moves, dtype=bool)):
        prior = parameter.prior_at((k + 1,))
        alpha = concentration(prior, k, int(allowed.sum()), K)
        # `sticky` has an element for every state, others one for every allowed move.
        alpha = alpha[allowed] if len(alpha) > allowed.sum() else alpha
        rows[:, k, allowed] = dirichlet(alpha, draws, rng)
    return rows


def dirichlet(alpha: Array, draws: int, rng: np.random.Generator) -> Array:
    """Probabilities (draw, element), none of which is 0, however small `alpha` is.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> bool((dirichlet(np.array([0.001, 0.001]), 1000, rng) > 0).all())
    True
    """
    # A gamma variable is one of a larger shape times a power of a uniform one: in logs.
    sizes = np.log(rng.gamma(alpha + 1, size=(draws, len(alpha))))
    sizes += np.log1p(-rng.random(sizes.shape)) / alpha
    return np.asarray(np.maximum(softmax(sizes, axis=-1), np.finfo(np.float64).tiny))


def concentration(prior: Prior | None, row: int, size: int, K: int) -> Array:
    """The parameters of a Dirichlet prior."""
    if prior is None or prior.distribution == "flat":
        return np.ones(size)
    values = [float(np.asarray(a.value)) for a in prior.arguments]
    if prior.distribution == "sticky":
        alpha = np.full(K, values[1])
        alpha[row] = values[0]
        return alpha
    return np.full(size, values[0]) if len(values) == 1 else np.array(values)


def _angles(parameter: Parameter, spec: ModelSpec, draws: int, rng: np.random.Generator) -> Array:
    def of(prior: Prior | None) -> Array:
        if prior is None or prior.distribution == "flat":
            return rng.uniform(-np.pi, np.pi, draws)
        mu, kappa = (float(np.asarray(a.value)) for a in prior.arguments)
        return rng.vonmises(mu, kappa, draws)

    if not parameter.axes:
        return of(parameter.prior_at(()))
    return np.stack([of(parameter.prior_at((k,))) for k in range(1, spec.K + 1)], axis=1)


def _correlations(
    parameter: Parameter, spec: ModelSpec, draws: int, rng: np.random.Generator
) -> Array:
    *first, size = (spec.sizes[axis] for axis in parameter.axes[:-1])
    matrices = np.empty((draws, *first, size, size))
    for place in np.ndindex(*first):
        prior = parameter.prior_at(tuple(i + 1 for i in place))
        values = [float(np.asarray(a.value)) for a in prior.arguments] if prior else []
        eta, guard = values[0] if values else 1.0, values[1] if len(values) > 1 else 0.0
        matrices[(slice(None), *place)] = _guarded_lkj(size, eta, guard, draws, rng)
    return matrices


def _guarded_lkj(
    size: int, eta: float, guard: float, draws: int, rng: np.random.Generator
) -> Array:
    """LKJ matrices times exp(-guard * trace(inverse)), by rejection: the trace is at least size."""
    kept: list[Array] = []
    while sum(map(len, kept)) < draws:
        matrices = correlations(size, eta, draws, rng)
        if guard > 0:
            trace = np.trace(np.linalg.inv(matrices), axis1=1, axis2=2)
            matrices = matrices[rng.random(draws) < np.exp(-guard * (trace - size))]
        kept.append(matrices)
    return np.concatenate(kept)[:draws]


def correlations(size: int, eta: float, draws: int, rng: np.random.Generator) -> Array:
    """Correlation matrices by canonical partial correlations (Lewandowski et al. 2009)."""
    factor = np.zeros((draws, size, size))
    factor[:, 0, 0] = 1.0
    for i in range(1, size):
        left = np.ones(draws)
        for j in range(i):
            shape = eta + (size - 2 - j) / 2
            factor[:, i, j] = (2 * rng.beta(shape, shape, draws) - 1) * np.sqrt(left)
            left = left - factor[:, i, j] ** 2
        factor[:, i, i] = np.sqrt(np.maximum(left, 0.0))
    return factor @ np.swapaxes(factor, 1, 2)


# What follows from the parameters of regressions.


def _effects(
    effect: GroupEffect,
    regression: Regression,
    spec: ModelSpec,
    found: Mapping[str, Array],
    rng: np.random.Generator,
) -> Array:
    """Effects of groups: (draw, .., group, term)."""
    sd = found[f"sd_{effect.name}"]
    Q, G = len(effect.columns), len(effect.group.levels)
    scale = covariance_factor(sd, found.get(f"cor_{effect.name}"))
    if regression.link == "softmax":
        # Contrasts and moves have a common spread.
        scale = scale[..., None, :, :]
    first = (spec.sizes[axis] for axis in spec.axes_of(regression))
    z = rng.normal(size=(len(sd), *first, Q, G))
    r = np.swapaxes(scale @ z, -1, -2)
    if regression.link != "softmax":
        return r
    moves = regression.is_latent and regression.name == "transition"
    return spread_moves(r, spec) if moves else sum_to_zero(r, axis=-3)


def sum_to_zero(free: Array, axis: int) -> Array:
    """K vectors that sum to zero, from K - 1 free ones along an axis; see softmax.stan."""
    free = np.moveaxis(free, axis, 0)
    sums = np.zeros((len(free) + 1, *free.shape[1:]))
    for j in range(1, len(sums)):
        step = free[j - 1] / np.sqrt(j * (j + 1.0))
        sums[:j] += step
        sums[j] -= j * step
    return np.moveaxis(sums, 0, axis)


def spread_moves(free: Array, spec: ModelSpec) -> Array:
    """Values of moves as (draw, state, state, ..), 0 where a move has none."""
    spread = np.zeros((len(free), spec.K, spec.K, *free.shape[2:]))
    for i, row in enumerate(move_slopes(spec.moves)):
        for j, place in enumerate(row):
            if place:
                spread[:, i, j] = free[:, place - 1]
    return spread


def _coefficients(regression: Regression, spec: ModelSpec, found: Mapping[str, Array]) -> Array:
    """Coefficients on the user's scale: with the intercept, where there is one."""
    if regression.parameter is None:
        return found[regression.coefficients]
    value = found[regression.parameter]
    slopes = found.get(regression.coefficients)
    moves = regression.is_latent and regression.name == "transition"
    if regression.component is not None:
        value = value[:, regression.component - 1]
    if regression.link == "softmax":
        with np.errstate(divide="ignore"):
            logs = np.log(value)
        if moves:
            slopes = spread_moves(found[regression.coefficients], spec)
            staying = move_slopes(spec.moves)
            allowed = np.array(spec.moves)
            reference = [
                next(j for j in range(spec.K) if allowed[i, j] and not staying[i][j])
                for i in range(spec.K)
            ]
            base = np.take_along_axis(logs, np.array(reference)[None, :, None], axis=2)
            at_means = np.where(np.array(staying) > 0, logs - base, 0.0)
        else:
            slopes = sum_to_zero(found[regression.coefficients], axis=-2)
            at_means = logs - logs.mean(axis=-1, keepdims=True)
    else:
        at_means = linked(regression, value, upper_bound(regression, spec))
    if slopes is None:
        slopes = np.zeros((*at_means.shape, 0))
    intercept = at_means - slopes @ np.array(regression.center) - regression.offset_center
    if moves:
        intercept = np.where(np.array(move_slopes(spec.moves)) > 0, intercept, 0.0)
    return np.concatenate([intercept[..., None], slopes], axis=-1)

"""How much mass a program's prior has: less than 1 where it keeps to a region.

Every prior of a program is normalised, but for two things. An order keeps to the part of the space
where the elements increase: of K components that are alike this is 1 / K! of it. And the guard that
keeps the eigenvalues of correlations off 0 is a factor without a constant.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from stanmix.errors import SpecError
from stanmix.prior_draws import correlations, exchangeable, independent
from stanmix.spec import ModelSpec, Parameter

Array = NDArray[np.float64]

DRAWS = 100_000
"""Draws by which a share is estimated that has no closed form."""


def log_prior_mass(spec: ModelSpec, rng: np.random.Generator) -> tuple[float, float]:
    """Log of the integral of the prior as the program has it, and its Monte Carlo error.

    Bounds that are data do not count: beyond them there is no likelihood.

    Parameters
    ----------
    spec
        The model.
    rng
        What draws where there is no closed form.

    Raises
    ------
    SpecError
        A prior is improper, or has next to no mass in its region.

    Examples
    --------
    >>> import stanmix as sm
    >>> spec = sm.model("y ~ mix(normal, K=3)", {"y": [0.0, 1.0, 3.0, 4.0]}).spec
    >>> mass, error = log_prior_mass(spec, np.random.default_rng(1))
    >>> round(float(np.exp(-mass))), error
    (6, 0.0)
    """
    _require_proper(spec)
    parts = []
    for parameter in spec.parameters:
        if parameter.order is not None:
            parts.append(_of_order(parameter, spec, rng))
        elif parameter.constraint == "correlation":
            parts.append(_of_guards(parameter, spec, rng))
    total = sum(mass for mass, _ in parts)
    return total, math.sqrt(sum(error**2 for _, error in parts))


def _require_proper(spec: ModelSpec) -> None:
    flat = [
        parameter.name
        for parameter in spec.parameters
        if parameter.constraint not in ("circular", "correlation")
        for entry in parameter.priors
        if entry.prior.distribution == "flat"
    ]
    if flat:
        raise SpecError(
            f"The prior of `{flat[0]}` is flat, so that the marginal likelihood has no scale; give "
            "it a proper one."
        )


def _of_order(
    parameter: Parameter, spec: ModelSpec, rng: np.random.Generator
) -> tuple[float, float]:
    """Of an ordered parameter: the share of its prior where its elements increase."""
    shape = tuple(spec.sizes[axis] for axis in parameter.axes)
    axis = parameter.axes.index(parameter.order or "")
    size = shape[axis]
    increments = any(e.increments for e in parameter.priors)
    if increments and parameter.upper is None:
        return 0.0, 0.0
    if not increments and exchangeable(parameter, shape, axis + 1):
        vectors = math.prod(shape) // size
        if parameter.place is not None:
            vectors //= shape[-1]
        return -vectors * math.lgamma(size + 1), 0.0
    if increments:
        raise SpecError(
            f"The increments of `{parameter.name}` are bounded above, and the mass of such a prior "
            "is not known; give it a prior of its elements."
        )
    drawn = independent(parameter, shape, DRAWS, rng)
    chosen = drawn if parameter.place is None else drawn[..., parameter.place - 1]
    share = float((np.diff(chosen, axis=axis + 1) > 0).reshape(DRAWS, -1).all(axis=1).mean())
    if share * DRAWS < 100:
        raise SpecError(
            f"Draws from the priors of `{parameter.name}` are hardly ever increasing; priors that "
            "agree with the order would help."
        )
    return math.log(share), math.sqrt((1 - share) / (share * DRAWS))


def _of_guards(
    parameter: Parameter, spec: ModelSpec, rng: np.random.Generator
) -> tuple[float, float]:
    """Of correlations: the mean of their guards' factors."""
    *first, size = (spec.sizes[axis] for axis in parameter.axes[:-1])
    guarded: Counter[tuple[float, float]] = Counter()
    for place in np.ndindex(*first):
        prior = parameter.prior_at(tuple(i + 1 for i in place))
        values = [float(np.asarray(a.value)) for a in prior.arguments] if prior else []
        if len(values) == 2:
            guarded[values[0], values[1]] += 1
    total = error = 0.0
    for (eta, guard), count in guarded.items():
        matrices = correlations(size, eta, DRAWS, rng)
        factors = np.exp(-guard * np.trace(np.linalg.inv(matrices), axis1=1, axis2=2))
        total += count * math.log(factors.mean())
        error += count * float(factors.std() / factors.mean()) / math.sqrt(DRAWS)
    return total, error

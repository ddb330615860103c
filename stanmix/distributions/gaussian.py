"""Gaussian mixtures by arrays, and those that samplers are tried with.

References
----------
Midgley, L. I., Stimper, V., Simm, G. N. C., Schölkopf, B., & Hernández-Lobato, J. M. (2023). Flow
annealed importance sampling bootstrap. *International Conference on Learning Representations*.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.distributions.component import components
from stanmix.distributions.mixture import Mixture
from stanmix.errors import SpecError, require_count

Array = NDArray[np.float64]


def gaussian_mixture(
    weights: ArrayLike,
    mu: ArrayLike,
    sigma: ArrayLike | None = None,
    *,
    covariance: ArrayLike | None = None,
) -> Mixture:
    """A mixture of normal distributions, by arrays.

    Parameters
    ----------
    weights : array_like, shape (K,)
        The proportions.
    mu : array_like, shape (K,) or (K, D)
        Means, of a number or of D columns.
    sigma : array_like, shape (), (K,) or (K, D)
        Standard deviations: one for all, one for each component, or one for each column.
    covariance : array_like, shape (K, D, D)
        Covariance matrices, in the place of `sigma`.

    Returns
    -------
    Mixture
        With all that a mixture has.

    Raises
    ------
    SpecError
        Neither or both of `sigma` and `covariance` are given; one is not positive (definite), or
        shapes disagree.

    Examples
    --------
    >>> target = gaussian_mixture([0.5, 0.5], [[0, 0], [3, 3]], covariance=[np.eye(2), np.eye(2)])
    >>> target.score([3.0, 1e3]).round(6).tolist()
    [0.0, -997.0]
    """
    if (sigma is None) == (covariance is None):
        raise SpecError("Give either `sigma` or `covariance`.")
    if covariance is None:
        given: dict[str, Any] = {"sigma": sigma}
    else:
        given = _scales(np.shape(mu), covariance)
    try:
        wanted = len(np.asarray(mu, dtype=np.float64))
    except (TypeError, ValueError):
        raise SpecError("`mu` must have the shape (K,) or (K, D).") from None
    if np.ndim(given["sigma"]) == 0:
        given["sigma"] = np.full(wanted, given["sigma"])
    return Mixture(weights, components("normal", mu=mu, **given))


def _scales(shape: tuple[int, ...], covariance: ArrayLike) -> dict[str, Array]:
    """Standard deviations and correlations of covariance matrices."""
    try:
        matrices = np.asarray(covariance, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError("`covariance` must be numbers.") from None
    if len(shape) != 2 or matrices.shape != (*shape, shape[1]):
        raise SpecError(
            f"`covariance` must have shape (K, D, D) beside `mu` of shape (K, D), not "
            f"{matrices.shape} beside {shape}."
        )
    variance = np.diagonal(matrices, axis1=1, axis2=2)
    if not (variance > 0).all() or not np.isfinite(matrices).all():
        raise SpecError("`covariance` must be finite, with variances above 0 on its diagonals.")
    sigma = np.sqrt(variance)
    return {"sigma": sigma, "corr": matrices / sigma[:, :, None] / sigma[:, None, :]}


def uniform_means(
    K: int = 40, columns: int = 2, *, reach: float = 40.0, sigma: float = 1.0, seed: int = 0
) -> Mixture:
    """Equal weights, one standard deviation, and means drawn uniformly in a box about 0.

    Parameters
    ----------
    K, columns
        The numbers of components, and of columns.
    reach
        Means lie between -reach and reach in each column.
    sigma
        Standard deviation in every column of every component.
    seed
        Seed of the means, which numpy draws.

    Returns
    -------
    Mixture
        Of as many columns, one included.

    Raises
    ------
    SpecError
        A number is none, or not positive.

    Examples
    --------
    >>> uniform_means(K=3, columns=5, reach=10).mean().shape
    (5,)
    """
    require_count("K", K, 1)
    require_count("columns", columns, 1)
    require_count("seed", seed, 0)
    if not isinstance(reach, Real) or not 0 < reach < np.inf:
        raise SpecError(f"`reach` must be a number above 0, not {reach!r:.60}.")
    mu = np.random.default_rng(seed).uniform(-reach, reach, (K, columns))
    return gaussian_mixture(np.full(K, 1 / K), mu, sigma)


def gmm40(columns: int = 2, *, seed: int = 0) -> Mixture:
    """The mixture of 40 normal distributions that samplers of many modes are tried with.

    From Midgley et al. (2023), in two columns: equal weights, means drawn uniformly from -40 to 40
    in each column, and the standard deviation log(1 + e) = 1.313 in all columns, which is what
    their code makes of `log_var_scaling=1`, with softplus and without a root.

    Their means are those of torch's `rand` after `manual_seed(0)`. The generator is numpy's
    `RandomState`, so that `gmm40()` has the published means, up to the rounding of torch's single
    precision. More columns, or another seed, are what the same code would draw, and not
    published there. Two things are not as in their code: it takes log densities below -1e4 for
    minus infinity, which samplers may feel, and its test sets are other draws. Other papers have
    other targets under this name, with a standard deviation of 1, or means of other generators:
    `uniform_means` makes mixtures like these.

    Parameters
    ----------
    columns
        The number of columns.
    seed
        Seed of the means, below 2**32.

    Returns
    -------
    Mixture
        Of as many columns, one included.

    Raises
    ------
    SpecError
        `columns` or `seed` is no whole number, or out of range.

    Examples
    --------
    >>> target = gmm40()
    >>> target.components[0].mean().round(3).tolist()
    [-0.299, 21.458]
    >>> float(target.log_prob([0.0, 0.0]).round(3))
    -23.316
    """
    require_count("columns", columns, 1)
    require_count("seed", seed, 0, 2**32 - 1)
    # Torch keeps 24 bits of each number that the generator gives.
    drawn = np.random.RandomState(seed).randint(0, 2**24, (40, columns), dtype=np.uint32)
    mu = 80 * (drawn / 2**24 - 0.5)
    return gaussian_mixture(np.full(40, 1 / 40), mu, math.log1p(math.e))

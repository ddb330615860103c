"""Moments of a mixture, from those of its components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stanmix.distributions.rows import shaped
from stanmix.errors import SpecError

if TYPE_CHECKING:
    from stanmix.distributions.mixture import Mixture

Array = NDArray[np.float64]


def mean(mixture: Mixture) -> Array:
    """Mean.

    Returns
    -------
    ndarray, shape () or (column,)
        Infinite where an integral diverges.

    Raises
    ------
    SpecError
        A column holds angles or categories, or a family declares no mean.
    """
    total = _means(mixture)[1]
    found = np.where(np.isnan(total), np.inf, total)
    return shaped(found, mixture.event_shape)


def variance(mixture: Mixture) -> Array:
    """Variance, of each column if there are several.

    Returns
    -------
    ndarray, shape () or (column,)
        Infinite where an integral diverges.

    Raises
    ------
    SpecError
        As `mean`.
    """
    found = np.diagonal(_covariance(mixture))
    return shaped(found, mixture.event_shape)


def covariance(mixture: Mixture) -> Array:
    """Covariance matrix.

    Returns
    -------
    ndarray, shape (column, column)
        Infinite on the diagonal, and NaN beside it, where an integral diverges.

    Raises
    ------
    SpecError
        As `mean`; or there is one number and no column, which has a `variance`.
    """
    if not mixture.event_shape:
        raise SpecError("A number has no covariance matrix; ask for `variance`.")
    return _covariance(mixture)


def _covariance(mixture: Mixture) -> Array:
    """Covariance matrix by column: within components, and between them."""
    means, center = _means(mixture)
    total = np.zeros((len(center), len(center)))
    with np.errstate(invalid="ignore"):
        for k, own in means.items():
            off = own - center
            within = mixture.components[k].covariance()
            total += mixture.weights[k] * (within + np.outer(off, off))
    infinite = ~np.isfinite(np.diagonal(total))
    total[infinite] = total[:, infinite] = np.nan
    total[infinite, infinite] = np.inf
    return total


def _means(mixture: Mixture) -> tuple[dict[int, Array], Array]:
    """The means by column of the components that have a weight, and of all."""
    # What never occurs counts for nothing, infinite as its mean may be.
    used = [k for k, weight in enumerate(mixture.weights) if weight > 0]
    means = {k: mixture.components[k].mean() for k in used}
    with np.errstate(invalid="ignore"):
        terms = [mixture.weights[k] * own for k, own in means.items()]
        return means, np.asarray(np.sum(terms, axis=0))
